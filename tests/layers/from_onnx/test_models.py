"""Real models and exported ones against onnxruntime."""

import warnings
from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

from tests.layers.from_onnx.checks import check, check_accounts, dependent
from unrelu.layers import trace

REAL = (
    "ACASXU_run2a_1_1_batch_2000",
    "Convnet_avgpool",
    "cifar10_small",
    "mnist-net_256x2",
    "resnet_2b",
)


@pytest.mark.parametrize("name", REAL)
def test_real_model(name: str, data_folder: Path):
    path = data_folder / "onnx" / f"{name}.onnx"
    network = check(path)
    assert network.origin == path.name
    assert len(network) >= 1


@pytest.mark.parametrize("name", REAL)
def test_real_models_are_accounted_for(name: str, data_folder: Path):
    path = data_folder / "onnx" / f"{name}.onnx"
    network = trace(path)
    check_accounts(network, path)
    # None of them makes constants by nodes.
    assert len(dependent(path)) == len(onnx.load(path).graph.node)
    assert all(entry.reason for entry in network.skipped)


def exported(model: nn.Module, x: torch.Tensor, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (x,), path, dynamo=True, external_data=False, verbose=False)
    return path


class SmallCNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1, stride=2)
        self.norm = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 6, 3, groups=2, bias=False)
        self.pool = nn.AvgPool2d(2, ceil_mode=True)
        self.drop = nn.Dropout()
        self.fc1 = nn.Linear(54, 20)
        self.fc2 = nn.Linear(20, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        x = self.drop(torch.relu(self.fc1(x.reshape(x.shape[0], -1))))
        return torch.softmax(self.fc2(x), dim=1)


def test_exported_cnn(tmp_path: Path):
    torch.manual_seed(0)
    model = SmallCNN().eval()
    model.norm.running_mean += 0.5
    path = exported(model, torch.zeros(1, 1, 14, 14), tmp_path / "cnn.onnx")
    network = check(path)
    assert list(network) == ["conv1", "conv2", "fc1"]
    assert [entry.operator for entry in network.skipped] == ["Gemm", "Softmax"]
    x = torch.randn(4, 1, 14, 14)
    difference = network.forward(x) - model(x)
    assert difference.abs().max() < 1e-5


def test_exported_sequence_model(tmp_path: Path):
    """Linear maps along the last axis, whose exported weights are transposed."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.LayerNorm(9), nn.Linear(9, 4), nn.ReLU()).eval()
    network = check(exported(model, torch.zeros(1, 5, 6), tmp_path / "sequence.onnx"))
    assert [layer.m for layer in network.values()] == [45, 20]
