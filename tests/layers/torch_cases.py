"""Modules of every kind that `trace` reads, each with an example input and what is expected of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # the name that everyone uses
from torch.nn.utils import prune

VECTOR, IMAGE, SEQUENCE = (5,), (2, 8, 6), (3, 10)


@dataclass(frozen=True)
class Case:
    """A module and what its network must look like.

    Attributes:
        make: Builds the module.
        shape: Shape of one sample.
        layers: Names of the layers, in order.
        skipped: Operators among the nodes not analysed.
    """

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    layers: list[str]
    skipped: frozenset[str] = frozenset()


CASES: dict[str, Case] = {}


def case(name: str, shape: tuple[int, ...], layers: str, skipped: str = "") -> Callable:
    """Register a function that builds a module."""

    def register(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
        CASES[name] = Case(make, shape, layers.split(), frozenset(skipped.split()))
        return make

    return register


class Calls(nn.Module):
    """A module of named parts and a function that calls them."""

    def __init__(self, function: Callable[..., object], **parts: object) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            if isinstance(part, Tensor) and not isinstance(part, nn.Parameter):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)

    def forward(self, x: Tensor) -> object:
        return self.function(self, x)


def weight(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(*shape))


def statistics(module: nn.Module) -> nn.Module:
    """Give batch norms statistics that are not those of a fresh module."""
    for child in module.modules():
        if isinstance(child, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(child.running_mean)
            nn.init.uniform_(child.running_var, 0.5, 2)
            nn.init.normal_(child.weight)
            nn.init.normal_(child.bias)
    return module


@case("sequential", VECTOR, "0 2")
def _():
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))


@case("ends with relu", VECTOR, "0")
def _():
    return nn.Sequential(nn.Linear(5, 4), nn.ReLU())


@case("nested containers", VECTOR, "0.0 1.0.0")
def _():
    inner = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    return nn.Sequential(nn.Sequential(nn.Linear(5, 4), nn.ReLU()), nn.ModuleList([nn.Sequential(inner)])[0])


@case("functional", VECTOR, "fc1 fc2")
def _():
    return Calls(
        lambda m, x: m.fc3(F.relu(m.fc2(torch.relu(m.fc1(x))))),
        fc1=nn.Linear(5, 4),
        fc2=nn.Linear(4, 4),
        fc3=nn.Linear(4, 2),
    )


@case("functional weights", VECTOR, "a b.w")
def _():
    inner = Calls(lambda m, x: F.linear(x, m.w, m.bias).relu(), w=weight(3, 4), bias=weight(3))
    return Calls(lambda m, x: m.b(F.relu(F.linear(x, m.a))), a=weight(4, 5), b=inner)


@case("matrix products", VECTOR, "a c relu_2")
def _():
    def function(m, x):
        h = F.relu(x @ m.a + m.b)
        h = F.relu((m.c @ h.unsqueeze(-1)).squeeze(-1))
        return F.relu(h @ torch.eye(3)[:, :2])

    return Calls(function, a=weight(5, 4), b=weight(4), c=weight(3, 4))


@case("matrix times vector", VECTOR, "a")
def _():
    def function(m, x):
        return F.relu(torch.addmm(m.b, x, m.a, alpha=2.0, beta=0.5)) @ m.c

    return Calls(function, a=weight(5, 4), b=weight(4), c=weight(4))


@case("in place", VECTOR, "0 2")
def _():
    return nn.Sequential(nn.Linear(5, 4), nn.ReLU(inplace=True), nn.Linear(4, 3), nn.ReLU(inplace=True))


@case("in place functions", VECTOR, "fc relu_1", "select_1")
def _():
    def function(m, x):
        h = m.fc(x)
        F.relu_(h)
        h *= 2
        h += 1
        h[:, 0] = 0.5
        return h.sub_(3).relu_()

    return Calls(function, fc=nn.Linear(5, 4))


@case("reused relu", VECTOR, "a b")
def _():
    return Calls(lambda m, x: m.act(m.b(m.act(m.a(x)))), a=nn.Linear(5, 4), b=nn.Linear(4, 3), act=nn.ReLU())


@case("reused layer", VECTOR, "fc fc_2 fc_1")
def _():
    return Calls(
        lambda m, x: m.fc_1(m.fc(m.fc(x).relu()).relu()).relu(), fc=nn.Linear(5, 5), fc_1=nn.Linear(5, 2)
    )


@case("two layers of one weight", VECTOR, "fc fc_1", "cat")
def _():
    def function(m, x):
        h = m.fc(x)
        return torch.cat([h.relu(), (-h).relu()], dim=1)

    return Calls(function, fc=nn.Linear(5, 4))


@case("tied weights", VECTOR, "a b")
def _():
    a, b = nn.Linear(5, 5), nn.Linear(5, 5)
    b.weight = a.weight
    return nn.Sequential().append(Calls(lambda m, x: m.b(m.a(x).relu()).relu(), a=a, b=b))[0]


@case("weight norm", VECTOR, "0")
def _():
    normed = nn.utils.parametrizations.weight_norm(nn.Linear(5, 4))
    nn.init.uniform_(normed.parametrizations.weight.original0, 0.5, 3)
    return nn.Sequential(normed, nn.ReLU())


@case("batch norm", IMAGE, "0 3")
def _():
    return statistics(
        nn.Sequential(
            nn.Conv2d(2, 3, 3, bias=False),
            nn.BatchNorm2d(3),
            nn.ReLU(),
            nn.Conv2d(3, 2, 2),
            nn.BatchNorm2d(2),
            nn.ReLU(),
        )
    )


@case("batch norm of vectors", VECTOR, "0")
def _():
    return statistics(
        nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.BatchNorm1d(4), nn.Dropout(0.3))
    )


@case("batch norm without affine", SEQUENCE, "1")
def _():
    return nn.Sequential(nn.BatchNorm1d(3, affine=False), nn.Conv1d(3, 4, 3), nn.ReLU())


@case("conv1d", SEQUENCE, "0")
def _():
    return nn.Sequential(nn.Conv1d(3, 4, 3, stride=2, padding=1, dilation=2), nn.ReLU(), nn.Flatten())


@case("conv2d", IMAGE, "0 2")
def _():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=(2, 1), padding=(0, 1), groups=2),
        nn.ReLU(),
        nn.Conv2d(4, 3, (1, 2), padding="valid"),
        nn.ReLU(),
    )


@case("conv2d same and circular", IMAGE, "0 2 4", "slice_10")
def _():
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding="same"),
        nn.ReLU(),
        nn.Conv2d(3, 2, 3, padding=1, padding_mode="circular"),
        nn.ReLU(),
        nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"),
        nn.ReLU(),
    )


@case("conv3d", (1, 4, 5, 3), "0")
def _():
    return nn.Sequential(nn.Conv3d(1, 2, 2, stride=(1, 2, 1)), nn.ReLU(), nn.AvgPool3d(2))


@case("transposed convolution", IMAGE, "0 2")
def _():
    return nn.Sequential(
        nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(3, 4, 2, stride=2, dilation=2, bias=False),
        nn.ReLU(),
    )


@case("transposed convolution 1d, groups", SEQUENCE, "0")
def _():
    return nn.Sequential(nn.ConvTranspose1d(3, 6, 3, stride=3, groups=3), nn.ReLU())


@case("average pooling", IMAGE, "1 6")
def _():
    return nn.Sequential(
        nn.AvgPool2d(2, stride=1, padding=1),
        nn.Conv2d(2, 3, 3),
        nn.ReLU(),
        nn.AvgPool2d(3, stride=2, ceil_mode=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(3, 4),
        nn.ReLU(),
    )


@case("average pooling options", IMAGE, "relu")
def _():
    return nn.Sequential(
        nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False, ceil_mode=True),
        nn.AvgPool2d(2, divisor_override=3),
        nn.ReLU(),
    )


@case("adaptive pooling", IMAGE, "0 3")
def _():
    return nn.Sequential(
        nn.Conv2d(2, 4, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d((4, 3)),
        nn.Conv2d(4, 2, 1),
        nn.ReLU(),
    )


@case("adaptive pooling, uneven windows", IMAGE, "0 3")
def _():
    return nn.Sequential(
        nn.Conv2d(2, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d((3, 4)), nn.Conv2d(4, 2, 1), nn.ReLU()
    )


@case("pooling 1d", SEQUENCE, "0 3", "max_pool2d_with_indices")
def _():
    return nn.Sequential(
        nn.Conv1d(3, 4, 3),
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Conv1d(4, 2, 1),
        nn.ReLU(),
        nn.AvgPool1d(2),
        nn.AdaptiveAvgPool1d(1),
    )


@case("max pooling", IMAGE, "0 3", "max_pool2d_with_indices")
def _():
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(3, 2, 1),
        nn.ReLU(),
    )


@case("max pooling before relu", IMAGE, "3", "max_pool2d_with_indices convolution relu")
def _():
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(3, 2, 1), nn.ReLU())


@case("residual, one source", VECTOR, "a b")
def _():
    def function(m, x):
        h = m.a(x).relu()
        return F.relu(h + m.b(h))

    return Calls(function, a=nn.Linear(5, 6), b=nn.Linear(6, 6))


@case("residual, two sources", VECTOR, "a b d", "add relu_2 addmm_2 sigmoid")
def _():
    def function(m, x):
        h = m.a(x).relu()
        h = F.relu(h + m.c(m.b(h).relu()))
        return m.d(h).relu().sigmoid()

    return Calls(function, a=nn.Linear(5, 6), b=nn.Linear(6, 4), c=nn.Linear(4, 6), d=nn.Linear(6, 2))


@case("resnet block", IMAGE, "conv1 conv2 conv4", "add relu_2 convolution_2")
def _():
    def function(m, x):
        h = F.relu(m.bn1(m.conv1(x)))
        r = m.bn3(m.conv3(F.relu(m.bn2(m.conv2(h)))))
        h = F.relu(r + h)
        return F.relu(m.conv4(h))

    return statistics(
        Calls(
            function,
            conv1=nn.Conv2d(2, 3, 3, padding=1),
            conv2=nn.Conv2d(3, 4, 3, padding=1),
            conv3=nn.Conv2d(4, 3, 1),
            conv4=nn.Conv2d(3, 2, 1),
            bn1=nn.BatchNorm2d(3),
            bn2=nn.BatchNorm2d(4),
            bn3=nn.BatchNorm2d(3),
        )
    )


@case("pre-activation resnet", IMAGE, "stem relu_1 conv1", "add relu_3 convolution_2 add_1")
def _():
    def function(m, x):
        h = m.stem(x).relu()
        h = h + m.conv2(F.relu(m.conv1(F.relu(m.bn1(h)))))
        return h + F.relu(m.bn2(h))

    return statistics(
        Calls(
            function,
            stem=nn.Conv2d(2, 3, 1),
            conv1=nn.Conv2d(3, 3, 3, padding=1),
            conv2=nn.Conv2d(3, 3, 1),
            bn1=nn.BatchNorm2d(3),
            bn2=nn.BatchNorm2d(3),
        )
    )


@case("densenet", IMAGE, "a b c", "cat cat_1")
def _():
    def function(m, x):
        h = torch.cat([x, m.a(x).relu()], 1)
        h = torch.cat([h, m.b(h).relu()], 1)
        return m.c(h).relu()

    return Calls(function, a=nn.Conv2d(2, 3, 3, padding=1), b=nn.Conv2d(5, 2, 1), c=nn.Conv2d(7, 2, 1))


@case("concatenation, one source", VECTOR, "a b")
def _():
    def function(m, x):
        h = m.a(x).relu()
        return m.b(torch.cat([h, torch.ones(1, 1).expand(len(h), 1), -h[:, :2]], 1)).relu()

    return Calls(function, a=nn.Linear(5, 4), b=nn.Linear(7, 3))


@case("movement", IMAGE, "conv fc")
def _():
    def function(m, x):
        h = m.conv(x).relu().permute(0, 2, 3, 1)[:, 1:, ::2]
        a, b = h.chunk(2, dim=-1)
        _, d, e = b.split([1, 2, 4], dim=1)
        h = torch.cat([a.flatten(1), d.reshape(len(d), -1), e.flip(2).flatten(1)], 1)
        h = torch.stack([h, h.roll(1, 1)], dim=2).transpose(1, 2).flatten(1)
        h = F.pad(h, (1, 2), value=0.5)
        return m.fc(torch.index_select(h, 1, torch.tensor([0, 5, 5, 8]))).relu()

    return Calls(function, conv=nn.Conv2d(2, 4, 1), fc=nn.Linear(4, 3))


@case("unbind, gather and index", IMAGE, "conv relu_1")
def _():
    def function(m, x):
        a, b = m.conv(x).relu().unbind(1)
        c = a[:, [0, 3, 3]] + a[..., 1:4, 2:5].repeat(1, 1, 2)[:, :, :6]
        return F.relu(c - b[:, m.index].narrow(1, 0, 3))

    return Calls(function, conv=nn.Conv2d(2, 2, 1), index=torch.tensor([1, 0, 7]))


@case("padding", IMAGE, "1 3 5")
def _():
    return nn.Sequential(
        nn.ZeroPad2d((1, 0, 2, 1)),
        nn.Conv2d(2, 3, 3),
        nn.Sequential(nn.ReLU(), nn.ReflectionPad2d(2)),
        nn.Conv2d(3, 2, 3),
        nn.Sequential(nn.ReLU(), nn.ReplicationPad2d((1, 2, 0, 1)), nn.ConstantPad2d(1, 0.3)),
        nn.Conv2d(2, 2, 3),
        nn.ReLU(),
    )


@case("writing in place", IMAGE, "conv relu_1 relu_2", "select")
def _():
    def function(m, x):
        h = m.conv(x).relu()
        h[:, 0] = 0.5
        h[:, 1:, 2:4] = h[:, :-1, 4:6] * 2
        h[:, :, 0, 0] += 1
        h = F.relu(h - 1)
        h[:, :, [1, 3], [0, 2]] = torch.tensor([3.0, 4.0])
        mask = torch.tensor([True, False, True, False, True, False])
        return F.relu(torch.where(mask, h, 2 - h).masked_fill(mask.flip(0), 0.25))

    return Calls(function, conv=nn.Conv2d(2, 3, 1))


@case("channel shuffle and unfold", IMAGE, "0 3")
def _():
    return nn.Sequential(
        nn.Conv2d(2, 4, 1), nn.ReLU(), nn.ChannelShuffle(2), nn.Conv2d(4, 2, 1), nn.ReLU(), nn.Unfold(2)
    )


@case("interpolation", IMAGE, "0 3 6")
def _():
    return nn.Sequential(
        nn.Conv2d(2, 3, 1),
        nn.ReLU(),
        nn.Upsample(scale_factor=1.6, mode="bilinear"),
        nn.Conv2d(3, 2, 1),
        nn.ReLU(),
        nn.Upsample(size=(5, 7), mode="bicubic", align_corners=True),
        nn.Conv2d(2, 2, 1),
        nn.Sequential(nn.ReLU(), nn.Upsample(size=3, mode="nearest-exact")),
    )


@case("upsampling", IMAGE, "0 3 6")
def _():
    return nn.Sequential(
        nn.Conv2d(2, 4, 1),
        nn.ReLU(),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(4, 4, 3),
        nn.ReLU(),
        nn.PixelShuffle(2),
        nn.Conv2d(1, 2, 2, stride=2),
        nn.ReLU(),
        nn.PixelUnshuffle(2),
    )


@case("layer norm", VECTOR, "0 3", "native_layer_norm")
def _():
    return nn.Sequential(
        nn.Linear(5, 6), nn.ReLU(), nn.LayerNorm(6), nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2)
    )


@case("layer norm before relu", VECTOR, "3", "native_layer_norm addmm relu")
def _():
    return nn.Sequential(nn.Linear(5, 6), nn.LayerNorm(6), nn.ReLU(), nn.Linear(6, 4), nn.ReLU())


@case("group norm", IMAGE, "0 3", "native_group_norm")
def _():
    return nn.Sequential(nn.Conv2d(2, 4, 1), nn.ReLU(), nn.GroupNorm(2, 4), nn.Conv2d(4, 2, 1), nn.ReLU())


@case("softmax head", VECTOR, "0", "addmm_1 _softmax")
def _():
    return nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3), nn.Softmax(dim=1))


@case("log-softmax head", VECTOR, "0", "addmm_1 _log_softmax")
def _():
    return nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3), nn.LogSoftmax(dim=1))


@case("other activations", VECTOR, "0 9", "addmm_1 addmm_2 addmm_3 hardtanh leaky_relu gelu tanh")
def _():
    return nn.Sequential(
        nn.Linear(5, 4),
        nn.ReLU(),
        nn.Linear(4, 4),
        nn.ReLU6(),
        nn.Linear(4, 4),
        nn.LeakyReLU(0.1),
        nn.Linear(4, 4),
        nn.GELU(),
        nn.Tanh(),
        nn.Linear(4, 3),
        nn.ReLU(),
    )


@case("clamp", VECTOR, "a b c")
def _():
    def function(m, x):
        h = m.a(x).clamp(min=0)
        h = torch.clamp_min(m.b(h), 0.0)
        return m.c(h).clamp(0, float("inf"))

    return Calls(function, a=nn.Linear(5, 4), b=nn.Linear(4, 4), c=nn.Linear(4, 4))


@case("maximum", VECTOR, "a b c")
def _():
    def function(m, x):
        h = torch.maximum(m.a(x), torch.zeros(()))
        h = torch.maximum(torch.zeros_like(h), m.b(h))
        return torch.maximum(m.c(h), m.zero)

    return Calls(function, a=nn.Linear(5, 4), b=nn.Linear(4, 4), c=nn.Linear(4, 1), zero=torch.zeros(3))


@case("maximum that is no relu", VECTOR, "a", "maximum maximum_1 addmm_1")
def _():
    def function(m, x):
        h = m.a(x).relu()
        return torch.maximum(torch.maximum(m.b(h), h), torch.ones(()))

    return Calls(function, a=nn.Linear(5, 4), b=nn.Linear(4, 4))


@case("tokens", (4, 5), "0 2")
def _():
    return nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3), nn.ReLU())


@case("one token", (1, 5), "0")
def _():
    return nn.Sequential(nn.Linear(5, 6), nn.ReLU())


@case("tokens on a grid", (2, 3, 5), "0")
def _():
    return nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 2, bias=False))


@case("mixer", (4, 6), "channels tokens", "add mean")
def _():
    def function(m, x):
        h = m.channels(x).relu()
        return m.tokens(h.transpose(1, 2)).relu() + x.mean()

    return Calls(function, channels=nn.Linear(6, 5), tokens=nn.Linear(4, 3))


@case("attention", (4, 6), "linear1", "bmm _softmax native_layer_norm")
def _():
    return nn.TransformerEncoderLayer(6, 2, dim_feedforward=8, batch_first=True)


@case("buffers and constants", VECTOR, "fc relu_1")
def _():
    def function(m, x):
        h = F.relu(m.fc((x - m.mean) / m.std) * m.mask + torch.tensor([1.0, 2.0, 3.0, 4.0]))
        return F.relu(h - m.temporary)

    module = Calls(
        function,
        fc=nn.Linear(5, 4),
        mean=torch.randn(5),
        std=torch.rand(5) + 0.5,
        mask=torch.tensor([1.0, 0.0, 1.0, -1.0]),
    )
    module.register_buffer("temporary", torch.ones(4), persistent=False)
    return module


@case("scalars", VECTOR, "fc relu_1 relu_2")
def _():
    def function(m, x):
        h = F.relu(2 * m.fc(x) / 3 - 1)
        h = F.relu(1 - h)
        return F.relu(torch.sub(-h, h, alpha=2) + torch.add(h, 1, alpha=3).neg()) * 0.5 + 2

    return Calls(function, fc=nn.Linear(5, 4))


@case("sums and means", IMAGE, "conv fc")
def _():
    def function(m, x):
        h = m.conv(x).relu()
        h = torch.cat(
            [h.mean((2, 3)), h.sum(dim=3).mean(-1), h.mean(dim=(1, 2)), h.sum((1, 2, 3))[:, None]], 1
        )
        return m.fc(h).relu()

    return Calls(function, conv=nn.Conv2d(2, 3, 1), fc=nn.Linear(13, 4))


@case("products of activations", VECTOR, "a b", "mul sigmoid addmm_1 addmm_3 div add")
def _():
    def function(m, x):
        h = m.a(x).relu()
        h = m.b(h * m.gate(h).sigmoid()).relu()
        return m.gate(h) / (h + 1)

    return Calls(function, a=nn.Linear(5, 4), b=nn.Linear(4, 4), gate=nn.Linear(4, 4))


@case("einsum", VECTOR, "a")
def _():
    return Calls(lambda m, x: F.relu(torch.einsum("bi,oi->bo", x, m.a)), a=weight(4, 5))


@case("casts", VECTOR, "0", "_assert_tensor_metadata")
def _():
    return nn.Sequential(nn.Linear(5, 4), Calls(lambda m, x: x.double().relu().float()), nn.Linear(4, 2))


@case("dead ends", VECTOR, "a", "parameter")
def _():
    def function(m, x):
        m.unused(x)
        return m.a(x).relu()

    return Calls(function, a=nn.Linear(5, 4), unused=nn.Linear(5, 2))


@case("where", VECTOR, "a", "where gt addmm_1")
def _():
    def function(m, x):
        h = m.b(m.a(x).relu())
        return torch.where(h > 0, h, torch.zeros_like(h))

    return Calls(function, a=nn.Linear(5, 4), b=nn.Linear(4, 3))


@case("unet", IMAGE, "down bottom up", "cat")
def _():
    def function(m, x):
        d = m.down(x).relu()
        u = F.interpolate(m.bottom(F.avg_pool2d(d, 2)).relu(), scale_factor=2)
        return m.head(m.up(torch.cat([d, u], 1)).relu())

    return Calls(
        function,
        down=nn.Conv2d(2, 3, 3, padding=1),
        bottom=nn.Conv2d(3, 3, 3, padding=1),
        up=nn.Conv2d(6, 3, 3, padding=1),
        head=nn.Conv2d(3, 1, 1),
    )


@case("bilinear upsampling", IMAGE, "0 3")
def _():
    return nn.Sequential(
        nn.Conv2d(2, 3, 1),
        nn.ReLU(),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Conv2d(3, 2, 1),
        nn.ReLU(),
    )


@case("whole input at once", (2, 3, 4), "fc")
def _():
    return Calls(lambda m, x: m.fc(x.flatten(1)).relu().reshape(-1, 2, 2), fc=nn.Linear(24, 4))


@case("squeezed convolution", (1, 6, 5), "conv")
def _():
    return Calls(lambda m, x: m.conv(x.squeeze(0).unsqueeze(0)).relu(), conv=nn.Conv2d(1, 2, 3))


@case("weights in one tensor", VECTOR, "w")
def _():
    def function(m, x):
        a, b = m.w.chunk(2)
        return F.relu(F.linear(x, a) + F.linear(x, b))

    return Calls(function, w=weight(8, 5))


@case("threshold", VECTOR, "0", "threshold_1 addmm_1")
def _():
    return nn.Sequential(nn.Linear(5, 4), nn.Threshold(0, 0), nn.Linear(4, 3), nn.Threshold(0.1, 0))


@case("infinite mask", VECTOR, "a", "addmm_1 add _softmax")
def _():
    def function(m, x):
        return torch.softmax(m.b(m.a(x).relu()) + m.mask, dim=1)

    mask = torch.tensor([0.0, -torch.inf, 0.0])
    return Calls(function, a=nn.Linear(5, 4), b=nn.Linear(4, 3), mask=mask)


@case("pruned", VECTOR, "0")
def _():
    module = nn.Sequential(nn.Linear(5, 4), nn.ReLU())
    prune.l1_unstructured(module[0], "weight", 0.5)
    return module


@case("block without gradients", VECTOR, "a b")
def _():
    def function(m, x):
        with torch.no_grad():
            h = m.a(x).relu()
        return m.b(h).relu()

    return Calls(function, a=nn.Linear(5, 4), b=nn.Linear(4, 3))


@case("graph module", VECTOR, "0 2")
def _():
    return torch.fx.symbolic_trace(
        nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3), nn.ReLU(inplace=True))
    )
