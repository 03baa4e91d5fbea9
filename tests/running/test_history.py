# SPDX-License-Identifier: MIT
"""What is said program by program comes to what would be said check by check."""

from __future__ import annotations

from typing import Any

from verification.checks.registry import all_checks, select
from verification.engine.inventory import Inventory
from verification.errors import CheckFailure, Inconclusive, NotApplicable, RefusedState
from verification.losses import SPREADS, Loss, Note, Piece
from verification.report.model import Verdict
from verification.running.check_run import CheckRun
from verification.running.history import History
from verification.running.program_run import ProgramRun

FIRST, SECOND = "counters_survive_reload", "next_steps_survive_reload"  # the second is asked after the first
CHECKS = [all_checks()[name] for name in (FIRST, SECOND)]
NEEDED, NEEDING = "runs_are_repeatable", "training_changes_the_agent"


def failure(*paths: str) -> CheckFailure:
    return CheckFailure("it broke", losses=[Loss(path, path, "counter", SPREADS) for path in paths])


def said(**history: Any) -> ProgramRun:
    """Of each check whether it counted, or what it raised."""
    return ProgramRun(
        [
            CheckRun(name, counted=True) if one is True else CheckRun(name, outcome=one or None)
            for name, one in history.items()
        ]
    )


def test_a_check_ends_with_the_first_program_that_it_fails() -> None:
    history = History(CHECKS, 5)
    for number, one in enumerate([True, True, failure("agent.x"), failure("agent.y"), True]):
        history.add(number, said(**{FIRST: one}))
    assert history.ended(CHECKS[0]) == 2
    tally = history.tally(CHECKS[0])
    assert (tally.drawn, tally.counted, str(tally.outcome)) == (3, 2, "it broke")
    assert history.known.lost[FIRST] == ("agent.x",)
    assert FIRST not in {check.name for checks in history.missing().values() for check in checks}


def test_an_earlier_program_that_is_asked_late_ends_it_too() -> None:
    history = History(CHECKS, 3)
    history.add(2, said(**{FIRST: failure("agent.x")}))
    history.add(0, said(**{FIRST: failure("agent.y")}))
    assert history.ended(CHECKS[0]) == 0
    assert history.known.lost[FIRST] == ("agent.y",)


def test_a_failure_is_asked_again_once_another_check_tells_of_its_loss() -> None:
    history = History(CHECKS, 4)
    history.add(0, said(**{FIRST: True, SECOND: failure("agent.x", "agent.y")}))
    assert history.ended(CHECKS[1]) == 0
    history.add(1, said(**{FIRST: failure("agent.x[0]")}))
    assert history.ended(CHECKS[1]) is None
    assert history.missing() == {number: [CHECKS[1]] for number in range(4)}
    again = CheckRun(SECOND, outcome=failure("agent.y"), reported=("agent.x[0]",))
    history.add(0, ProgramRun([again]))
    assert history.known.lost == {FIRST: ("agent.x[0]",), SECOND: ("agent.y",)}


def test_a_failure_stands_that_was_asked_to_put_back_what_others_tell_of() -> None:
    history = History(CHECKS, 1)
    reported = CheckRun(SECOND, outcome=failure("agent.x"), reported=("agent.x",))
    history.add(0, ProgramRun([CheckRun(FIRST, outcome=failure("agent.x")), reported]))
    assert history.ended(CHECKS[1]) == 0


def test_what_needs_a_failed_check_is_blocked_whatever_it_has_said() -> None:
    checks = select("protocol")
    history = History(checks, 2)
    history.add(0, said(**{NEEDED: True, NEEDING: failure("agent.x")}))
    assert history.failed().keys() == {NEEDING}
    history.add(1, said(**{NEEDED: Inconclusive("two runs differ")}))
    assert history.failed() == {NEEDED: None}
    assert NEEDING not in history.known.lost
    assert {check.name for one in history.missing().values() for check in one} == {
        "saving_writes_a_checkpoint"
    }


def test_a_check_that_has_to_count_is_waited_for() -> None:
    checks = select("protocol")
    history = History(checks, 2)
    loading = all_checks()["loading_restores_something"]
    assert history.known.verdicts == {NEEDING: Verdict.INCONCLUSIVE}
    history.add(0, said(**{NEEDED: True, NEEDING: None}))
    assert loading not in history.missing()[0]
    history.add(1, said(**{NEEDED: True, NEEDING: True}))
    assert loading in history.missing()[0]  # which has to be made up for
    assert history.failed() == {}


def test_a_check_that_had_to_count_and_never_has_is_a_failure() -> None:
    checks = select("protocol")
    history = History(checks, 1)
    history.add(0, said(**{NEEDED: True, NEEDING: None}))
    assert history.failed() == {NEEDING: None}


def test_what_does_not_apply_and_what_was_refused_are_no_failures() -> None:
    history = History(CHECKS, 2)
    history.add(0, said(**{FIRST: RefusedState("inf"), SECOND: NotApplicable("nothing to ask")}))
    assert history.ended(CHECKS[0]) is None
    assert history.ended(CHECKS[1]) == 0
    assert history.failed() == {}
    assert history.missing() == {1: [CHECKS[0]]}


def test_a_kept_program_that_fails_is_all_that_is_said() -> None:
    history = History(CHECKS, 2)
    history.add(-1, said(**{FIRST: failure("agent.x")}))
    history.add(0, said(**{FIRST: True}))
    tally = history.tally(CHECKS[0])
    assert (tally.drawn, tally.counted, tally.remembered) == (1, 0, True)


def test_fewer_programs_than_wanted_are_enough() -> None:
    dear = all_checks()["a_new_process_resumes_the_same"]
    history = History([CHECKS[0], dear], 20)
    history.add(0, ProgramRun([CheckRun(FIRST, counted=True)], programs={False: 2, True: 3}))
    assert history.missing() == {1: [CHECKS[0]], 2: [dear]}
    assert not history.is_whole(dear)
    history.add(2, said(**{dear.name: True}))
    assert history.is_whole(dear)


def test_what_was_seen_besides_is_told_once() -> None:
    history = History(CHECKS, 2)
    note = Note("agent.x", "agent.x", "nothing followed")
    loss = Loss("agent.y", "agent.y", "counter", SPREADS)
    for number, size in enumerate((3, 2)):
        pieces = tuple(Piece(f"agent.{one}", "same") for one in range(size))
        given = CheckRun(FIRST, counted=True, losses=(Loss(*vars(loss).values()),), judged=True)
        history.add(
            number, ProgramRun([given], {False: Inventory({}, {"agent.x": note})}, {}, {False: pieces})
        )
    tally = history.tally(CHECKS[0])
    assert (tally.notes, tally.losses, len(tally.pieces)) == ((note,), (loss,), 3)
    assert history.tally(CHECKS[1]).pieces == ()  # it has looked at no load
