"""The record of a training run: when it measures, its table, its picture, and TensorBoard."""

import sys
import types

import pytest
import torch
from torch import nn

from unrelu.errors import ArgumentError, MissingExtraError, OutputError
from unrelu.nn import Invertibility, InvertibilityMonitor, LayerInvertibility, measure_invertibility
from unrelu.nn._pictures import figure_of


class Writer:
    """Takes what a SummaryWriter takes."""

    def __init__(self, folder=None):
        self.folder, self.scalars = folder, []

    def add_scalar(self, tag, value, step):
        self.scalars.append((tag, value, step))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 7), nn.ReLU(), nn.Linear(7, 16), nn.ReLU())


X = torch.linspace(-1, 1, 60).reshape(20, 3)


def test_steps_between_are_left_out(model):
    monitor = InvertibilityMonitor(model, X, every=10)
    assert monitor.step(0) == measure_invertibility(model, X, step=0)
    assert monitor.step(5) is None
    with torch.no_grad():
        model[0].bias -= 100
    monitor.step(20)
    assert [record.step for record in monitor.history] == [0, 20]
    assert monitor.history[1]["0"].singleton_share == 0


def test_training_is_the_same_with_a_monitor():
    def train(watch):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Dropout(), nn.Linear(7, 1))
        monitor = InvertibilityMonitor(model, X)
        optimizer = torch.optim.Adam(model.parameters())
        for step in range(3):
            optimizer.zero_grad()
            model(X).square().sum().backward()
            if watch:
                monitor.step(step)
            optimizer.step()
        return model.state_dict()

    one, other = train(watch=True), train(watch=False)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_table(model):
    monitor = InvertibilityMonitor(model, X)
    for step in (0, 1):
        monitor.step(step)
    frame = monitor.to_frame()
    assert list(frame["step"]) == [0, 0, 1, 1]
    assert list(frame["name"]) == ["0", "2", "0", "2"]
    assert frame["bias_share"][1] == monitor.history[0]["2"].bias_share
    assert not len(InvertibilityMonitor(model, X).to_frame())


def test_table_without_pandas(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"unrelu\[frame\]"):
        InvertibilityMonitor(model, X).to_frame()


def history(bias_share, certified=False):
    """Two records of two layers."""
    return [
        Invertibility(
            tuple(
                LayerInvertibility(name, 3, 7, 1200, (step + place) / 4, certified, bias_share)
                for place, name in enumerate(["0", "two $x$"])
            ),
            step,
        )
        for step in (0, 3)
    ]


@pytest.mark.parametrize("bias_share", [0.5, None])
@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_picture(model, tmp_path, kind, start, bias_share):
    monitor = InvertibilityMonitor(model, X)
    monitor.history += history(bias_share)
    path = monitor.plot(tmp_path / f"run.{kind}")
    content = path.read_bytes()
    assert content.startswith(start)
    with pytest.raises(OutputError, match="exists"):
        monitor.plot(path)
    monitor.plot(path, force=True)
    if kind == "svg":
        assert path.read_bytes() == content


def test_picture_says_what_it_shows():
    figure = figure_of(history(0.5, certified=True))
    left, right = figure.axes
    assert left.get_title() == "points with a singleton preimage"
    assert right.get_title() == "biases with α ≤ α*"
    assert {axes.get_xlabel() for axes in figure.axes} == {"step"}
    assert {axes.get_ylabel() for axes in figure.axes} == {"share in per cent"}
    assert [line.get_label() for line in left.lines] == ["layer 0", "layer two $x$"]
    assert [list(line.get_ydata()) for line in left.lines] == [[0, 75], [25, 100]]
    assert list(right.lines[0].get_xdata()) == [0, 3]
    assert figure.get_supxlabel() == (
        "1,200 points; singleton preimages proved by rank. α*: maximal bias of the points (MCBE)."
    )


def test_picture_of_nothing(model, tmp_path):
    monitor = InvertibilityMonitor(model, X)
    with pytest.raises(ArgumentError, match="nothing was recorded"):
        monitor.plot(tmp_path / "run.png")
    with pytest.raises(ArgumentError, match=r"path: expected a file that ends in .png, .svg or .pdf"):
        monitor.plot(tmp_path / "run.gif")


def test_writer(model):
    writer = Writer()
    InvertibilityMonitor(model, X, writer=writer).step(4)
    found = measure_invertibility(model, X)
    assert writer.scalars == [
        ("invertibility/0/singleton_share", found["0"].singleton_share, 4),
        ("invertibility/0/bias_share", found["0"].bias_share, 4),
        ("invertibility/2/singleton_share", found["2"].singleton_share, 4),
        ("invertibility/2/bias_share", found["2"].bias_share, 4),
    ]


def test_writer_in_a_folder(model, monkeypatch, tmp_path):
    module = types.ModuleType("torch.utils.tensorboard")
    made = []
    module.SummaryWriter = lambda folder: made.append(Writer(folder)) or made[0]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    InvertibilityMonitor(model, X, biases=False, writer=tmp_path).step(0)
    assert made[0].folder == tmp_path
    assert [tag for tag, *_ in made[0].scalars] == [
        "invertibility/0/singleton_share",
        "invertibility/2/singleton_share",
    ]


def test_writer_without_tensorboard(model, monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(MissingExtraError, match="pip install tensorboard"):
        InvertibilityMonitor(model, X, writer=tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"every": 0}, "every: .* got 0"), ({"model": "m.onnx"}, "model: expected an nn.Module, got str")],
)
def test_what_is_refused(model, options, message):
    with pytest.raises(ArgumentError, match=message):
        InvertibilityMonitor(**{"model": model, "data": X, **options})
