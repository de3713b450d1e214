"""``unrelu.nn.InjectiveLinear`` against ``nn.Linear`` in a classifier of MNIST digits, 784 -> 1568 -> 10.

The step times are those of a whole step of training: forward, backward and optimiser. Accuracies are those
of the same number of epochs with the same optimiser, batches and learning rates, for three seeds. Each test
digit is recovered from what the ReLU behind the trained layer leaves of it.
"""

from collections.abc import Callable
from statistics import mean

import torch
from torch import nn

import unrelu
from benchmarks._pair import Comparison, paired

INPUTS, HIDDEN, CLASSES = 784, 1568, 10
STEPS, ROUNDS = 20, 7
KINDS = (("Adam", 128), ("Adam", 512), ("SGD", 128))
BATCH = 128
EPOCHS, SEEDS, RATE = 5, (0, 1, 2), 1e-3
LAYERS: dict[str, Callable[[int, int], nn.Module]] = {
    "nn.Linear": nn.Linear,
    "unrelu.nn.InjectiveLinear": unrelu.nn.InjectiveLinear,
}


def classifier(name: str, seed: int) -> nn.Sequential:
    """Return a fresh network with that layer."""
    torch.manual_seed(seed)
    return nn.Sequential(LAYERS[name](INPUTS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES))


def steps(name: str, kind: str, batch: int) -> Callable[[], None]:
    """Return steps of training on one batch."""
    model = classifier(name, 0)
    optimizer = getattr(torch.optim, kind)(model.parameters(), lr=RATE)
    x, labels = torch.rand(batch, INPUTS), torch.randint(CLASSES, (batch,))

    def run() -> None:
        for _ in range(STEPS):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), labels).backward()
            optimizer.step()

    return run


def digits(part: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return flat images and labels."""
    data = unrelu.load(f"mnist:{part}")
    images = torch.as_tensor(data.inputs, dtype=torch.float32).reshape(-1, INPUTS)
    return images, torch.as_tensor(data.labels, dtype=torch.long)


def trained(name: str, seed: int) -> nn.Sequential:
    """Return a network trained with Adam, its learning rate falling linearly to 0."""
    model, (x, labels) = classifier(name, seed), digits("train")
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    batches = len(x) // BATCH
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, EPOCHS * batches)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(x)).split(BATCH)[:batches]:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[chosen]), labels[chosen]).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def measured(name: str, seed: int) -> tuple[float, float]:
    """Return the share of test digits classified rightly, and the largest error of a pixel given back.

    The error is NaN for a layer that does not say how it is inverted.
    """
    model, (x, labels) = trained(name, seed).requires_grad_(False), digits("test")
    accuracy = float((model(x).argmax(dim=1) == labels).float().mean())
    layer = model[0]
    if not isinstance(layer, unrelu.nn.InjectiveLinear):
        return accuracy, float("nan")
    return accuracy, float((layer.inverse(torch.relu(layer(x))) - x).abs().max())


def facts() -> dict[str, str]:
    """Return accuracies, and how well digits are given back."""
    results = {name: [measured(name, seed) for seed in SEEDS] for name in LAYERS}
    means = {name: mean(accuracy for accuracy, _ in found) for name, found in results.items()}
    plain, ours = LAYERS
    return {
        **{
            f"accuracy, {name} (%)": ", ".join(f"{100 * accuracy:.2f}" for accuracy, _ in found)
            for name, found in results.items()
        },
        "mean accuracy, difference (points)": f"{100 * (means[ours] - means[plain]):+.2f}",
        "largest error of a pixel of all test digits": f"{max(error for _, error in results[ours]):.1e}",
    }


def run() -> list[Comparison]:
    """Compare steps of training, accuracies and what is given back."""
    plain, ours = LAYERS
    comparisons = [
        paired(
            f"injective linear: a step of {kind}, batches of {batch}",
            (ours, STEPS, steps(ours, kind, batch)),
            (plain, STEPS, steps(plain, kind, batch)),
            rounds=ROUNDS,
        )
        for kind, batch in KINDS
    ]
    comparisons[0].facts.update(facts())
    return comparisons
