"""The paper's two convolutional networks on CIFAR-10 (Appendix A4, Tables 3 and 4)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn

from unrelu.datasets import load

from .._training import Tell, accuracy, keep_weights, keras_start, read_weights

_QUICK = (256, 64)  # training and test images of a quick run; both from the test data, which load faster


@dataclass(frozen=True)
class CifarRecipe:
    """How a network is trained.

    Attributes:
        name: Of the network, and of its file of weights.
        maps: Feature maps of the six 3 x 3 convolutions; the second and the last one have stride 2.
        lr: Learning rate of RMSprop, with the decay of the squares that Keras takes.
        batch: Samples a step.
        epochs: Passes over the training data; the paper's are 100.
        seed: Of the initial weights and the order of the samples.
    """

    name: str
    maps: tuple[int, ...]
    lr: float = 1e-4
    batch: int = 32
    epochs: int = 10
    seed: int = 0


@dataclass(frozen=True, eq=False)
class CifarNetwork:
    """A network with test images.

    Attributes:
        model: The network, in float32, without softmax: ``conv1`` to ``conv6``, ``fc7``, ``out``.
        x: Test images with pixels in [0, 1], shape ``(N, 3, 32, 32)``.
        y: Their classes.
        accuracy: Share of test images whose class is told right.
        history: The same after every epoch; empty where the weights were read from a file.
    """

    model: nn.Sequential
    x: torch.Tensor
    y: torch.Tensor
    accuracy: float
    history: list[float] = field(default_factory=list)


_done: dict[tuple[CifarRecipe, bool], CifarNetwork] = {}

WIDE = CifarRecipe("wide-cifar", (32, 64, 64, 32, 32, 64))
THIN = CifarRecipe("thin-cifar", (32, 32, 16, 16, 16, 32))


def cifar_network(
    recipe: CifarRecipe, *, quick: bool = False, cache: Path | None = None, tell: Tell = lambda _: None
) -> CifarNetwork:
    """Return a network, trained or read from a file, once a process.

    Args:
        recipe: How it is trained.
        quick: Few data, one epoch.
        cache: Folder where the weights are kept: read where the same recipe wrote them, else written.
        tell: Told which epoch has begun.
    """
    recipe = replace(recipe, epochs=1) if quick else recipe
    if (recipe, quick) not in _done:
        _done[recipe, quick] = _made(recipe, quick, cache, tell)
    return _done[recipe, quick]


def _made(recipe: CifarRecipe, quick: bool, cache: Path | None, tell: Tell) -> CifarNetwork:
    mark, path = repr((recipe, quick)), None if cache is None else cache / f"{recipe.name}.safetensors"
    images, classes = _images("test")
    test = (images[: _QUICK[1]], classes[: _QUICK[1]]) if quick else (images, classes)
    model = build(recipe)
    history: list[float] = []
    if path is None or not read_weights(path, model, mark):
        data = (images[-_QUICK[0] :], classes[-_QUICK[0] :]) if quick else _images("train")
        model, history = _train(recipe, data, test, tell)
        if path is not None:
            keep_weights(path, model, mark)
    return CifarNetwork(model.eval(), *test, accuracy(model, *test), history)


def build(recipe: CifarRecipe) -> nn.Sequential:
    """Return the untrained network, with Keras' initial weights."""
    parts: list[tuple[str, nn.Module]] = []
    for k, (before, after) in enumerate(pairwise((3, *recipe.maps)), start=1):
        stride = 2 if k in {2, 6} else 1
        parts += [(f"conv{k}", nn.Conv2d(before, after, 3, stride, padding=1)), (f"relu{k}", nn.ReLU())]
    parts += [("flat", nn.Flatten()), ("fc7", nn.Linear(64 * recipe.maps[-1], 512)), ("relu7", nn.ReLU())]
    model = nn.Sequential(OrderedDict([*parts, ("out", nn.Linear(512, 10))]))
    keras_start(model)
    return model


def _images(split: str) -> tuple[torch.Tensor, torch.Tensor]:
    data = load(f"cifar10:{split}")
    return torch.as_tensor(data.inputs, dtype=torch.float32), torch.as_tensor(data.labels)


def _train(
    recipe: CifarRecipe,
    data: tuple[torch.Tensor, torch.Tensor],
    test: tuple[torch.Tensor, torch.Tensor],
    tell: Tell,
) -> tuple[nn.Sequential, list[float]]:
    """Train a network; the global random state is left as it was."""
    x, y = data
    history = []
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        model = build(recipe)
        optimizer = torch.optim.RMSprop(model.parameters(), lr=recipe.lr, alpha=0.9, eps=1e-7)
        for epoch in range(recipe.epochs):
            tell(f"{recipe.name} network: epoch {epoch + 1} of {recipe.epochs}")
            for batch in torch.randperm(len(x)).split(recipe.batch):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
                optimizer.step()
            history.append(accuracy(model, *test))
    return model, history
