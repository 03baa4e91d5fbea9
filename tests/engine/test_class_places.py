# SPDX-License-Identifier: MIT
"""What a class or a module holds is kept, put back, and begun anew, each place by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from states import look

from verification.engine import class_state
from verification.engine.class_state import ClassState, begin_anew, held_apart, put_back, shared
from verification.state import changes

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT = 0
PATHS = ["agent.__class__.made", "agent.__class__.rows", "agent.__class__.update.__globals__['COUNT']"]


class Holder:
    made = 0
    rows: ClassVar[list[int]] = [1]

    def update(self) -> None:
        global COUNT  # noqa: PLW0603
        COUNT += 1
        Holder.made += 1
        self.rows.append(COUNT)


def now() -> tuple[int, int, list[int]]:
    return COUNT, Holder.made, list(Holder.rows)


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> Iterator[ClassState]:
    monkeypatch.setattr(class_state, "_places", {})
    noted = ClassState()
    noted.note({"agent": Holder()})
    yield noted
    noted.hold_apart(PATHS)
    begin_anew()


def test_places_are_those_that_the_agents_code_refers_to(state: ClassState) -> None:
    assert all(state.place_of(path) for path in PATHS)
    assert state.place_of("agent.__class__.rows[0]") is state.place_of("agent.__class__.rows")
    assert state.place_of("agent.other") is None


def test_places_that_are_apart_are_put_back(state: ClassState) -> None:
    Holder().update()
    assert state.hold_apart(PATHS)
    assert not state.hold_apart(PATHS)
    assert all(state.is_apart(path) for path in PATHS)
    held, before, rows = held_apart(), now(), Holder.rows
    assert len(held) == 3
    Holder().update()
    put_back(held)
    assert now() == before == (1, 1, [1, 1])
    assert Holder.rows is rows
    begin_anew()
    assert now() == (0, 0, [1])


def test_places_that_are_not_apart_are_left(state: ClassState) -> None:
    assert state.hold_apart(PATHS[:1])
    assert held_apart().keys() == {state.place_of(PATHS[0])}
    Holder().update()
    begin_anew()
    assert now() == (1, 0, [1, 1])
    assert not state.is_apart(PATHS[1])


def test_only_what_is_named_is_given(state: ClassState) -> None:
    state.hold_apart(PATHS)
    held = held_apart()
    Holder().update()
    state.give(held, [PATHS[0], "agent.other"])
    assert now() == (1, 0, [1, 1])


def test_of_differences_those_in_classes_are_shared_and_those_that_nobody_has_for_itself_common(
    state: ClassState,
) -> None:
    agent: Any = Holder()
    agent.own = 1
    before = look(agent)
    agent.update()
    agent.own = 2
    found = list(changes(before, look(agent)))
    assert {path.partition("[1]")[0] for path in shared(found)} == set(PATHS)
    assert "agent.own" not in shared(found)
    state.hold_apart(PATHS[:2])
    assert state.common(found) == {PATHS[2]}


def test_what_cannot_be_kept_is_not_apart(state: ClassState, monkeypatch: pytest.MonkeyPatch) -> None:
    state.hold_apart(PATHS[:1])
    place = state.place_of(PATHS[0])
    assert place is not None
    with monkeypatch.context() as patched:
        patched.delattr(Holder, "made")
        assert held_apart() == {}
    assert not place.apart
    assert not state.hold_apart(PATHS[:1])


def test_a_snapshot_without_anything_new_is_not_walked_again(
    state: ClassState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(class_state, "shared_places", None)
    state.note({"agent": Holder()}, look(Holder()))
    with pytest.raises(TypeError):
        ClassState().note({"agent": Holder()}, look(Holder()))
