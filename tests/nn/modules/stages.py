"""A network around every module, and what is proved of it at every stage of its life."""

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils import parametrize

import unrelu
from unrelu import Verdict, verify
from unrelu import nn as own
from unrelu.certificates import LinksCertificate, from_json, read_onnx, read_onnx_links
from unrelu.injectivity import NetworkDecision
from unrelu.layers import Network


@dataclass(frozen=True)
class Case:
    """A network.

    Attributes:
        make: Makes its modules, with the same random numbers every time.
        shape: Of one input.
        given: How many statistics the verdict takes as given.
        grade: Of the certificate.
    """

    make: Callable[[], list[nn.Module]]
    shape: tuple[int, ...]
    given: int = 0
    grade: str = "exact"

    def model(self) -> own.InjectiveSequential:
        """A fresh network."""
        torch.manual_seed(0)
        return own.InjectiveSequential(*self.make(), input_shape=self.shape)


def _dense(n: int, hidden: int, m: int | None = None, act: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n, hidden), act(), nn.Linear(hidden, m or n))


def _images(channels: int, hidden: int, out: int | None = None) -> nn.Sequential:
    first, second = nn.Conv2d(channels, hidden, 3, padding=1), nn.Conv2d(hidden, out or channels, 1)
    return nn.Sequential(first, nn.ReLU(), second)


def _between(module: nn.Module, width: int, *, n: int = 3, hidden: int = 8) -> list[nn.Module]:
    """A module between two injective layers; ``width`` is that of its output."""
    return [
        own.InjectiveLinear(n, hidden),
        nn.ReLU(),
        module,
        own.InjectiveLinear(width, 2 * width + 2),
        nn.ReLU(),
    ]


def _around(conv: Callable[..., nn.Module], pool: nn.Module, entries: int) -> list[nn.Module]:
    """A pooling between two injective convolutions."""
    first, second = conv(1, 3, 3, padding=1), conv(3 * entries, 6 * entries, 1)
    return [first, nn.ReLU(), pool, second, nn.ReLU()]


CASES: dict[str, Case] = {
    "linear": Case(lambda: _between(nn.Identity(), 8), (3,)),
    "parametrized": Case(lambda: [own.injective(nn.Linear(3, 8)), nn.ReLU()], (3,)),
    "batch norm": Case(lambda: _between(nn.BatchNorm1d(8), 8), (3,), grade="float"),
    "layer norm": Case(lambda: _between(own.InvertibleLayerNorm(8), 8), (3,), given=1),
    "group norm": Case(lambda: _between(nn.GroupNorm(2, 8), 8), (3,), given=1),
    "layer norm at the end": Case(lambda: _between(own.InvertibleLayerNorm(8), 8)[:3], (3,), given=1),
    "augmented layer norm": Case(lambda: _between(own.AugmentedLayerNorm(8), 10), (3,)),
    "augmented layer norm at the end": Case(lambda: _between(own.AugmentedLayerNorm(8), 10)[:3], (3,)),
    "projection": Case(lambda: _between(own.GenericProjection(8, 9, 3), 9), (3,)),
    "residual": Case(lambda: _between(own.ContractiveResidual(_dense(8, 20)), 8), (3,)),
    "residual with tanh": Case(
        lambda: _between(own.ContractiveResidual(_dense(8, 20, act=nn.Tanh)), 8), (3,)
    ),
    "residual with elu": Case(lambda: _between(own.ContractiveResidual(_dense(8, 20, act=nn.ELU)), 8), (3,)),
    "leaky ReLU": Case(lambda: [*_between(nn.Linear(8, 9), 9)[:3], nn.LeakyReLU(0.1), nn.Linear(9, 9)], (3,)),
    "tanh": Case(lambda: [*_between(nn.Linear(8, 9), 9)[:3], nn.Tanh()], (3,)),
    "residual alone": Case(lambda: [own.ContractiveResidual(_dense(5, 9), 0.99)], (5,)),
    "residuals": Case(
        lambda: [
            own.ContractiveResidual(_dense(5, 9)),
            own.ContractiveResidual(_dense(5, 7, act=nn.ReLU), 0.5),
        ],
        (5,),
    ),
    "concatenation": Case(lambda: _between(own.ConcatenatingSkip(_dense(8, 4, 3), 8), 11), (3,)),
    "concatenation of anything": Case(
        lambda: _between(own.ConcatenatingSkip(_dense(8, 4, 3, nn.GELU), 8), 11), (3,)
    ),
    "pair": Case(
        lambda: [own.PairedSkip(_dense(4, 5), 4), nn.ReLU(), own.InjectiveLinear(12, 30), nn.ReLU()], (4,)
    ),
    "pair with anything": Case(lambda: [own.PairedSkip(_dense(4, 5, 3, nn.GELU), 4), nn.ReLU()], (4,)),
    "one behind the other": Case(
        lambda: [
            own.PairedSkip(_dense(3, 4, 2, nn.GELU), 3),
            nn.ReLU(),
            own.ContractiveResidual(_dense(8, 9)),
            own.AugmentedLayerNorm(8),
            own.GenericProjection(10, 11, 3),
            own.InjectiveLinear(11, 24),
            nn.ReLU(),
            own.ConcatenatingSkip(_dense(24, 4, 3), 24),
        ],
        (3,),
    ),
    "parametrized images": Case(lambda: [own.injective(nn.Conv2d(2, 9, 3, padding=1)), nn.ReLU()], (2, 5, 4)),
    "lines": Case(lambda: [own.InjectiveConv1d(2, 9, 3, padding=1), nn.ReLU()], (2, 7)),
    "images": Case(lambda: [own.InjectiveConv2d(1, 9, 2, stride=2), nn.ReLU()], (1, 4, 4)),
    "volumes": Case(lambda: [own.InjectiveConv3d(1, 3, 3, padding=1), nn.ReLU()], (1, 3, 3, 3)),
    "average of lines": Case(lambda: _around(own.InjectiveConv1d, own.InjectiveAvgPool1d(3), 3), (1, 6)),
    "average of images": Case(
        lambda: _around(own.InjectiveConv2d, own.InjectiveAvgPool2d((2, 1)), 2), (1, 4, 4)
    ),
    "average of volumes": Case(
        lambda: _around(own.InjectiveConv3d, own.InjectiveAvgPool3d((1, 2, 1)), 2), (1, 2, 2, 3)
    ),
    "maximum of lines": Case(lambda: _around(own.InjectiveConv1d, own.InjectiveMaxPool1d(3), 3), (1, 6)),
    "maximum of images": Case(lambda: _around(own.InjectiveConv2d, own.InjectiveMaxPool2d(2), 4), (1, 4, 4)),
    "maximum of volumes": Case(
        lambda: _around(own.InjectiveConv3d, own.InjectiveMaxPool3d((1, 2, 1)), 2), (1, 2, 2, 3)
    ),
    "maximum at the end": Case(
        lambda: _around(own.InjectiveConv2d, own.InjectiveMaxPool2d(2), 4)[:3], (1, 4, 4)
    ),
    "residual of images": Case(
        lambda: [own.InjectiveConv2d(1, 4, 3, padding=1), nn.ReLU(), own.ContractiveResidual(_images(4, 6))],
        (1, 5, 4),
    ),
    "pair of images": Case(lambda: [own.PairedSkip(_images(2, 3), 2), nn.ReLU()], (2, 4, 3)),
    "concatenation of images": Case(
        lambda: [
            own.InjectiveConv2d(1, 4, 3, padding=1),
            nn.ReLU(),
            own.ConcatenatingSkip(_images(4, 3, 2), 4),
        ],
        (1, 4, 4),
    ),
    "one behind the other of images": Case(
        lambda: [
            own.PairedSkip(_images(1, 3), 1),
            nn.ReLU(),
            own.InjectiveMaxPool2d(2),
            own.ContractiveResidual(_images(12, 5)),
            own.InjectiveConv2d(12, 24, 1),
            nn.ReLU(),
            own.InjectiveAvgPool2d(2),
        ],
        (1, 4, 4),
    ),
}


