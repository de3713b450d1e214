"""Preimages through several layers against all sign patterns in rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import unrelu
from tests.preimage.pieces.nets import SPOILED, network, random_layers
from tests.recipes import RECIPES
from tests.reference import pieces as reference
from unrelu import Box, Orthant, Polytope, ReLULayer, network_preimage
from unrelu.preimage import Evidence, Kind, OutputError

DOMAINS = [
    None,
    Box(-1, 1),
    Orthant(),
    Polytope(np.array([[1.0, 1.0], [-1.0, 0.0]]), np.array([1.0, 1.0])),
    Polytope(np.array([[1.0, 1.0], [-1.0, -1.0]]), np.array([0.0, 0.0])),  # a line
]


def make(rng: np.random.Generator, kind: str):
    """A network with its layers, and a point."""
    widths = [2, int(rng.integers(1, 5)), int(rng.integers(1, 4)), int(rng.integers(1, 3))]
    layers = random_layers(rng, kind, widths[: int(rng.integers(3, 5))])
    x = rng.standard_normal(2) / 2 if kind == "gaussian" else rng.integers(-1, 2, 2).astype(float)
    return layers, bool(rng.integers(2)), x


def signs_of(result) -> dict:
    """What the naive twin returns."""
    return {
        tuple(np.concatenate(piece.pattern).tolist()): (piece.dimension, not piece.bounded)
        for piece in result.pieces
    }


def check_union(result) -> None:
    """What is said of the union follows from its pieces."""
    assert result.complete and result.evidence == Evidence.EXACT
    assert result.dimension == max(piece.dimension for piece in result.pieces)
    unbounded = any(not piece.bounded for piece in result.pieces)
    single = len(result.pieces) == 1 and result.dimension == 0
    assert result.kind == (Kind.UNBOUNDED if unbounded else Kind.SINGLETON if single else Kind.BOUNDED)


def check_pieces(layers, final_relu, y, result, rng) -> None:
    """Points of a piece have the output exactly, its rows hold there, and the inner ones strictly inside."""
    for piece in result.pieces:
        inside = np.array(piece.exact_point, dtype=object)
        assert piece.exact.contains(list(piece.exact_point))
        assert all(v < 0 for v in piece.exact.G @ inside - piece.exact.g)
        assert piece.dimension == len(inside) - len(piece.exact.E)
        assert reference.forward(layers, list(piece.exact_point), final_relu)[-1] == y
        assert piece.contains(piece.point, 1e-9 * (1 + np.abs(piece.point).max()))
        if len(inside) == 2:
            corners = [
                piece.exact.within([Fraction(-4)] * 2, [Fraction(4)] * 2).corners,
                piece.exact.corners if piece.bounded else (),
            ]
            for corner in [*corners[0], *corners[1]]:
                t = Fraction(int(rng.integers(0, 8)), 7)
                point = [t * a + (1 - t) * b for a, b in zip(corner, piece.exact_point, strict=True)]
                assert piece.exact.contains(point)
                assert reference.forward(layers, point, final_relu)[-1] == y


@pytest.mark.parametrize("kind", SPOILED)
def test_small_networks(kind):
    rng = np.random.default_rng(list(SPOILED).index(kind))
    for k in range(32):
        layers, final_relu, x = make(rng, kind)
        domain = DOMAINS[k % len(DOMAINS)]
        if domain is not None and not domain.contains(x):
            x = np.zeros(2)
        G, h = (None, None) if domain is None else domain.inequalities(2)
        y = reference.forward(layers, x.tolist(), final_relu)[-1]
        result = network_preimage(network(layers, final_relu), x, domain=domain)
        assert signs_of(result) == reference.pieces(layers, y, final_relu, G, h)
        assert result.contains(x)
        check_union(result)
        check_pieces(layers, final_relu, y, result, rng)


@pytest.mark.parametrize("seed", range(3))
def test_outputs_of_whole_numbers(seed):
    """Feasible or not, exactly; 0 among them."""
    rng = np.random.default_rng(seed)
    refused = 0
    for k in range(30):
        layers, final_relu, _ = make(rng, "integers")
        y = rng.integers(0 if final_relu else -2, 3, len(layers[-1][1])) * (k % 4 > 0)
        expected = reference.pieces(layers, [Fraction(int(v)) for v in y], final_relu)
        if expected:
            result = network_preimage(network(layers, final_relu), y=y)
            assert signs_of(result) == expected
            check_union(result)
        else:
            refused += 1
            with pytest.raises(OutputError, match="no input"):
                network_preimage(network(layers, final_relu), y=y)
    assert 0 < refused < 30


@pytest.mark.parametrize("kind", ["integers", "homogeneous", "repeated"])
def test_points_with_this_output_lie_in_a_piece(kind):
    rng = np.random.default_rng(5)
    grid = [[Fraction(i, 3), Fraction(j, 3)] for i in range(-6, 7) for j in range(-6, 7)]
    for _ in range(12):
        layers, final_relu, x = make(rng, kind)
        y = reference.forward(layers, x.tolist(), final_relu)[-1]
        result = network_preimage(network(layers, final_relu), x)
        for point in grid:
            equal = reference.forward(layers, point, final_relu)[-1] == y
            assert any(piece.exact.contains(point) for piece in result.pieces) == equal


@pytest.mark.parametrize("name", [name for name in RECIPES if RECIPES[name]().weight.size <= 40])
def test_one_layer_as_in_preimage(name):
    recipe = RECIPES[name]()
    for x in recipe.points[::6]:
        result = network_preimage(recipe.layer, x)
        expected = unrelu.preimage(recipe.layer, x)
        assert (result.kind, result.dimension) == (expected.kind, expected.dimension)
        assert len(result.pieces) == 1 and result.complete


def test_one_layer_in_a_box(rng):
    for _ in range(30):
        layer = ReLULayer(rng.integers(-2, 3, (4, 3)).astype(float), rng.integers(-1, 2, 4).astype(float))
        x = rng.integers(0, 2, 3).astype(float)
        result = network_preimage(layer, x, domain=Box(0, 1))
        expected = unrelu.preimage(layer, x, domain=Box(0, 1))
        assert (result.kind, result.dimension) == (expected.kind, expected.dimension)


def test_area_of_a_dead_region_by_sampling():
    """Inputs that a deep network sends to 0: their share of the box."""
    rng = np.random.default_rng(0)
    layers = random_layers(rng, "gaussian", [2, 6, 5, 2])
    net = network(layers, True)
    result = network_preimage(net, y=np.zeros(2), domain=Box(-2, 2))
    points = rng.uniform(-2, 2, (200_000, 2))
    share = (net.forward(points) == 0).all(axis=1).mean()
    assert 0.05 < share < 0.95 and len(result.pieces) > 3
    assert result.volume() / 16 == pytest.approx(share, abs=5 * np.sqrt(0.25 / len(points)))
    assert result.length() == 0 and len(result.isolated) == 0


@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_positive_scaling_and_order_of_neurons_change_nothing(seed):
    rng = np.random.default_rng(seed)
    layers, final_relu, x = make(rng, "integers")
    before = network_preimage(network(layers, final_relu), x)
    (first, bias), (second, *rest), *others = layers
    scale = 2.0 ** rng.integers(-20, 20, len(bias)) * rng.integers(1, 2, len(bias))
    order = rng.permutation(len(bias))
    moved = [
        ((first * scale[:, None])[order], (bias * scale)[order]),
        ((second / scale)[:, order], *rest),
        *others,
    ]
    after = network_preimage(network(moved, final_relu), x)
    assert len(after.pieces) == len(before.pieces)
    assert (after.kind, after.dimension) == (before.kind, before.dimension)
    assert all(before.contains(piece.point, 1e-9) for piece in after.pieces)


@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_a_domain_cuts_the_pieces(seed):
    rng = np.random.default_rng(seed)
    layers, final_relu, x = make(rng, "integers")
    free = network_preimage(network(layers, final_relu), x)
    boxed = network_preimage(network(layers, final_relu), x, domain=Box(-1, 1))
    assert boxed.kind != Kind.UNBOUNDED and boxed.dimension <= free.dimension
    for piece in boxed.pieces:
        assert any(other.exact.contains(list(piece.exact_point)) for other in free.pieces)


def norm() -> unrelu.Network:
    """The network ``|x_1| + |x_2|``."""
    fold = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    return network([(fold, np.zeros(4)), (np.ones((1, 4)), np.zeros(1))], False)


def test_a_sphere():
    sphere = network_preimage(norm(), y=np.ones(1))
    assert len(sphere.pieces) == 4
    assert sphere.length() == pytest.approx(4 * np.sqrt(2), rel=1e-15)
    assert sphere.volume() == 0
    centre = network_preimage(norm(), np.zeros(2))
    assert centre.kind == Kind.SINGLETON and centre.isolated.tolist() == [[0.0, 0.0]]


def test_corners_and_windows():
    """Where ``|x_1| + |x_2| <= 1`` nothing is active; in the strip of one row nothing ends."""
    layers = [
        (np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]), np.zeros(4)),
        (np.ones((1, 4)), -np.ones(1)),
    ]
    ball = network_preimage(network(layers, True), y=np.zeros(1))
    assert ball.volume() == 2.0
    assert sorted(len(piece.vertices()) for piece in ball.pieces) == [3, 3, 3, 3]
    strip = network_preimage(ReLULayer(np.array([[1.0, 0.0], [-1.0, 0.0]]), -np.ones(2)), np.zeros(2))
    (piece,) = strip.pieces
    assert strip.volume() == np.inf and strip.kind == Kind.UNBOUNDED
    assert piece.vertices((-3, 3)).tolist() == [[-1, -3], [1, -3], [1, 3], [-1, 3]]
    assert piece.vertices((np.array([5.0, 5.0]), np.array([6.0, 6.0]))).shape == (0, 2)
    with pytest.raises(unrelu.errors.ArgumentError, match="window"):
        piece.vertices()
    ray = network_preimage(ReLULayer(np.array([[1.0, 0.0], [0.0, 1.0]])), np.array([1.0, -1.0]))
    assert ray.length() == np.inf


def test_rows_in_floating_point(rng):
    layers = random_layers(rng, "gaussian", [3, 5, 4])
    result = network_preimage(network(layers, True), rng.standard_normal(3))
    for piece in result.pieces:
        assert piece.E.dtype == piece.G.dtype == np.float64
        assert piece.E @ piece.point == pytest.approx(piece.e, abs=1e-12)
        assert (piece.G @ piece.point <= piece.g + 1e-12).all()
        with pytest.raises(unrelu.errors.ArgumentError, match="plane"):
            piece.vertices()
        with pytest.raises(unrelu.errors.ArgumentError, match="shape"):
            piece.contains(np.zeros(2))
        with pytest.raises(unrelu.errors.ArgumentError, match="tol"):
            piece.contains(np.zeros(3), -1.0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_outputs_with_rounding(dtype):
    """More equations than unknowns: no input has the rounded output exactly."""
    rng = np.random.default_rng(4)
    layers = [(w.astype(dtype).astype(float), b) for w, b in random_layers(rng, "gaussian", [2, 6, 7])]
    net = network(layers, False)
    x = rng.standard_normal(2)
    exact = network_preimage(net, x)
    rounded = network_preimage(net, y=net.forward(x).astype(dtype))
    assert exact.evidence == Evidence.EXACT and rounded.evidence == Evidence.FLOAT
    assert len(rounded.pieces) == len(exact.pieces) == 1
    assert rounded.pieces[0].point == pytest.approx(x, rel=1e-3 if dtype == np.float32 else 1e-9)
    assert "rounding" in rounded.reason
    with pytest.raises(OutputError, match="no input"):
        network_preimage(net, y=net.forward(x) + rng.random(7) / 100)


def test_budgets():
    rng = np.random.default_rng(0)
    layers = random_layers(rng, "gaussian", [2, 8, 8, 1])
    net, x = network(layers, False), np.array([0.3, -0.4])
    all_pieces = network_preimage(net, x)
    some = network_preimage(net, x, max_pieces=2)
    assert len(all_pieces.pieces) > 2
    assert len(some.pieces) == 2 and not some.complete and "2 pieces" in some.reason
    assert some.kind in {Kind.UNDECIDED, Kind.UNBOUNDED}
    assert some.contains(x)
    assert signs_of(some).items() <= signs_of(all_pieces).items()
    hurried = network_preimage(net, x, time_limit=1e-9)
    assert not hurried.complete and "time limit" in hurried.reason
    assert (hurried.kind, hurried.evidence) == (Kind.UNDECIDED, Evidence.NONE)


def test_a_progress_bar(capsys):
    assert network_preimage(norm(), y=np.ones(1), progress=True).complete
    assert not capsys.readouterr().out


def test_traced_networks():
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 2), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(4, 2), torch.nn.ReLU()
    )
    net = unrelu.trace(model, torch.zeros(1, 1, 2, 3))
    x = torch.rand(1, 2, 3)
    result = network_preimage(net, x, domain=Box(0, 1))
    assert result.complete and result.contains(x.reshape(-1))
    for piece in result.pieces:
        again = net.forward(torch.from_numpy(piece.point).reshape(1, 2, 3))
        assert again.numpy() == pytest.approx(net.forward(x).numpy(), abs=1e-9)


class _Parallel(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.last = (torch.nn.Linear(2, 2) for _ in range(3))

    def forward(self, x):
        return self.last(torch.relu(self.one(x)) + torch.relu(self.two(x)))


class _Pool(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(2, 4)
        self.pool = torch.nn.MaxPool1d(2)

    def forward(self, x):
        return self.pool(torch.relu(self.fc(x)))


@pytest.mark.parametrize(
    ("model", "message"),
    [(_Parallel(), "'relu_1' reads 'input' and not 'relu' alone"), (_Pool(), "max_pool")],
)
def test_networks_that_are_no_chain(model, message):
    net = unrelu.trace(model, torch.zeros(1, 2))
    with pytest.raises(unrelu.errors.ArgumentError, match=f"chain.*{message}"):
        network_preimage(net, np.zeros(2))


NET = network([(np.eye(2), np.zeros(2)), (np.eye(2), np.zeros(2))], True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "exactly one"),
        ({"x": np.ones(2), "y": np.ones(2)}, "exactly one"),
        ({"x": np.array([1.0, np.nan])}, "finite"),
        ({"y": np.array([1.0, np.inf])}, "finite"),
        ({"y": np.array([1.0, -1.0])}, "1 negative"),
        ({"x": np.ones(3)}, "shape"),
        ({"y": np.ones(3)}, "shape"),
        ({"x": np.ones((2, 2))}, "one sample"),
        ({"x": np.full(2, 2.0), "domain": Box(0, 1)}, "outside"),
        ({"y": np.full(2, 2.0), "domain": Box(0, 1)}, "no input"),
        ({"y": np.ones(2), "domain": Polytope(np.array([[1.0, 0], [-1, 0]]), -np.ones(2))}, "empty"),
        ({"x": np.ones(2), "domain": unrelu.Ball(0.0, 9.0)}, "not polyhedral"),
        ({"x": np.ones(2), "domain": Box(np.zeros(3), 1)}, "dimension"),
        ({"x": np.ones(2), "domain": "box:0,1"}, "expected a domain"),
        ({"x": np.ones(2), "max_pieces": 0}, "max_pieces"),
        ({"x": np.ones(2), "time_limit": 0}, "time_limit"),
        ({"x": np.ones(2), "time_limit": "long"}, "time_limit"),
    ],
)
def test_refused(arguments, message):
    with pytest.raises(unrelu.errors.ArgumentError, match=message):
        network_preimage(NET, **arguments)


def test_refused_networks():
    with pytest.raises(unrelu.errors.ArgumentError, match="Network or a ReLULayer"):
        network_preimage(torch.nn.Linear(2, 2), np.zeros(2))
    with pytest.raises(unrelu.errors.ArgumentError, match="at most"):
        network_preimage(ReLULayer(np.zeros((300, 100))), np.zeros(100))
