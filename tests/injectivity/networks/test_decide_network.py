"""Whole networks: every verdict has a certificate that the verifier accepts together with the model."""

import dataclasses
import json
from itertools import pairwise

import numpy as np
import pytest
import torch

import unrelu
from tests.preimage.pieces.nets import network, random_layers
from unrelu import Ball, Box, Orthant, Polytope, Verdict, decide, verify
from unrelu.certificates import (
    NetworkInjectivityCertificate,
    NetworkRegionsCertificate,
    NetworkWitnessCertificate,
    WitnessCertificate,
    from_json,
    read_onnx,
)


def traced(*modules, n):
    return unrelu.trace(torch.nn.Sequential(*modules), torch.zeros(1, n))


def check(decision, net) -> None:
    """The certificate survives JSON, and is accepted together with the network."""
    again = from_json(decision.certificate.to_json())
    for subject in (None, net):
        found = verify(again, subject)
        assert found.valid, found.reason
        assert found.grade == decision.grade
    lean = from_json(decision.certificate.to_json(rows=False))
    assert verify(lean, net).valid and not verify(lean).valid
    if decision.verdict == Verdict.NOT_INJECTIVE and decision.collision is not None:
        assert verify(decision.collision.certificate, net).valid


def injective_layers(*widths):
    torch.manual_seed(0)
    modules = []
    for n, m in pairwise(widths):
        modules += [unrelu.nn.InjectiveLinear(n, m), torch.nn.ReLU()]
    return modules


@pytest.mark.parametrize("domain", [None, Box(-1, 1), Orthant(), Ball(0.0, 2.0)])
def test_layer_by_layer(domain):
    net = traced(*injective_layers(3, 8, 20), torch.nn.Linear(20, 24), n=3)
    decision = decide(net, domain, time_limit=10)
    assert decision.verdict == Verdict.INJECTIVE
    assert isinstance(decision.certificate, NetworkInjectivityCertificate)
    check(decision, net)


def test_images_of_boxes():
    """The second layer is injective only where all its rows are active: on the image of the first."""
    modules = injective_layers(3, 8)
    second = torch.nn.Linear(8, 8)
    with torch.no_grad():
        second.weight.copy_(torch.eye(8) - 0.1)
        second.bias.fill_(100.0)
    net = traced(*modules, second, torch.nn.ReLU(), n=3)
    decision = decide(net, Box(-1, 1))
    assert isinstance(decision.certificate, NetworkInjectivityCertificate)
    check(decision, net)
    box = decision.certificate.proofs[1].domain
    for change in ({"upper": 0.5 * box.upper}, {"lower": box.lower + 0.5}):
        smaller = dataclasses.replace(box, **change)
        proof = dataclasses.replace(decision.certificate.proofs[1], domain=smaller)
        proofs = (decision.certificate.proofs[0], proof)
        found = verify(dataclasses.replace(decision.certificate, proofs=proofs))
        assert not found.valid and "may lie" in found.reason


@pytest.mark.parametrize("domain", [None, Box(-1, 1), Ball(0.0, 1.0)])
def test_first_layer_refutes(domain):
    torch.manual_seed(0)
    net = traced(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 9), torch.nn.ReLU(), n=6)
    decision = decide(net, domain, time_limit=10)
    assert decision.verdict == Verdict.NOT_INJECTIVE
    assert isinstance(decision.certificate, NetworkWitnessCertificate)
    assert len(decision.certificate.layers) == 1 and decision.certificate.last is None
    check(decision, net)


@pytest.mark.parametrize("domain", [None, Box(-1, 1), Ball(0.5, 1.0)])
def test_first_layer_of_low_rank(domain):
    """Many rows are active, in a plane: the certificate holds two inputs."""
    rng = np.random.default_rng(0)
    low = rng.integers(-3, 4, (12, 2)) @ rng.integers(-3, 4, (2, 3))
    net = network([(low.astype(float), np.ones(12)), (np.eye(12), np.zeros(12))], True)
    decision = decide(net, domain)
    assert decision.verdict == Verdict.NOT_INJECTIVE
    check(decision, net)


def test_narrow_layers_refute():
    narrow = traced(*injective_layers(3, 8), torch.nn.Linear(8, 2), n=3)
    decision = decide(narrow, time_limit=5)
    assert decision.verdict == Verdict.NOT_INJECTIVE and "2 outputs" in decision.reason
    check(decision, narrow)
    net = traced(*injective_layers(3, 8), torch.nn.Linear(8, 2), torch.nn.ReLU(), torch.nn.Linear(2, 4), n=3)
    decision = decide(net, Box(-1, 1), time_limit=5)
    assert decision.verdict == Verdict.NOT_INJECTIVE and len(decision.certificate.layers) == 2
    check(decision, net)


@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize(
    ("G", "h"),
    [
        ([[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]], [1.0, 1.0, 1.0]),
        ([[1.0, 1.0]], [1.0]),
        ([[1.0, 0.0], [-1.0, 0.0]], [0.0, 0.0]),
    ],
)
def test_polytopes(G, h, outputs):
    """A triangle, a half plane, and a line, on which nothing is decided."""
    base = np.array([[4.0, 1.0], [-1.0, 3.0]])
    second = np.array([[1.0, 2.0, -1.0, 0.0], [0.0, 1.0, 1.0, -2.0], [1, 1, 1, 1], [2, 0, 1, 0]])
    layers = [(np.vstack([base, -base]), np.zeros(4)), (second[:outputs], np.ones(outputs))]
    net = network(layers, True)
    decision = decide(net, Polytope(np.array(G), np.array(h)), time_limit=10)
    if len(h) == 2:
        assert decision.verdict == Verdict.UNKNOWN
    else:
        assert decision.verdict == Verdict.NOT_INJECTIVE or outputs > 1
        check(decision, net)


