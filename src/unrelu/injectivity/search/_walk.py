"""The tree, walked through by several threads, each with a pool of its own; idle ones are given subtrees."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from unrelu.injectivity.search._explore import (
    FINISHED,
    FOUND,
    PAUSED,
    enter,
    explore,
    lower_bound,
    set_quotient,
)
from unrelu.injectivity.search._nodes import Node, give_away, pending, root_node
from unrelu.injectivity.search._state import EXACT, LEVEL, NODES, POOL, STREAM, State, new_state, with_room

if TYPE_CHECKING:
    from collections.abc import Callable

    from unrelu.injectivity.search._problem import Problem

_SLICE = 0.03  # seconds between looks at the clock and at idle threads
_REPORT = 0.1  # seconds between reports
_SEED = 2000  # supports that a new thread takes over


@dataclass
class Part:
    """The proof of a subtree: its stream, then the parts that were given away, in this order.

    Attributes:
        node: The root of the subtree.
        worker: Whose pool the stream refers to.
        stream: The nodes, depth first.
        later: Parts that follow.
        supports: Supports to begin with.
    """

    node: Node
    worker: int = -1
    stream: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    later: list[Part] = field(default_factory=list)
    supports: np.ndarray | None = None


class Walk:
    """A search by several threads.

    Attributes:
        root: The proof.
        states: One a thread.
        found: ``Z`` as bits, where no support is disjoint from it.
        interrupted: Whether the user stopped the search.
    """

    def __init__(self, problem: Problem, exact: bool, choices: int, jobs: int) -> None:
        """Get ready."""
        self.root = Part(root_node(problem.m, len(problem.stacked)))
        self.states: list[State] = [new_state(problem, exact, choices) for _ in range(jobs)]
        self.found: np.ndarray | None = None
        self.interrupted = False
        self._problem = problem
        self._waiting = deque([self.root])
        self._running: list[Part | None] = [None] * jobs
        self._change = threading.Condition()
        self._open = [0.0] * jobs
        self._stop = False
        self._deadline = 0.0
        self._report: Callable[[float], object] = lambda _: None

    @property
    def nodes(self) -> int:
        """Nodes entered so far."""
        return sum(int(state.number[NODES]) for state in self.states)

    @property
    def finished(self) -> bool:
        """Whether every node is closed."""
        return self.found is None and not self.open_nodes()

    def open_nodes(self) -> list[Node]:
        """Return the nodes that are not closed."""
        nodes = [part.node for part in self._waiting]
        for state, part in zip(self.states, self._running, strict=True):
            nodes += [] if part is None else pending(state, part.node.share)
        return nodes

    def run(self, deadline: float, report: Callable[[float], object]) -> None:
        """Walk until every node is closed, a witness is found or the time is up.

        Args:
            deadline: On the clock `time.monotonic`.
            report: Called with the closed share of the tree from time to time.
        """
        self._deadline, self._report = deadline, report
        try:
            if len(self.states) == 1:
                self._work(0)
            else:
                self._run_threads()
        except KeyboardInterrupt:
            self.interrupted = True

    def _run_threads(self) -> None:
        with ThreadPoolExecutor(len(self.states)) as threads:
            jobs = [threads.submit(self._work, k) for k in range(len(self.states))]
            try:
                while not all(job.done() for job in jobs):
                    with self._change:
                        self._change.wait(_REPORT)
                    self._report(1.0 - self._open_share())
            finally:
                self._halt()
        for job in jobs:
            job.result()

    def _open_share(self) -> float:
        with self._change:
            return sum(self._open) + sum(part.node.share for part in self._waiting)

    def _work(self, k: int) -> None:
        """Walk through subtrees until there are none."""
        try:
            while (part := self._next(k)) is not None:
                self._begin(k, part)
                if not self._through(k, part):
                    return
        except BaseException:
            self._halt()  # others may wait for this thread
            raise
        finally:
            with self._change:
                self._change.notify_all()

    def _next(self, k: int) -> Part | None:
        """Return the next subtree; wait while others may give some away."""
        with self._change:
            self._running[k], self._open[k] = None, 0.0
            self._change.notify_all()
            while not self._waiting and not self._stop and any(part is not None for part in self._running):
                self._change.wait()
            if self._stop or not self._waiting:
                return None
            part = self._running[k] = self._waiting.pop()
            return part

    def _begin(self, k: int, part: Part) -> None:
        state = self.states[k]
        if part.supports is not None and not state.number[POOL]:
            while len(state.pool) < 2 * len(part.supports):
                state = state._replace(pool=np.concatenate([state.pool, np.zeros_like(state.pool)]))
            state.pool[: len(part.supports)] = part.supports
            state.number[POOL] = len(part.supports)
            self.states[k] = state
        part.worker, part.supports = k, None
        enter(state, part.node.chosen, part.node.excluded)
        if state.number[EXACT]:
            set_quotient(state, self._problem.weights)

    def _through(self, k: int, part: Part) -> bool:
        """Walk through one subtree, in slices; say whether it is closed."""
        nodes = 16
        while not self._stop:
            state = self.states[k] = with_room(self.states[k])
            begin = time.monotonic()
            outcome = explore(state, nodes)
            if outcome == FINISHED:
                part.stream = state.stream[: state.number[STREAM]].copy()
                return True
            if outcome == FOUND:
                self.found = state.closure[state.number[LEVEL]].copy()
                self._halt()
            elapsed, left = time.monotonic() - begin, self._deadline - time.monotonic()
            if outcome == PAUSED:
                nodes = max(1, min(2 * nodes, int(nodes * min(_SLICE, max(left, 0.0)) / elapsed)))
            if left <= 0:
                self._halt()
            self._share(k, part)
        return False

    def _halt(self) -> None:
        with self._change:
            self._stop = True
            self._change.notify_all()

    def _share(self, k: int, part: Part) -> None:
        """Give nodes away when somebody has nothing to do."""
        with self._change:
            idle, state = sum(other is None for other in self._running), self.states[k]
            self._open[k] = sum(node.share for node in pending(state, part.node.share))
            if len(self.states) == 1:
                self._report(1.0 - self._open[k])
            if self._stop or idle <= len(self._waiting):
                return
            listed = state.listed[0, : min(_SEED, int(state.listed_count[0]))]
            nodes = give_away(state, part.node.share, 2 * idle - len(self._waiting))
            given = [Part(node, supports=state.pool[listed]) for node in nodes]
            part.later[:0] = given
            self._waiting.extend(given)
            self._change.notify_all()


def bound_of(walk: Walk, n: int, deadline: float) -> int:
    """Return how many rows every ``F`` has that is not excluded by a walk that was stopped: a lower bound.

    It counts disjoint supports at open nodes, which is right in general position; where ranks are checked
    there is at least one.

    Args:
        walk: The walk; its first state is used up.
        n: Dimension of the inputs.
        deadline: On the clock `time.monotonic`; after it fewer supports are counted.
    """
    nodes = sorted(walk.open_nodes(), key=_size)
    if walk.states[0].number[EXACT]:
        return _size(nodes[0]) + 1
    least, best = _bound_at(walk, walk.root.node), n
    for node in nodes:
        if _size(node) + 1 >= best:
            break
        if time.monotonic() > deadline:
            best = _size(node) + 1
            break
        best = min(best, max(_size(node) + 1, _bound_at(walk, node)))
    return max(least, best)


def _bound_at(walk: Walk, node: Node) -> int:
    state = walk.states[0] = with_room(walk.states[0])
    enter(state, node.chosen, node.excluded)
    return int(lower_bound(state))


def _size(node: Node) -> int:
    return sum(word.bit_count() for word in node.chosen.tolist())
