"""What a completion is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from unrelu.arrays import Array, flatten_samples, like, to_tensor
from unrelu.certificates import StructureCertificate
from unrelu.domains import Domain, Space
from unrelu.errors import ArgumentError
from unrelu.inverse import invert
from unrelu.nn.completion._inverse import PairInverse

if TYPE_CHECKING:
    from unrelu.certificates import SingletonsCertificate
    from unrelu.injectivity._verdict import Proof
    from unrelu.layers import Network, ReLULayer, Skipped
    from unrelu.layers.surgery import Editable, NewRows

    LayerProof: TypeAlias = Proof | SingletonsCertificate


@dataclass(frozen=True, eq=False)
class CompletedLayer:
    """A layer of a completed model.

    Attributes:
        name: Its name.
        n: Number of its inputs.
        before: Number of its rows before the completion.
        partners: Appended rows that are the negatives of rows that were there.
        pairs: Appended pairs of opposite rows, two rows each.
        always: Appended rows that are active on the whole domain, or at all data.
        channels: Appended channels, 0 for a dense layer: each has a row for every place.
        layer: The completed layer, as it was read from the completed model.
        domain: Where its inputs may lie.
        certificate: That it is injective on the domain. With data a `SingletonsCertificate` of the layer's
            inputs at them, with the radius asked for; ``None`` where with a radius of 0 an input is the only
            one because of rows that are 0 at it, not of strictly active ones.
        radius: With data: the least certified radius around them; 0 otherwise.
    """

    name: str
    n: int
    before: int
    partners: int
    pairs: int
    always: int
    channels: int
    layer: ReLULayer = field(repr=False)
    domain: Domain
    certificate: LayerProof | None = field(repr=False)
    radius: float = 0.0

    @classmethod
    def of(
        cls,
        layer: ReLULayer,
        completed: ReLULayer,
        new: NewRows | None,
        domain: Domain,
        certificate: LayerProof | None,
        radius: float = 0.0,
    ) -> Self:
        """Describe what was appended to a layer."""
        partners = pairs = always = channels = 0
        if new is not None:
            places = layer.m // layer.out_shape[0] if new.of_channels else 1
            partners, pairs = places * len(new.partners), places * new.pairs
            always = places * len(new.weight) - pairs
            channels = new.count if new.of_channels else 0
        counts = (layer.n, layer.m, partners, pairs, always, channels)
        return cls(layer.name, *counts, completed, domain, certificate, radius)

    @property
    def grade(self) -> str:
        """How strong the certificate is: ``"float"`` where the layer's numbers are themselves rounded."""
        if self.certificate is None:
            return ""
        return getattr(self.certificate, "grade", "exact") if self.layer.record().exact else "float"

    @property
    def added(self) -> int:
        """Number of rows appended."""
        return self.layer.m - self.before


@dataclass(frozen=True, eq=False)
class Completion:
    """A model whose layers are injective, and which predicts what it did before.

    Attributes:
        before: The model as it was, and the network traced from it.
        after: The completed one.
        layers: What became of the layers that were to be completed, in order.
        skipped: Layers that were not, with reasons.
    """

    before: Editable = field(repr=False)
    after: Editable = field(repr=False)
    layers: tuple[CompletedLayer, ...]
    skipped: tuple[Skipped, ...] = ()
    _inverses: dict[str, PairInverse] = field(default_factory=dict, repr=False)

    @property
    def model(self) -> Any:
        """The completed model: an ``nn.Module``, ``onnx.ModelProto``, `Network` or `ReLULayer`, as was given.

        What reads a completed layer reads the old rows of it alone.
        """
        return self.after.model

    @property
    def network(self) -> Network:
        """What `unrelu.trace` reads from the completed model; there the weights for the new rows are 0."""
        return self.after.network

    def same_predictions(self, x: Any) -> bool:
        """Say whether both models make the same bits of one batch of inputs.

        A torch module is called, without gradients and in the mode that it is in; an ONNX model is evaluated
        node by node by the onnx package, a `Network` or `ReLULayer` in float64, where a product with columns
        of zeros may round otherwise.

        Args:
            x: What the model takes: a tensor for a module, numpy in the dtype of the model's input for ONNX.
        """
        return self.before.bits(x) == self.after.bits(x)

    @property
    def certificate(self) -> LayerProof | None:
        """The proof of the only layer that was completed; of several each has its own."""
        if len(self.layers) != 1:
            raise ArgumentError(
                f"certificate: expected one completed layer, got {len(self.layers)}: take "
                "layers[k].certificate"
            )
        return self.layers[0].certificate

    def __getitem__(self, name: str | None) -> CompletedLayer:
        """Return a completed layer by name; the first one for ``None``.

        Raises:
            KeyError: If there is no such layer.
        """
        for layer in self.layers:
            if name in {None, layer.name, layer.layer.node}:
                return layer
        known = ", ".join(repr(layer.name) for layer in self.layers)
        raise KeyError(f"no completed layer {name!r}; the layers are {known}")

    def inverse(self, y: Array, layer: str | None = None) -> Array:
        """Return the inputs of a completed layer for its activations after the ReLU, all rows included.

        Where rows were appended, these activations are the tensor ``<layer>.completion.rows`` of an ONNX
        model (add it to the outputs), and in a module what its part ``<layer>_leading`` is given (a forward
        hook sees it; dots in the name are underscores).

        Args:
            y: Shape ``(..., m)`` or ``(..., *out_shape)``, numpy or torch.
            layer: Name of the layer; the first completed one if ``None``.

        Returns:
            Shape ``(..., n)`` or ``(..., *in_shape)``, float64. Activations of inputs in the domain give
            these back, but for their rounding times the condition number of the rows.

        Raises:
            ArgumentError: If the shape does not fit, or an entry is not finite.
        """
        completed = self[layer]
        subject, proof = completed.layer, completed.certificate
        if not isinstance(proof, StructureCertificate) or proof.blocks:
            domain = completed.domain if completed.domain.polyhedral else Space()
            return invert(subject, y, domain).x
        tensor = to_tensor(y, "y", device="cpu")
        flat, batch, is_flat = flatten_samples(tensor, subject.out_shape, "y")
        if completed.name not in self._inverses:
            self._inverses[completed.name] = PairInverse(proof, subject.record())
        x = self._inverses[completed.name](flat.numpy())
        shape = (subject.n,) if is_flat else subject.in_shape
        return like(to_tensor(x, "x").reshape(*batch, *shape), y)
