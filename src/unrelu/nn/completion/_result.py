"""What a completion is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from unrelu.arrays import Array, flatten_samples, like, to_tensor
from unrelu.certificates import StructureCertificate
from unrelu.domains import Domain, Space
from unrelu.errors import ArgumentError
from unrelu.inverse import invert
from unrelu.nn.completion._encoder import composed, onnx_up_to, up_to
from unrelu.nn.completion._inverse import PairInverse

if TYPE_CHECKING:
    from unrelu.certificates import NetworkInjectivityCertificate, SingletonsCertificate
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
            inputs at them, with the radius asked for; ``None`` where that took too long.
        radius: With data: the least certified radius around them; 0 otherwise.
        condition: On a domain: estimated, how many times larger relative errors of the input may be than
            those of the activations: the largest singular value of all rows, taken at norm 1, over the least
            one of the rows that are active somewhere. For layers of more than 16 inputs that nothing was
            appended to it may be larger. Infinite from about 1e16 on; NaN where it was not estimated: with
            data, and for more than 4096 inputs.
        reason: Why there is no certificate; empty where there is one.
        interrupted: Whether that is because of Ctrl-C.
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
    condition: float = math.nan
    reason: str = ""
    interrupted: bool = False

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

    @cached_property
    def encoder(self) -> Network:
        """The network up to the last completed layer, whose output is that of all rows of this layer."""
        return up_to(self.network, self.layers[-1].layer)

    @property
    def condition(self) -> float:
        """The product of the layers' conditions: about how many times errors may grow through all of them."""
        return math.prod(layer.condition for layer in self.layers)

    @property
    def encoder_model(self) -> Any:
        """The same as an ``onnx.ModelProto``, for a model that was an ONNX file.

        Raises:
            ArgumentError: If it was none.
        """
        if type(self.model).__name__ != "ModelProto":
            raise ArgumentError(f"model: expected an ONNX model, got {type(self.model).__name__}")
        return onnx_up_to(self.model, self.layers[-1].layer)

    @cached_property
    def encoder_certificate(self) -> NetworkInjectivityCertificate | None:
        """The proof that `encoder` is injective, where the proofs of its layers make one.

        It has to be a chain all of whose layers were completed, or needed no rows, on a domain.
        """
        return composed(self.encoder, self._proofs)

    @cached_property
    def network_certificate(self) -> NetworkInjectivityCertificate | None:
        """The same for `network`, whose own output reads old rows alone.

        There mostly is none, unless no rows were needed.
        """
        return composed(self.network, self._proofs)

    @property
    def _proofs(self) -> dict[str, LayerProof | None]:
        return {layer.name: layer.certificate for layer in self.layers}

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
