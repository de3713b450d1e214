"""The paper's networks, trained with and without what keeps their first layer invertible."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import torch
from torch import nn

from unrelu.bias import estimate_bias
from unrelu.layers import ReLULayer
from unrelu.nn import BiasRegularizer, MarginPenalty, project_bias_

from .._data import Split
from .._training import Tell, accuracy


class Method(StrEnum):
    """What is done during training to keep the first layer invertible."""

    NONE = "none"
    PENALTY = "penalty"  # the paper's: ||max(0, alpha - alpha*)||_2 added to the loss, Section 4.2
    PROJECTION = "projection"  # the bias is put back to alpha* after every step
    MARGIN = "margin"  # unrelu.nn.MarginPenalty


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        redundancy: ``m / n`` of the first layer.
        method: What keeps it invertible.
        hidden: Units of a second hidden layer, 0 for none.
        lr: Learning rate of Adam.
        batch: Samples a step.
        epochs: Passes over the training data.
        seed: Of the initial weights, the order of the samples and the noise.
        noise_std: Standard deviation of the noise of randomised smoothing.
        n_samples: Samples of an estimate of the maximal bias.
        estimates: Estimates of the maximal bias an epoch.
        weight: Factor of the paper's penalty.
        margin: Options of `unrelu.nn.MarginPenalty`.
    """

    redundancy: float
    method: Method = Method.NONE
    hidden: int = 0
    lr: float = 0.01
    batch: int = 128
    epochs: int = 10
    seed: int = 0
    noise_std: float = 0.0
    n_samples: int = 10_000
    estimates: int = 1
    weight: float = 1.0
    margin: tuple[tuple[str, float], ...] = ()


@dataclass
class Trained:
    """A network, and what was measured before training and after every epoch.

    Attributes:
        model: The network; ``model.fc1`` is the layer in question.
        recipe: How it was trained.
        history: The measurements, oldest first.
    """

    model: nn.Sequential
    recipe: Recipe
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def layer(self) -> ReLULayer:
        """The first layer with its ReLU."""
        return ReLULayer.from_module(self.model.fc1)


Measure = Callable[[nn.Sequential], dict[str, float]]


def train(
    split: Split, recipe: Recipe, measure: Measure | None = None, tell: Tell = lambda _: None
) -> Trained:
    """Train a network.

    Args:
        split: The data.
        recipe: How.
        measure: Called before training and after every epoch; accuracy alone if ``None``.
        tell: Told which epoch has begun.
    """
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        model = network(split, recipe)
        keeper = _Keeper(model, split, recipe)
        optimizer = torch.optim.Adam(model.parameters(), lr=recipe.lr)
        trained = Trained(model, recipe, [_measured(model, split, measure)])
        for epoch in range(recipe.epochs):
            tell(
                f"{split.name} {recipe.redundancy:g}x, {recipe.method}: epoch {epoch + 1} of {recipe.epochs}"
            )
            for batch in torch.randperm(len(split.x)).split(recipe.batch):
                optimizer.zero_grad()
                keeper.loss(split.x[batch], split.y[batch]).backward()
                optimizer.step()
                keeper.after_step()
            trained.history.append(_measured(model, split, measure))
        keeper.at_end(split.x)
        trained.history[-1] = _measured(model, split, measure)
    model.eval()
    return trained


def network(split: Split, recipe: Recipe) -> nn.Sequential:
    """Return the untrained network: ``m`` units, perhaps a second hidden layer, one output a class."""
    m = round(recipe.redundancy * split.n)
    parts: list[tuple[str, nn.Module]] = [("fc1", nn.Linear(split.n, m)), ("relu1", nn.ReLU())]
    if recipe.hidden:
        parts += [("fc2", nn.Linear(m, recipe.hidden)), ("relu2", nn.ReLU())]
    parts.append(("out", nn.Linear(recipe.hidden or m, split.classes)))
    return nn.Sequential(OrderedDict(parts))


def _measured(model: nn.Sequential, split: Split, measure: Measure | None) -> dict[str, float]:
    return {"accuracy": accuracy(model, split.x_test, split.y_test), **(measure(model) if measure else {})}


class _Keeper:
    """The loss of a training step, and what follows the step."""

    def __init__(self, model: nn.Sequential, split: Split, recipe: Recipe) -> None:
        self.model, self.recipe = model, recipe
        self.bias: BiasRegularizer | None = None
        self.margin: MarginPenalty | None = None
        if recipe.method in {Method.PENALTY, Method.PROJECTION}:
            steps = -(-len(split.x) // recipe.batch)
            self.bias = BiasRegularizer(
                model.fc1,
                split.x,
                every=max(1, steps // recipe.estimates),
                noise_std=recipe.noise_std,
                n_samples=recipe.n_samples,
                seed=recipe.seed,
                assume_general_position=True,  # the paper counts rows
            )
        elif recipe.method is Method.MARGIN:
            self.margin = MarginPenalty(model, split.x[:1], ["fc1"], **dict(recipe.margin))

    def loss(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Cross entropy and, for a penalty, its value."""
        if self.margin is not None:
            with self.margin.watch():
                logits = self.model(x)
            return nn.functional.cross_entropy(logits, y) + self.margin.value()
        loss = nn.functional.cross_entropy(self.model(x), y)
        if self.bias is not None and self.recipe.method is Method.PENALTY:
            loss = loss + self.recipe.weight * self.bias.penalty()
        return loss

    def after_step(self) -> None:
        """Put the bias back where that is the method."""
        if self.bias is not None and self.recipe.method is Method.PROJECTION:
            self.bias.project_()

    def at_end(self, x: torch.Tensor) -> None:
        """Project once more, to the maximal bias of the final weights on all training data."""
        if self.recipe.method is Method.PROJECTION:
            estimate = estimate_bias(ReLULayer.from_module(self.model.fc1), x, assume_general_position=True)
            project_bias_(self.model.fc1, estimate.alpha)
