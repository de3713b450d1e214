"""The archive that tests change."""

from pathlib import Path

import pytest
import torch

from tests.layers.from_pt2.archives import save, small


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return save(small(), torch.zeros(1, 3), tmp_path / "model.pt2")
