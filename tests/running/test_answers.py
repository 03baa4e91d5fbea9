# SPDX-License-Identifier: MIT
"""What is said program by program comes to what would be said check by check."""

from __future__ import annotations

from typing import Any

from verification.checks.registry import all_checks, select
from verification.engine.inventory import Inventory
from verification.errors import CheckFailure, Inconclusive, NotApplicable, RefusedState
from verification.losses import SPREADS, Loss, Note, Piece
from verification.report.model import Verdict
from verification.running.answers import Answers
from verification.running.asking import Answer
from verification.running.interview import Said

FIRST, SECOND = "counters_survive_reload", "next_steps_survive_reload"  # the second is asked after the first
CHECKS = [all_checks()[name] for name in (FIRST, SECOND)]
NEEDED, NEEDING = "runs_are_repeatable", "training_changes_the_agent"


def failure(*paths: str) -> CheckFailure:
    return CheckFailure("it broke", losses=[Loss(path, path, "counter", SPREADS) for path in paths])


def said(**answers: Any) -> Said:
    """Of each check whether it counted, or what it raised."""
    return Said(
        [
            Answer(name, counted=True) if one is True else Answer(name, outcome=one or None)
            for name, one in answers.items()
        ]
    )


def test_a_check_ends_with_the_first_program_that_it_fails() -> None:
    answers = Answers(CHECKS, 5)
    for number, one in enumerate([True, True, failure("agent.x"), failure("agent.y"), True]):
        answers.add(number, said(**{FIRST: one}))
    assert answers.ended(CHECKS[0]) == 2
    tally = answers.tally(CHECKS[0])
    assert (tally.drawn, tally.counted, str(tally.outcome)) == (3, 2, "it broke")
    assert answers.known.lost[FIRST] == ("agent.x",)
    assert FIRST not in {check.name for checks in answers.missing().values() for check in checks}


def test_an_earlier_program_that_is_asked_late_ends_it_too() -> None:
    answers = Answers(CHECKS, 3)
    answers.add(2, said(**{FIRST: failure("agent.x")}))
    answers.add(0, said(**{FIRST: failure("agent.y")}))
    assert answers.ended(CHECKS[0]) == 0
    assert answers.known.lost[FIRST] == ("agent.y",)


def test_a_failure_is_asked_again_once_another_check_tells_of_its_loss() -> None:
    answers = Answers(CHECKS, 4)
    answers.add(0, said(**{FIRST: True, SECOND: failure("agent.x", "agent.y")}))
    assert answers.ended(CHECKS[1]) == 0
    answers.add(1, said(**{FIRST: failure("agent.x[0]")}))
    assert answers.ended(CHECKS[1]) is None
    assert answers.missing() == {number: [CHECKS[1]] for number in range(4)}
    again = Answer(SECOND, outcome=failure("agent.y"), told=("agent.x[0]",))
    answers.add(0, Said([again]))
    assert answers.known.lost == {FIRST: ("agent.x[0]",), SECOND: ("agent.y",)}


def test_a_failure_stands_that_was_asked_to_put_back_what_others_tell_of() -> None:
    answers = Answers(CHECKS, 1)
    told = Answer(SECOND, outcome=failure("agent.x"), told=("agent.x",))
    answers.add(0, Said([Answer(FIRST, outcome=failure("agent.x")), told]))
    assert answers.ended(CHECKS[1]) == 0


def test_what_needs_a_failed_check_is_blocked_whatever_it_has_said() -> None:
    checks = select("protocol")
    answers = Answers(checks, 2)
    answers.add(0, said(**{NEEDED: True, NEEDING: failure("agent.x")}))
    assert answers.failed().keys() == {NEEDING}
    answers.add(1, said(**{NEEDED: Inconclusive("two runs differ")}))
    assert answers.failed() == {NEEDED: None}
    assert NEEDING not in answers.known.lost
    assert {check.name for one in answers.missing().values() for check in one} == {
        "saving_writes_a_checkpoint"
    }


def test_a_check_that_has_to_count_is_waited_for() -> None:
    checks = select("protocol")
    answers = Answers(checks, 2)
    loading = all_checks()["loading_restores_something"]
    assert answers.known.verdicts == {NEEDING: Verdict.INCONCLUSIVE}
    answers.add(0, said(**{NEEDED: True, NEEDING: None}))
    assert loading not in answers.missing()[0]
    answers.add(1, said(**{NEEDED: True, NEEDING: True}))
    assert loading in answers.missing()[0]  # which has to be made up for
    assert answers.failed() == {}


def test_a_check_that_had_to_count_and_never_has_is_a_failure() -> None:
    checks = select("protocol")
    answers = Answers(checks, 1)
    answers.add(0, said(**{NEEDED: True, NEEDING: None}))
    assert answers.failed() == {NEEDING: None}


def test_what_does_not_apply_and_what_was_refused_are_no_failures() -> None:
    answers = Answers(CHECKS, 2)
    answers.add(0, said(**{FIRST: RefusedState("inf"), SECOND: NotApplicable("nothing to ask")}))
    assert answers.ended(CHECKS[0]) is None
    assert answers.ended(CHECKS[1]) == 0
    assert answers.failed() == {}
    assert answers.missing() == {1: [CHECKS[0]]}


def test_a_kept_program_that_fails_is_all_that_is_said() -> None:
    answers = Answers(CHECKS, 2)
    answers.add(-1, said(**{FIRST: failure("agent.x")}))
    answers.add(0, said(**{FIRST: True}))
    tally = answers.tally(CHECKS[0])
    assert (tally.drawn, tally.counted, tally.remembered) == (1, 0, True)


def test_fewer_programs_than_wanted_are_enough() -> None:
    dear = all_checks()["a_new_process_resumes_the_same"]
    answers = Answers([CHECKS[0], dear], 20)
    answers.add(0, Said([Answer(FIRST, counted=True)], programs={False: 2, True: 3}))
    assert answers.missing() == {1: [CHECKS[0]], 2: [dear]}
    assert not answers.is_whole(dear)
    answers.add(2, said(**{dear.name: True}))
    assert answers.is_whole(dear)


def test_what_was_seen_besides_is_told_once() -> None:
    answers = Answers(CHECKS, 2)
    note = Note("agent.x", "agent.x", "nothing followed")
    loss = Loss("agent.y", "agent.y", "counter", SPREADS)
    for number, size in enumerate((3, 2)):
        pieces = tuple(Piece(f"agent.{one}", "same") for one in range(size))
        given = Answer(FIRST, counted=True, losses=(Loss(*vars(loss).values()),), judged=True)
        answers.add(number, Said([given], {False: Inventory({}, {"agent.x": note})}, {}, {False: pieces}))
    tally = answers.tally(CHECKS[0])
    assert (tally.notes, tally.losses, len(tally.pieces)) == ((note,), (loss,), 3)
    assert answers.tally(CHECKS[1]).pieces == ()  # it has looked at no load
