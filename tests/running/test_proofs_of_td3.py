# SPDX-License-Identifier: MIT
"""What an agent of many parts loses is proven by a script that is read at a glance, too."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from verification import FailureStore, check_agent
from verification.mutants.model import planted
from verification.running import concluding, proving
from verification.running.proving import READABLE, lines_of

if TYPE_CHECKING:
    from pathlib import Path

LOST = {
    "total_it_lost": ("counters_survive_reload", "total_it"),
    "critic_cnn_optimizer_lost": ("optimizer_state_survives_reload", "critic_cnn_optimizer"),
}


@pytest.mark.parametrize("mutant", LOST)
def test_the_script_is_short_and_its_program_small(
    mutant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lossy.py").write_text(
        f"from verification.mutants.model import planted\nmade = planted({mutant!r})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "lossy", raising=False)
    # What is found in the time that there is depends on the machine.
    monkeypatch.setattr(concluding, "_REDUCING_AT_LEAST", 120.0)
    monkeypatch.setattr(proving, "_SEARCH", 120.0)
    check, piece = LOST[mutant]
    store = FailureStore(tmp_path / "kept", "lossy:made")
    report = check_agent(planted(mutant), checks=[check], examples=8, seed=3, store=store)
    result = report.result(check)
    (loss,) = (one for one in result.losses if one.path in result.lost)
    assert piece in loss.script
    assert "from lossy import made as adapter" in loss.script
    assert lines_of(loss.script) < READABLE
    assert result.program.count("adapter.learn") == 2
    assert result.program.count("adapter.save") == 1
