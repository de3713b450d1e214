"""The tensors of a network, and those through which everything passes, against paths one by one."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.layers.links.networks import KINDS, built
from unrelu.layers.links._places import Places

OPERATIONS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 9), st.integers(0, 9)), max_size=12)


def reaches(places, without: int | None = None) -> set[int]:
    """What depends on the input, by paths that do not meet one place."""
    found = {0} - {without}
    for position, place in enumerate(places):
        if position != without and found.intersection(place.reads):
            found.add(position)
    return found


@settings(max_examples=150, deadline=None)
@given(OPERATIONS)
def test_cuts(operations):
    """Without a cut nothing of the input reaches the output, without any other place something does."""
    found = Places(built(operations))
    places, last = found.places, len(found.places) - 1
    assert reaches(places) == set(range(len(places)))
    expected = [k for k in range(len(places)) if last not in reaches(places, without=k)]
    assert found.cuts() == expected


@settings(max_examples=50, deadline=None)
@given(OPERATIONS)
def test_order(operations):
    """Every tensor stands behind those that it reads, and is needed."""
    places = Places(built(operations)).places
    assert all(read < position for position, place in enumerate(places) for read in place.reads)
    needed = {read for place in places for read in place.reads}
    assert needed == set(range(len(places) - 1))
    assert all(place.size == 3 for place in places)
