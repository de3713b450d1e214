"""Evidence of a search, checked without trust in it."""

from itertools import pairwise

import numpy as np

from tests.reference.cells import unspanned_point
from tests.reference.injectivity import exact_rank, weakly_active
from tests.reference.trees import is_proof
from unrelu.injectivity.search import SearchResult, search


def supports_of(result: SearchResult) -> list[tuple[int, ...]]:
    starts = result.support_starts.tolist()
    return [tuple(result.support_rows[a:b].tolist()) for a, b in pairwise(starts)]


def check_evidence(result: SearchResult, W, b, G=None, h=None) -> None:
    """A proof must hold, and so must a witness."""
    if result.verdict == "injective":
        assert result.bound == W.shape[1]
        assert result.support_starts.dtype == np.int64
        assert result.support_rows.dtype == result.tree.dtype == np.int32
        exact = result.grade == "exact"
        assert is_proof(W, b, G, h, supports_of(result), result.tree.tolist(), exact)
    if result.verdict == "witness":
        weak = weakly_active(W, b, result.x)
        assert np.array_equal(np.flatnonzero(weak), result.weak)
        assert exact_rank(W[weak]) < W.shape[1]
        if G is not None:
            assert not weakly_active(G, -np.asarray(h), result.x).any()


def check_against_cells(W, b, G=None, h=None, *, may_be_unknown: bool = False, **options) -> SearchResult:
    """Compare a search with brute force, and check its evidence."""
    result = search(W, b, G, h, n_jobs=1, **options)
    expected = "injective" if unspanned_point(W, b, G, h) is None else "witness"
    allowed = {expected, "unknown"} if may_be_unknown else {expected}
    # What leaned on general position is true only there.
    if result.grade != "exact-general-position":
        assert result.verdict in allowed, result.reason
    check_evidence(result, W, b, G, h)
    return result