def trained(model: nn.Module, shape: tuple[int, ...], steps: int = 5) -> nn.Module:
    """The model after some steps towards random numbers, all of whose weights moved."""
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    x = torch.randn(32, *shape)
    target = torch.randn(32, *model(x).shape[1:])
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for _ in range(steps):
        optimizer.zero_grad()
        (model(x) - target).square().mean().backward()
        optimizer.step()
    assert all(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True) if a.numel())
    return model.eval()


def exported(model: nn.Module, shape: tuple[int, ...], path: Path) -> Path:
    """The model as an ONNX file, without parametrizations, which some files cannot hold."""
    plain = copy.deepcopy(model).eval()
    for part in plain.modules():
        for name in list(getattr(part, "parametrizations", ())):
            parametrize.remove_parametrizations(part, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own
        example = (torch.randn(1, *shape),)
        torch.onnx.export(plain, example, path, dynamo=True, external_data=False, verbose=False)
    return path


def check_training(case: Case, path: Path) -> None:
    """The network is proved injective fresh, trained, and saved and loaded."""
    model, example = case.model().eval(), torch.zeros(1, *case.shape)
    proved(unrelu.trace(model, example), case)
    trained(model, case.shape)
    assert proved(unrelu.trace(model, example), case).grade == case.grade
    torch.save(model.state_dict(), path)
    other = case.model().eval()
    other.load_state_dict(torch.load(path, weights_only=True))
    proved(unrelu.trace(other, example), case)


def check_export(case: Case, path: Path) -> None:
    """The network is proved injective, trained, exported and read again, by the verifier's own reader too."""
    model = trained(case.model(), case.shape)
    decision = proved(unrelu.trace(exported(model, case.shape, path)), case)
    assert decision.grade == case.grade
    proof = decision.certificate
    links = isinstance(proof, LinksCertificate)
    found = verify(proof, read_onnx_links(path, proof) if links else read_onnx(path))
    assert found.valid and found.grade == case.grade, found.reason


def proved(net: Network, case: Case) -> NetworkDecision:
    """The decision, once it has been found injective with a certificate that survives JSON."""
    decision = unrelu.decide(net, time_limit=20)
    assert decision.verdict == Verdict.INJECTIVE, decision.reason
    assert len(decision.given) == case.given
    proof = decision.certificate
    found = verify(proof, net)
    assert found.valid, found.reason
    assert found.grade == decision.grade
    for rows in (True, False):
        assert verify(from_json(proof.to_json(rows=rows)), net).valid
    assert verify(from_json(proof.to_json())).valid
    return decision
