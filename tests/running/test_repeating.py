# SPDX-License-Identifier: MIT
"""A failure is repeated before it is told, with all that had been found when it was seen."""

from __future__ import annotations

from typing import Any

import agents
from adapters import Tiny

from verification import Verdict, check_agent


class Graph:
    """What follows what; both dicts have an entry for each node."""

    def __init__(self) -> None:
        self.edges: dict[int, dict[int, Any]] = {}
        self.nodes: dict[int, dict[str, Any]] = {}


class Visits(agents.Agent):
    """Keeps a graph of the states that were visited, and does not save it: the next edge raises."""

    def __init__(self, config: Any, seed: int) -> None:
        super().__init__(config, seed)
        self.graph = Graph()
        self.last = 0

    def update(self, batch: Any) -> None:
        state, edges = int(batch[0] * 4 + batch[1] * 8) % 5, self.graph.edges
        for one in (self.last, state):
            if one not in self.graph.nodes:
                self.graph.nodes[one], edges[one] = {}, {}
        edges[self.last][state] = edges[state][self.last] = {"weight": batch[0]}
        self.last = state
        super().update((batch[0] + len(edges[state]), batch[1]))

    def contents(self) -> dict[str, Any]:
        return {**super().contents(), "last": self.last}

    def restore(self, contents: dict[str, Any]) -> None:
        super().restore(contents)
        self.last = contents["last"]


class Visiting(Tiny):
    """Drives it."""

    def build(self, config: Any, seed: int) -> Visits:
        return Visits(config, seed)


def test_pieces_that_only_show_together_fail_again() -> None:
    report = check_agent(Visiting(), level="training", examples=8, seed=2)
    verdicts = {result.verdict for result in report.results}
    assert [loss.name for loss in report.lost] == ["agent.graph"]
    assert Verdict.FAILED in verdicts
    assert Verdict.INCONCLUSIVE not in verdicts
