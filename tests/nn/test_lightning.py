"""The Lightning callback, in a real trainer."""

import importlib
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from unrelu.errors import MissingExtraError
from unrelu.nn import measure_invertibility

X = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(32) % 3

# Lightning's own use of what torch deprecates, and its advice on workers and folders.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
]


@pytest.fixture(scope="module")
def lightning():
    return pytest.importorskip("lightning")


@pytest.fixture(scope="module")
def callback(lightning):
    return importlib.import_module("unrelu.nn.lightning").InvertibilityCallback


@pytest.fixture
def module(lightning):
    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(4, 12), nn.ReLU(), nn.Dropout(), nn.Linear(12, 3))

        def forward(self, x):
            return self.net(x)

        def training_step(self, batch, index):
            return nn.functional.cross_entropy(self(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.5)

    torch.manual_seed(0)
    return Module()


@pytest.fixture
def fit(lightning, module, tmp_path):
    def run(*callbacks, epochs=2, checkpoint=None):
        trainer = lightning.Trainer(
            max_epochs=epochs,
            callbacks=list(callbacks),
            accelerator="cpu",
            logger=False,
            default_root_dir=tmp_path,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        torch.manual_seed(0)
        trainer.fit(module, DataLoader(TensorDataset(X, Y), batch_size=8), ckpt_path=checkpoint)
        return trainer

    return run


def test_it_measures_before_training_and_after_epochs(fit, callback, module):
    before = measure_invertibility(module.net, X, step=0)
    watcher = callback(X, model=lambda module: module.net)
    assert watcher.history == []
    trainer = fit(watcher)
    assert [record.step for record in watcher.history] == [0, 1, 2]
    assert watcher.history[0] == before
    assert watcher.history[2] == measure_invertibility(module.net, X, step=2)
    share = trainer.callback_metrics["invertibility/0/singleton_share"]
    assert float(share) == pytest.approx(watcher.history[2]["0"].singleton_share)
    assert len(watcher.monitor.to_frame()) == 3


def test_by_default_it_measures_the_module_itself(fit, callback):
    watcher = callback(X, biases=False, every=2)
    fit(watcher)
    assert [list(record) for record in watcher.history] == [["net.0"]] * 2
    assert [record.step for record in watcher.history] == [0, 2]


def test_training_is_the_same_with_it(fit, callback, module):
    state = {name: value.clone() for name, value in module.state_dict().items()}
    fit(callback(X, biases=False), epochs=1)
    with_it = {name: value.clone() for name, value in module.state_dict().items()}
    module.load_state_dict(state)
    fit(epochs=1)
    assert all(torch.equal(value, with_it[name]) for name, value in module.state_dict().items())


def test_a_resumed_run_goes_on(fit, callback, tmp_path):
    first = callback(X, biases=False)
    fit(first, epochs=1).save_checkpoint(tmp_path / "run.ckpt")
    second = callback(X, biases=False)
    fit(second, epochs=2, checkpoint=tmp_path / "run.ckpt")
    assert [record.step for record in second.history] == [0, 1, 2]
    assert second.history[:2] == first.history


def test_the_package_does_without_it():
    program = "import sys, unrelu.nn; print(*{'lightning', 'matplotlib', 'pandas'} & set(sys.modules))"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert not done.stdout.strip()


def test_without_lightning(monkeypatch):
    monkeypatch.delitem(sys.modules, "unrelu.nn.lightning", raising=False)
    monkeypatch.setitem(sys.modules, "lightning.pytorch.callbacks", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'unrelu\[lightning\]'"):
        importlib.import_module("unrelu.nn.lightning")
