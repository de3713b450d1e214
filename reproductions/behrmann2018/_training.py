"""The paper's two networks on MNIST (Appendix A4, Tables 1 and 2), trained as it says there."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn

from unrelu.layers import ReLULayer

from .._data import Split, mnist
from .._training import Tell, accuracy, keep_weights, keras_start, read_weights


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        name: Of the network, and of its file of weights.
        widths: Units of its hidden layers.
        normalised: Whether it is trained on digits of mean 0 and deviation 1, over all pixels; this is then
            folded into the first layer, so that every network takes pixels in [0, 1].
        lr: Learning rate of Adam.
        batch: Samples a step.
        epochs: Passes over the training data.
        seed: Of the initial weights and the order of the samples.
    """

    name: str
    widths: tuple[int, ...]
    normalised: bool = False
    lr: float = 0.001
    batch: int = 1000
    epochs: int = 25
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Trained:
    """A network with its data.

    Attributes:
        model: The network, in float32, without softmax; its layers are ``fc1``, ``fc2``, ..., ``out``.
        split: The digits, with pixels in [0, 1].
        recipe: How it was trained.
        history: After every epoch the test accuracy and the mean number of positive outputs of the first
            layer at a test digit; empty where the weights were read from a file.
    """

    model: nn.Sequential
    split: Split
    recipe: Recipe
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def layer(self) -> ReLULayer:
        """The first layer with its ReLU."""
        return ReLULayer.from_module(self.model.fc1)

    @property
    def accuracy(self) -> float:
        """Share of test digits whose class is told right."""
        return accuracy(self.model, self.split.x_test, self.split.y_test)


_WIDE = Recipe("wide", (3500, 784), normalised=True)
_DEEP = Recipe("deep", (100,) * 10)

_done: dict[tuple[Recipe, bool], Trained] = {}


def wide_network(
    *, seed: int = 0, quick: bool = False, cache: Path | None = None, tell: Tell = lambda _: None
) -> Trained:
    """Return the network of Figure 4, 784 → 3500 → 784 → 10, trained once a process.

    Args:
        seed: Of the training.
        quick: Few data, one epoch.
        cache: Folder where the weights are kept as ``wide.safetensors``: read where the same recipe
            wrote them, else written.
        tell: Told which epoch has begun.
    """
    return _trained(replace(_WIDE, seed=seed), quick, cache, tell)


def deep_network(
    *, seed: int = 0, quick: bool = False, cache: Path | None = None, tell: Tell = lambda _: None
) -> Trained:
    """Return the network of Figures 7 and 12, ten layers of 100 units, trained once a process.

    Args:
        seed: Of the training.
        quick: Few data, one epoch.
        cache: Folder where the weights are kept as ``deep.safetensors``: read where the same recipe
            wrote them, else written.
        tell: Told which epoch has begun.
    """
    return _trained(replace(_DEEP, seed=seed), quick, cache, tell)


def network(n: int, recipe: Recipe, classes: int) -> nn.Sequential:
    """Return the untrained network, with Keras' initial weights: Glorot uniform, biases 0."""
    parts: list[tuple[str, nn.Module]] = []
    for k, (before, after) in enumerate(pairwise((n, *recipe.widths)), start=1):
        parts += [(f"fc{k}", nn.Linear(before, after)), (f"relu{k}", nn.ReLU())]
    parts.append(("out", nn.Linear(recipe.widths[-1], classes)))
    model = nn.Sequential(OrderedDict(parts))
    keras_start(model)
    return model


def _trained(recipe: Recipe, quick: bool, cache: Path | None, tell: Tell) -> Trained:
    recipe = replace(recipe, epochs=1, batch=100) if quick else recipe
    if (recipe, quick) not in _done:
        path = None if cache is None else cache / f"{recipe.name}.safetensors"
        _done[recipe, quick] = (path and _read(path, recipe, quick)) or _trained_anew(
            path, recipe, quick, tell
        )
    return _done[recipe, quick]


def _read(path: Path, recipe: Recipe, quick: bool) -> Trained | None:
    """Return the network in a file; ``None`` where there is none trained by this recipe."""
    if not path.exists():
        return None
    split = mnist(quick)
    model = network(split.n, recipe, split.classes)
    return Trained(model.eval(), split, recipe) if read_weights(path, model, repr((recipe, quick))) else None


def _trained_anew(path: Path | None, recipe: Recipe, quick: bool, tell: Tell) -> Trained:
    trained = train(mnist(quick), recipe, tell)
    if path is not None:
        keep_weights(path, trained.model, repr((recipe, quick)))
    return trained


def train(split: Split, recipe: Recipe, tell: Tell = lambda _: None) -> Trained:
    """Train a network; the global random state is left as it was."""
    shift, scale = (split.x.mean(), split.x.std()) if recipe.normalised else (0.0, 1.0)
    x, x_test = (split.x - shift) / scale, (split.x_test - shift) / scale
    history = []
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        model = network(split.n, recipe, split.classes)
        optimizer = torch.optim.Adam(model.parameters(), lr=recipe.lr)
        for epoch in range(recipe.epochs):
            tell(f"{recipe.name} network: epoch {epoch + 1} of {recipe.epochs}")
            for batch in torch.randperm(len(x)).split(recipe.batch):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x[batch]), split.y[batch]).backward()
                optimizer.step()
            history.append(_measured(model, x_test, split.y_test))
    _fold(model.fc1, shift, scale)
    return Trained(model.eval(), split, recipe, history)


@torch.no_grad()
def _measured(model: nn.Sequential, x: torch.Tensor, y: torch.Tensor) -> dict[str, float]:
    positive = (model.fc1(x) > 0).sum(dim=1).double()
    return {"accuracy": accuracy(model, x, y), "positive outputs": float(positive.mean())}


@torch.no_grad()
def _fold(first: nn.Linear, shift: torch.Tensor | float, scale: torch.Tensor | float) -> None:
    """Let a layer that takes ``(x - shift) / scale`` take ``x``."""
    weight = first.weight.double() / scale
    first.bias.copy_(first.bias - weight.sum(dim=1) * shift)
    first.weight.copy_(weight)
