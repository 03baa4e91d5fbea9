# SPDX-License-Identifier: MIT
"""Every component of an agent: its size, what a load makes of it, and whether anything reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from forgetful import Forgetful, program_of

from verification.engine.experiment import Experiment
from verification.engine.survey import (
    AS_BUILT,
    COMES_BACK,
    DIFFERS,
    LOST,
    NOT_ASKED,
    NOT_SEEN,
    PARTLY,
    READ,
    UNKNOWN,
    Component,
    Survey,
    _together,
    survey,
)
from verification.program import Learn
from verification.state import Part

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def seeded(seed: int) -> int:
    return 10 * seed


def network(seed: int) -> torch.nn.Linear:
    made = torch.nn.Linear(3, 2)
    with torch.no_grad():
        made.weight.fill_(seed)
        made.bias.fill_(seed)
    return made


@pytest.fixture
def surveyed(tmp_path: Path) -> Callable[..., Survey]:
    def look(update: Any, lost: str = "", kind: Any = Forgetful, **start: Any) -> Survey:
        program = program_of(
            *(Learn(3), Learn(4), Learn(5)), cuts=(1, 2), receiver_steps=(Learn(7),), horizon=2
        )
        return survey(Experiment(kind(start, update, lost), program, tmp_path))

    return look


def adds_bonus(agent: Any, batch: int) -> None:
    agent.total += batch * agent.bonus


def named(found: Survey) -> dict[str, Component]:
    return {", ".join(one.names) or one.path: one for one in found.components}


def test_plain_values_of_one_fate_are_told_together(surveyed: Any) -> None:
    found = surveyed(adds_bonus, "spare", bonus=seeded, spare=seeded, constant=3)
    assert (found.adapter, found.steps, found.problem) == ("forgetful", "2 steps", "")
    components = named(found)
    assert {name: one.after for name, one in components.items()} == {
        "total": COMES_BACK,
        "bonus": COMES_BACK,
        "constant": AS_BUILT,
        "spare": DIFFERS,
    }
    assert {one.path for one in found.components} == {"agent"}
    assert components["bonus"].leaves == 1
    assert components["bonus"].size == len(b"10")


def test_what_is_read_shows_when_it_is_changed(surveyed: Any) -> None:
    components = named(surveyed(adds_bonus, "spare", bonus=seeded, spare=seeded))
    assert components["bonus"].read == READ
    assert components["spare"].read == NOT_SEEN


def test_what_cannot_be_changed_is_not_asked(surveyed: Any) -> None:
    components = named(surveyed(adds_bonus, bonus=seeded, text="a"))
    assert components["text"].read == NOT_ASKED


def test_a_loss_is_told(surveyed: Any) -> None:
    components = named(surveyed(adds_bonus, "bonus", bonus=seeded))
    assert components["bonus"].after == LOST


def test_a_network_is_one_component_with_the_bytes_of_its_tensors(surveyed: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += batch * float(agent.net.weight.detach()[0, 0])

    components = named(surveyed(update, net=network, table=lambda seed: np.full(5, seed, np.int16)))
    assert components["agent.net"].part is Part.TARGET
    assert components["agent.net"].size == 4 * (3 * 2 + 2) + len(
        b"True32"
    )  # and how many features it takes and gives
    assert components["agent.net"].after == COMES_BACK
    assert components["agent.net"].read == READ
    assert components["agent.table"].size == 10
    assert components["agent.table"].read == NOT_SEEN


def test_gradients_are_no_part_of_a_network_and_hide_nothing_else(surveyed: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.net.zero_grad()
        agent.net(torch.ones(3)).sum().backward()
        agent.total += batch

    components = named(surveyed(update, net=network, zone=seeded))
    assert set(components) == {"agent.net", "total", "zone"}
    assert components["agent.net"].size == 4 * (3 * 2 + 2) + len(b"True32")


def test_a_load_that_raises_is_told_and_leaves_what_is_seen(surveyed: Any) -> None:
    class CannotLoad(Forgetful):
        def load(self, agent: Any, path: Path) -> Any:
            return int(np.load(path))

    found = surveyed(adds_bonus, kind=CannotLoad, bonus=seeded)
    assert "load" in found.problem
    assert {one.after for one in found.components} == {UNKNOWN}
    assert {one.read for one in found.components} == {NOT_ASKED}


@pytest.mark.parametrize(
    ("words", "together"),
    [
        ({LOST}, LOST),
        ({LOST, COMES_BACK}, PARTLY),
        ({LOST, AS_BUILT}, LOST),
        ({DIFFERS, COMES_BACK}, DIFFERS),
        ({COMES_BACK, AS_BUILT}, COMES_BACK),
        ({AS_BUILT}, AS_BUILT),
    ],
)
def test_of_several_the_worst_is_told(words: set[str], together: str) -> None:
    assert _together(words) == together
