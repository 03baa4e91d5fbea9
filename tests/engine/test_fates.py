# SPDX-License-Identifier: MIT
"""What became of every leaf in a load, and what it is in a few words."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from forgetful import Forgetful, program_of

from verification.engine.experiment import Experiment
from verification.engine.fates import fates
from verification.losses import DIFFERS, OPAQUE, RESTORED, SAME, Piece
from verification.program import Learn

if TYPE_CHECKING:
    from pathlib import Path

START: dict[str, Any] = {
    "bonus": lambda seed: 10 * seed,
    "constant": 3,
    "spare": lambda seed: 10 * seed,
    "rows": lambda seed: [seed] * seed,
    "table": lambda seed: np.full((2, 3), seed, np.int16),
    "weights": lambda seed: torch.full((2,), float(seed)),
    "stream": random.Random,
    "text": "x" * 100,
}


def adds(agent: Any, batch: int) -> None:
    agent.total += batch


def counts(agent: Any, batch: int) -> None:
    agent.count += 1


def pieces(
    folder: Path, lost: str, *, update: Any = adds, used: bool = False, **start: Any
) -> dict[str, Piece]:
    program = program_of(Learn(3), Learn(4), seed=2, receiver_seed=1, receiver_steps=(Learn(7),))
    folder.mkdir(exist_ok=True)
    asked = Experiment(Forgetful(start or START, update, lost), program, folder)
    return {one.path: one for one in fates(asked, 1, used=used)}


def test_each_leaf_is_restored_the_same_or_different(tmp_path: Path) -> None:
    found = pieces(tmp_path, "spare rows")
    assert {path.removeprefix("agent."): one.fate for path, one in found.items()} == {
        "total": RESTORED,
        "bonus": RESTORED,
        "constant": SAME,
        "spare": DIFFERS,
        "rows": DIFFERS,
        "rows[0]": DIFFERS,
        "rows[1]": DIFFERS,
        "table": RESTORED,
        "weights": RESTORED,
        "stream": RESTORED,
        "text": SAME,
    }


def test_what_it_is_is_told_in_a_few_words(tmp_path: Path) -> None:
    found = pieces(tmp_path, "")
    assert {path.removeprefix("agent."): one.what for path, one in found.items()} == {
        "total": "5",
        "bonus": "20",
        "constant": "3",
        "spare": "20",
        "rows[0]": "2",
        "rows[1]": "2",
        "table": "<i2 (2, 3)",
        "weights": "float32 (2,)",
        "stream": "random generator",
        "text": f"'{'x' * 58}…",
    }


def test_what_cannot_be_looked_into_is_opaque(tmp_path: Path) -> None:
    found = pieces(tmp_path, "", log=lambda _: logging.getLogger("agent"))
    assert found["agent.log"] == Piece("agent.log", OPAQUE, "logging.Logger")


def test_what_a_used_receiver_had_by_itself_did_not_come_back(tmp_path: Path) -> None:
    """It has counted to 3 before the load, as the saved agent has."""
    start = {"count": lambda seed: 1 if seed == 2 else 2}
    assert pieces(tmp_path / "new", "", update=counts, **start)["agent.count"].fate == SAME
    assert pieces(tmp_path / "used", "", update=counts, used=True, **start)["agent.count"].fate == RESTORED
