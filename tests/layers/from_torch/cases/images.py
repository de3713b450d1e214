"""Convolutions, and batch norms folded into them."""

from torch import nn

from tests.layers.from_torch.cases.case import IMAGE, SEQUENCE, VECTOR, Calls, Cases, statistics

CASES = Cases()


@CASES.add("batch norm", IMAGE, "0 3")
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


@CASES.add("batch norm of vectors", VECTOR, "0")
def _():
    return statistics(
        nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.BatchNorm1d(4), nn.Dropout(0.3))
    )


@CASES.add("batch norm without affine", SEQUENCE, "1")
def _():
    return nn.Sequential(nn.BatchNorm1d(3, affine=False), nn.Conv1d(3, 4, 3), nn.ReLU())


@CASES.add("conv1d", SEQUENCE, "0")
def _():
    return nn.Sequential(nn.Conv1d(3, 4, 3, stride=2, padding=1, dilation=2), nn.ReLU(), nn.Flatten())


@CASES.add("conv2d", IMAGE, "0 2")
def _():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=(2, 1), padding=(0, 1), groups=2),
        nn.ReLU(),
        nn.Conv2d(4, 3, (1, 2), padding="valid"),
        nn.ReLU(),
    )


@CASES.add("conv2d same and circular", IMAGE, "0 2 4", "slice_10")
def _():
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding="same"),
        nn.ReLU(),
        nn.Conv2d(3, 2, 3, padding=1, padding_mode="circular"),
        nn.ReLU(),
        nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"),
        nn.ReLU(),
    )


@CASES.add("conv3d", (1, 4, 5, 3), "0")
def _():
    return nn.Sequential(nn.Conv3d(1, 2, 2, stride=(1, 2, 1)), nn.ReLU(), nn.AvgPool3d(2))


@CASES.add("squeezed convolution", (1, 6, 5), "conv")
def _():
    return Calls(lambda m, x: m.conv(x.squeeze(0).unsqueeze(0)).relu(), conv=nn.Conv2d(1, 2, 3))


@CASES.add("transposed convolution", IMAGE, "0 2")
def _():
    return nn.Sequential(
        nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(3, 4, 2, stride=2, dilation=2, bias=False),
        nn.ReLU(),
    )


@CASES.add("transposed convolution 1d, groups", SEQUENCE, "0")
def _():
    return nn.Sequential(nn.ConvTranspose1d(3, 6, 3, stride=3, groups=3), nn.ReLU())
