"""Entries that only move: slices, padding, writing in place, interpolation."""

import torch
from torch import nn
from torch.nn import functional

from tests.layers.from_torch.cases.case import IMAGE, Calls, Cases

CASES = Cases()


@CASES.add("movement", IMAGE, "conv fc")
def _():
    def function(m, x):
        h = m.conv(x).relu().permute(0, 2, 3, 1)[:, 1:, ::2]
        a, b = h.chunk(2, dim=-1)
        _, d, e = b.split([1, 2, 4], dim=1)
        h = torch.cat([a.flatten(1), d.reshape(len(d), -1), e.flip(2).flatten(1)], 1)
        h = torch.stack([h, h.roll(1, 1)], dim=2).transpose(1, 2).flatten(1)
        h = functional.pad(h, (1, 2), value=0.5)
        return m.fc(torch.index_select(h, 1, torch.tensor([0, 5, 5, 8]))).relu()

    return Calls(function, conv=nn.Conv2d(2, 4, 1), fc=nn.Linear(4, 3))


@CASES.add("unbind, gather and index", IMAGE, "conv relu_1")
def _():
    def function(m, x):
        a, b = m.conv(x).relu().unbind(1)
        c = a[:, [0, 3, 3]] + a[..., 1:4, 2:5].repeat(1, 1, 2)[:, :, :6]
        return functional.relu(c - b[:, m.index].narrow(1, 0, 3))

    return Calls(function, conv=nn.Conv2d(2, 2, 1), index=torch.tensor([1, 0, 7]))


@CASES.add("padding", IMAGE, "1 3 5")
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


@CASES.add("writing in place", IMAGE, "conv relu_1 relu_2", "select")
def _():
    def function(m, x):
        h = m.conv(x).relu()
        h[:, 0] = 0.5
        h[:, 1:, 2:4] = h[:, :-1, 4:6] * 2
        h[:, :, 0, 0] += 1
        h = functional.relu(h - 1)
        h[:, :, [1, 3], [0, 2]] = torch.tensor([3.0, 4.0])
        mask = torch.tensor([True, False, True, False, True, False])
        return functional.relu(torch.where(mask, h, 2 - h).masked_fill(mask.flip(0), 0.25))

    return Calls(function, conv=nn.Conv2d(2, 3, 1))


@CASES.add("channel shuffle and unfold", IMAGE, "0 3")
def _():
    return nn.Sequential(
        nn.Conv2d(2, 4, 1), nn.ReLU(), nn.ChannelShuffle(2), nn.Conv2d(4, 2, 1), nn.ReLU(), nn.Unfold(2)
    )


@CASES.add("interpolation", IMAGE, "0 3 6")
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


@CASES.add("upsampling", IMAGE, "0 3 6")
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


@CASES.add("bilinear upsampling", IMAGE, "0 3")
def _():
    return nn.Sequential(
        nn.Conv2d(2, 3, 1),
        nn.ReLU(),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Conv2d(3, 2, 1),
        nn.ReLU(),
    )
