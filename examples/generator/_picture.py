"""The picture that says it at a glance: truth, what is given, what each generator makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure

from reproductions._pictures import drawing, panels

_SIDE = 28


def picture(blocks: Mapping[str, Mapping[str, torch.Tensor]], shown: int) -> Figure:
    """Draw a block of rows for each task, a row each for truth, what is given and what came back.

    Args:
        blocks: For each task the images of each row, shape ``(N, 784)``.
        shown: How many digits.
    """
    with drawing():
        rows = [len(block) for block in blocks.values()]
        figure, axes = panels(len(blocks), 1, width=7.2, height=0.52 * sum(rows) + 0.5, height_ratios=rows)
        for panel, (task, block) in zip(axes[:, 0], blocks.items(), strict=True):
            panel.imshow(
                _mosaic(list(block.values()), shown), cmap="gray_r", vmin=0, vmax=1, interpolation="none"
            )
            panel.set_title(task, loc="left")
            panel.set_yticks([_SIDE * (k + 0.5) for k in range(len(block))], list(block))
            panel.set_xticks([])
            panel.tick_params(length=0)
            panel.grid(visible=False)
            panel.spines[:].set_visible(False)
    return figure


def _mosaic(rows: Sequence[torch.Tensor], shown: int) -> np.ndarray:
    images = torch.stack([row[:shown].reshape(-1, _SIDE, _SIDE) for row in rows])
    return images.permute(0, 2, 1, 3).reshape(len(rows) * _SIDE, -1).numpy()
