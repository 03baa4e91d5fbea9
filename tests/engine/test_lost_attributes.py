# SPDX-License-Identifier: MIT
"""An attribute of a tensor is lost where the tensor came back, and nothing else is."""

from __future__ import annotations

from typing import Any

import agents
import pytest
import torch
from adapters import Tiny

from verification import check_agent


class Weighted(agents.Agent):
    """Weighs its batches by a table, which has an attribute for how often it was used; a copy has none."""

    def __init__(self, config: Any, seed: int) -> None:
        super().__init__(config, seed)
        self.table: Any = torch.full((2,), 1.0 + seed % 7)
        self.table.uses = 0

    def update(self, batch: Any) -> None:
        uses = getattr(self.table, "uses", 0) + 1
        self.table *= 0.9
        self.table.uses = uses
        super().update((torch.tensor(batch) * self.table / uses).tolist())

    def contents(self) -> dict[str, Any]:
        # Who has lost the attribute cannot be saved again.
        return {**super().contents(), "table": self.table.clone(), "uses": self.table.uses}

    def restore(self, contents: dict[str, Any]) -> None:
        super().restore({name: one for name, one in contents.items() if name not in {"table", "uses"}})
        self.table = contents["table"].clone()


class Weighing(Tiny):
    """Drives it."""

    def build(self, config: Any, seed: int) -> Weighted:
        return Weighted(config, seed)


@pytest.mark.parametrize("level", ["training", "resume"])
def test_the_attribute_is_named_and_put_back_before_another_save(level: str) -> None:
    report = check_agent(Weighing(), level=level, examples=4, seed=1, shrink=False)
    assert [loss.name for loss in report.lost] == ["agent.table.uses"]
    failed = [result.check for result in report.results if result.verdict.value == "failed"]
    assert failed == ["counters_survive_reload"], report.summary()
