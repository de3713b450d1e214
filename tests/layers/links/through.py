"""Links one after the other, against the network."""

import numpy as np

from tests.reference.links import evaluate
from unrelu.layers import Network


def check_links(net: Network, seed: int = 0) -> bool:
    """Compare the links with the network; ``False`` where one of them does something unknown."""
    records = net.link_records()
    assert records[0].n == int(np.prod(net.input_shape))
    assert [link.n for link in net.links()] == [record.n for record in records]
    assert [record.m for record in records[:-1]] == [record.n for record in records[1:]]
    if any(step.kind == "opaque" for record in records for step in record.steps):
        return False
    u = np.random.default_rng(seed).standard_normal(net.input_shape)
    expected = net.forward(u).ravel()
    u = u.ravel()
    for link, record in zip(net.links(), records, strict=True):
        assert not link.behind_relu or bool((u >= 0).all())
        u = evaluate(record, u)
    np.testing.assert_allclose(u, expected, rtol=1e-9, atol=1e-11 * np.abs(expected).max())
    return True
