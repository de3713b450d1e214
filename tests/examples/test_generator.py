"""The generator of digits: its parts do what they say, and a quick run writes what it should."""

import json

import pytest
import torch

from examples.generator import _inversion, _models, _run, _tasks
from reproductions._frozen import frozen
from unrelu.injectivity import Verdict


@pytest.fixture(params=_models.KINDS)
def kind(request):
    return request.param


@pytest.fixture
def model(kind):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return _models.generator(kind).double().requires_grad_(False)


@pytest.fixture
def codes():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(20, _models.CODE, generator=generator, dtype=torch.float64)


def test_both_kinds_have_the_same_sizes():
    shapes = [[tuple(layer.weight.shape) for layer in _models.generator(kind)[::2]] for kind in _models.KINDS]
    assert shapes[0] == shapes[1]
    assert all(m >= 2 * n for m, n in shapes[0])


def test_codes_come_back_from_injective_layers_alone(kind, model, codes):
    back = _models.layerwise(model, model(codes))
    lost = (back - codes).norm(dim=1) > 1e-6 * codes.norm(dim=1)
    assert bool(lost.any()) == (kind == "ordinary")


def test_search_finds_a_code_from_nearby(model, codes):
    found = _inversion.search(frozen(model), model(codes), codes[None] + 0.01, steps=20)
    images = frozen(model)(found.best)
    assert (images - model(codes)).norm(dim=1).max() < 1e-8


def test_costs_are_what_they_say(model, codes):
    seen = torch.arange(_models.PIXELS) % 3 == 0
    y = torch.rand(20, _models.PIXELS, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    found = _inversion.search(frozen(model), y, codes[None], seen, prior=0.3, steps=3)
    off = (model(found.codes[0]) - y)[:, seen].square().sum(dim=1)
    assert torch.allclose(found.costs[0], off + 0.09 * found.codes[0].square().sum(dim=1))
    start = (model(codes) - y)[:, seen].square().sum(dim=1) + 0.09 * codes.square().sum(dim=1)
    assert bool((found.costs[0] < start).all())


def test_best_start_is_taken():
    runs = torch.arange(24.0).reshape(3, 2, 4)
    found = _inversion.Search(runs, torch.tensor([[3.0, 1.0], [2.0, 5.0], [4.0, 2.0]]))
    assert torch.equal(found.best, torch.stack([runs[1, 0], runs[0, 1]]))


def test_damage():
    images = torch.ones(5, _models.PIXELS, dtype=torch.float64)
    whole, half, few, noise = _tasks.tasks(0)
    assert torch.equal(whole.damage(images, 0), images)
    assert half.damage(images, 0).reshape(5, 28, 28)[:, 14:].count_nonzero() == 0
    assert 40 < int(few.seen.sum()) < 120
    assert float((noise.damage(images, 0) - images).std()) == pytest.approx(0.5, rel=0.1)


def test_psnr():
    truth = torch.zeros(1, 4)
    assert float(_tasks.psnr(torch.full((1, 4), 0.1), truth)) == pytest.approx(20)
    assert float(_tasks.psnr(torch.full((1, 4), 3.0), truth)) == pytest.approx(0)


def test_quick_run(tmp_path, data_folder):
    told = []
    results = _run.run(tmp_path, quick=True, tell=told.append)
    assert told
    assert {path.name for path in tmp_path.iterdir()} == {"generator.png", "results.json"}
    assert json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["means"] == results
    assert results["injective"]["layer by layer: largest error"] < 1e-6
    assert results["injective"]["proved: injective"] == 1
    assert results["ordinary"]["proved: injective"] == 0


def test_verdict_names_the_kinds(kind, model):
    from examples.generator._measures import verdict

    decision = verdict(_models.Autoencoder(kind, model, _models.encoder()))
    assert decision.verdict == (Verdict.INJECTIVE if kind == "injective" else Verdict.NOT_INJECTIVE)