FOLD = np.array([[1.0], [-1.0]]), np.zeros(2)


@pytest.mark.parametrize(("slope", "verdict"), [(0.5, Verdict.NOT_INJECTIVE), (2.0, Verdict.INJECTIVE)])
def test_linear_regions_decide(slope, verdict):
    """|x| + slope * x: full rank everywhere, so that only the two regions together tell."""
    net = network([FOLD, (np.array([[1.0 + slope, 1.0 - slope]]), np.zeros(1))], False)
    decision = decide(net)
    assert decision.verdict == verdict
    check(decision, net)
    if verdict == Verdict.INJECTIVE:
        assert isinstance(decision.certificate, NetworkRegionsCertificate)
    else:
        x, other = decision.certificate.x, decision.certificate.other
        value = [abs(v[0]) + v[0] / 2 for v in (x, other)]
        assert value[0] == value[1] and decision.collision.output_difference <= 1e-12
    on_ball = decide(net, Ball(3.0, 1.0))
    assert on_ball.verdict == Verdict.INJECTIVE


def test_a_relu_at_the_end_makes_a_difference():
    """What is shown of a network without its last ReLU is not taken for one with it, nor the other way."""
    layers = [FOLD, (np.array([[3.0, -1.0]]), np.zeros(1))]
    plain, rectified = network(layers, False), network(layers, True)
    proof, refuted = decide(plain).certificate, decide(rectified).certificate
    assert verify(proof, plain).valid and verify(refuted, rectified).valid
    assert "a ReLU follows" in verify(proof, rectified).reason
    assert "a ReLU follows" in verify(refuted, plain).reason


def test_other_networks_are_refused():
    rng = np.random.default_rng(0)
    layers = random_layers(rng, "integers", [2, 3, 4])
    proof = decide(network(layers, True)).certificate
    assert isinstance(proof, NetworkWitnessCertificate)
    longer = [*layers, (np.eye(4), np.zeros(4))]
    assert verify(proof, network(longer, True)).valid  # the first layers are the same
    other = [(layers[0][0] + 1.0, layers[0][1]), *layers[1:]]
    assert "SHA-256" in verify(proof, network(other, True)).reason
    whole = decide(network([FOLD, (np.array([[3.0, -1.0]]), np.zeros(1))], False)).certificate
    longer = [FOLD, (np.array([[3.0, -1.0]]), np.zeros(1)), (np.eye(1), np.zeros(1))]
    assert "maps" in verify(whole, network(longer, False)).reason


def test_no_chain_is_refuted_by_its_first_layer():
    class Residual(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = torch.nn.Linear(4, 5), torch.nn.Linear(5, 5)

        def forward(self, x):
            hidden = torch.relu(self.first(x))
            return torch.nn.functional.softplus(self.second(hidden))

    torch.manual_seed(0)
    net = unrelu.trace(Residual(), torch.zeros(1, 4))
    decision = decide(net, time_limit=5)
    assert decision.verdict == Verdict.NOT_INJECTIVE
    assert isinstance(decision.certificate, WitnessCertificate) and verify(decision.certificate, net).valid


@pytest.mark.parametrize("convolutional", [False, True])
def test_a_first_layer_refutes_what_skips_later_ones(convolutional):
    """The chain that passes on what skips a layer begins with the same numbers."""

    class Residual(torch.nn.Module):
        def __init__(self):
            super().__init__()
            make = torch.nn.Conv2d if convolutional else torch.nn.Linear
            options = {"kernel_size": 3, "padding": 1} if convolutional else {}
            self.first, self.second = make(2, 3, **options), make(3, 3, **options)

        def forward(self, x):
            hidden = torch.relu(self.first(x))
            return hidden + torch.relu(self.second(hidden))

    torch.manual_seed(0)
    shape = (1, 2, 4, 4) if convolutional else (1, 2)
    net = unrelu.trace(Residual(), torch.zeros(shape))
    decision = decide(net, time_limit=5)
    assert decision.verdict == Verdict.NOT_INJECTIVE
    assert isinstance(decision.certificate, NetworkWitnessCertificate)
    check(decision, net)


def test_an_interrupt_keeps_the_layers(monkeypatch):
    from unrelu.injectivity import _network

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(_network, "decide_by_regions", interrupted)
    decision = decide(network([FOLD, (np.array([[3.0, -1.0]]), np.zeros(1))], False))
    assert decision.verdict == Verdict.UNKNOWN and "interrupted" in decision.reason
    assert decision.layers["fc0"].verdict == Verdict.INJECTIVE


@pytest.mark.parametrize(
    ("file", "domain", "layers"),
    [
        ("ACASXU_run2a_1_1_batch_2000.onnx", None, 6),
        ("ACASXU_run2a_1_1_batch_2000.onnx", Box(-0.5, 0.5), 6),
        ("mnist-net_256x2.onnx", Box(0, 1), 1),
    ],
)
def test_public_networks(file, domain, layers, data_folder):
    path = data_folder / "onnx" / file
    net = unrelu.trace(path)
    decision = decide(net, domain, time_limit=1)
    assert decision.verdict == Verdict.NOT_INJECTIVE
    assert len(decision.certificate.layers) <= layers
    text = decision.certificate.to_json()
    assert len(text) < 2e6 and json.loads(text)["kind"] == "network-not-injective"
    for subject in (net, read_onnx(path)):
        assert verify(from_json(text), subject).valid
