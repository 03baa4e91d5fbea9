# SPDX-License-Identifier: MIT
"""What differs between two runs without any save is set aside, and nothing else."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any

import agents
import numpy as np
import pytest
from adapters import Tiny
from forgetful import Forgetful, program_of

from verification.engine.experiment import Experiment
from verification.errors import Inconclusive
from verification.program import Act, Learn
from verification.running.check_agent import check_agent


class MappedReplay(agents.Agent):
    """Learns from a replay in a file, whose name is another one in every run; its content is not saved."""

    def __init__(self, config: Any, seed: int) -> None:
        super().__init__(config, seed)
        self.replay = np.memmap(Path(tempfile.mkdtemp()) / "replay", np.float32, "w+", shape=(3, 2))

    def update(self, batch: Any) -> None:
        self.replay[self.total_it % 3] = batch
        super().update(tuple(map(float, self.replay.mean(axis=0))))


class Mapped(Tiny):
    """Drives it."""

    def build(self, config: Any, seed: int) -> MappedReplay:
        return MappedReplay(config, seed)


def test_the_content_of_a_file_whose_name_is_unstable_is_not_set_aside() -> None:
    report = check_agent(Mapped(), checks=["next_steps_survive_reload"], examples=4, seed=1)
    assert [loss.name for loss in report.lost] == ["agent.replay"]


def test_of_much_that_differs_beside_the_action_a_sentence_names_six_leaves(tmp_path: Path) -> None:
    numbers = itertools.count()

    def update(agent: Any, batch: int) -> None:
        vars(agent).update((name, next(numbers)) for name in ("total", *"abcdefgh"))

    start = dict.fromkeys("abcdefgh", 0)
    experiment = Experiment(Forgetful(start, update, ""), program_of(Learn(1), Act(None)), tmp_path)
    with pytest.raises(Inconclusive) as caught:
        experiment.repeat()
    differing, also = str(caught.value).partition(". If a cause")[0].split("; also ")
    assert differing.startswith("two runs without any save differ: action")
    assert len(also.split(", ")) == 6
