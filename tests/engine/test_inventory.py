# SPDX-License-Identifier: MIT
"""What is known of an agent: losses and notes by path, and how often something was examined."""

from __future__ import annotations

import pytest

from verification.engine.inventory import Inventory, established
from verification.losses import RECORDED, SPREADS, Loss, Note


def loss(path: str, how: str = SPREADS) -> Loss:
    return Loss(name=path, path=path, part="counters", how=how)


def note(path: str, reason: str = "nothing reads it") -> Note:
    return Note(path, path, reason)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("agent.net", True),
        ("agent.net.weight", True),
        ("agent.net[0]", True),
        ("agent", True),
        ("agent.network", False),
        ("agent.other", False),
    ],
)
def test_a_loss_is_found_by_what_it_is_in_and_what_is_in_it(path: str, *, found: bool) -> None:
    inventory = Inventory()
    inventory.add(loss("agent.net"))
    assert inventory.loss_at(path) == (loss("agent.net") if found else None)
    assert established(path, ["agent.other_thing", "agent.net"]) is found


def test_what_turns_out_to_be_lost_is_no_note_any_more() -> None:
    inventory = Inventory()
    for path in ("agent.net.weight", "agent.x"):
        inventory.note(note(path))
    inventory.add(loss("agent.net"))
    assert list(inventory.notes) == ["agent.x"]


def test_what_is_lost_is_not_noted() -> None:
    inventory = Inventory()
    inventory.add(loss("agent.net"))
    inventory.note(note("agent.net.weight"))
    assert inventory.notes == {}


def test_a_later_loss_of_a_path_replaces_the_earlier() -> None:
    inventory = Inventory()
    inventory.add(loss("agent.x", RECORDED))
    inventory.add(loss("agent.x", SPREADS))
    assert inventory.losses == {"agent.x": loss("agent.x", SPREADS)}


def test_something_is_examined_so_many_times_with_each_kind_of_receiver() -> None:
    inventory = Inventory()
    wanted = [inventory.wants("agent.x", used=False, times=2, reach=1) for _ in range(4)]
    assert wanted == [True, True, False, False]
    assert inventory.wants("agent.x", used=True, times=2, reach=1)
    assert inventory.wants("agent.y", used=False, times=2, reach=1)


def test_it_is_examined_again_where_a_program_reaches_much_further() -> None:
    inventory = Inventory()
    reached = (10, 14, 16, 16, 24, 25)
    wanted = [inventory.wants("agent.x", used=False, times=1, reach=reach) for reach in reached]
    assert wanted == [True, False, True, False, False, True]


def test_a_copy_learns_for_itself() -> None:
    inventory = Inventory()
    inventory.add(loss("agent.x"))
    inventory.wants("agent.x", used=False, times=1, reach=1)
    other = inventory.copy()
    other.add(loss("agent.y"))
    other.note(note("agent.z"))
    assert list(inventory.losses) == ["agent.x"]
    assert inventory.notes == {}
    assert not other.wants("agent.x", used=False, times=1, reach=1)
    assert not inventory.wants("agent.x", used=False, times=2 - 1, reach=1)


def test_only_what_is_new_is_sent_and_learned() -> None:
    begun = Inventory()
    begun.add(loss("agent.old"))
    begun.note(note("agent.known"))
    begun.wants("agent.x", used=False, times=9, reach=1)
    worker = begun.copy()
    worker.add(loss("agent.new"))
    worker.add(loss("agent.old", RECORDED))
    worker.note(note("agent.fresh"))
    worker.note(note("agent.known", "for another reason"))
    worker.wants("agent.x", used=False, times=9, reach=1)

    news = worker.since(begun)
    assert news.losses == {"agent.new": loss("agent.new"), "agent.old": loss("agent.old", RECORDED)}
    assert news.notes == {
        "agent.fresh": note("agent.fresh"),
        "agent.known": note("agent.known", "for another reason"),
    }
    assert worker.since(worker.copy()) == Inventory()

    begun.learn(news)
    assert begun == worker
    assert begun.wants("agent.x", used=False, times=3, reach=1)
    assert not begun.wants("agent.x", used=False, times=3, reach=1)


def test_how_far_another_has_looked_is_learned() -> None:
    one, other = Inventory(), Inventory()
    one.wants("agent.x", used=False, times=1, reach=4)
    other.wants("agent.x", used=False, times=1, reach=10)
    one.learn(other)
    wanted = [one.wants("agent.x", used=False, times=1, reach=reach) for reach in (10, 15, 16)]
    assert wanted == [False, False, True]


def test_what_another_learned_to_be_lost_voids_a_note() -> None:
    one, other = Inventory(), Inventory()
    one.note(note("agent.x"))
    other.add(loss("agent.x"))
    one.learn(other)
    assert one.notes == {}
    other.learn(Inventory(notes={"agent.x": note("agent.x")}))
    assert other.notes == {}
