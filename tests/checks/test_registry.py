# SPDX-License-Identifier: MIT
"""The registry knows every check, its promise and what it builds on, and helps with misspelt names."""

from __future__ import annotations

import re

import pytest

from verification.checks.registry import Check, all_checks, check, earlier, parse_level, prerequisites, select
from verification.errors import UsageError, nearest
from verification.levels import Level


@pytest.mark.parametrize("name", all_checks())
def test_every_check_says_its_promise_and_the_reason(name: str) -> None:
    one = all_checks()[name]
    assert re.fullmatch(r"[A-Z].+\.", one.promise)
    assert re.fullmatch(r"[A-Z].+\.", one.reason)
    assert "\n" not in one.promise + one.reason


def test_promise_and_reason_are_the_paragraphs_of_a_docstring() -> None:
    def question(experiment: object) -> None:
        """A promise,
        in two lines.

        A reason,
        too.

        And another.
        """

    one = Check("question", Level.TRAINING, question)
    assert one.promise == "A promise, in two lines."
    assert one.reason == "A reason, too. And another."
    assert (one.needs, one.after, one.closed_loop, one.cost, one.never_counted) == ((), (), False, 1, "")
    silent = Check("silent", Level.TRAINING, lambda _: None)
    assert (silent.promise, silent.reason) == ("", "")


def test_checks_are_what_they_were_registered_as() -> None:
    checks = all_checks()
    assert all_checks() is checks
    assert list(checks) == sorted(checks, key=lambda name: checks[name].level)
    assert checks["runs_are_repeatable"].cost == 1
    assert not checks["runs_are_repeatable"].closed_loop
    assert checks["resume_equals_uninterrupted"].closed_loop
    assert checks["a_new_process_resumes_the_same"].cost == 5


def test_checks_come_behind_their_prerequisites_lower_levels_first() -> None:
    names = list(all_checks())
    for position, name in enumerate(names):
        assert prerequisites(name) <= set(names[:position])
    levels = [one.level for one in all_checks().values()]
    assert levels == sorted(levels)
    assert set(levels) == set(Level)


def test_no_check_builds_on_one_of_a_higher_level() -> None:
    checks = all_checks()
    assert all(checks[before].level <= one.level for one in checks.values() for before in one.after)


def test_prerequisites_are_transitive() -> None:
    wanted = prerequisites("resume_equals_uninterrupted")
    assert {"a_checkpoint_is_a_snapshot", "saving_writes_a_checkpoint", "runs_are_repeatable"} <= wanted
    assert "resume_equals_uninterrupted" not in wanted
    assert prerequisites("runs_are_repeatable") == frozenset()


def test_what_goes_before_is_transitive_and_needs_not_pass() -> None:
    before = earlier("resume_equals_uninterrupted")
    assert {"next_steps_survive_reload", "targets_survive_reload"} <= before
    assert prerequisites("resume_equals_uninterrupted") < before
    assert "targets_survive_reload" not in prerequisites("resume_equals_uninterrupted")


def test_a_level_includes_the_ones_below() -> None:
    counts = [len(select(level)) for level in Level]
    assert counts == sorted(set(counts))
    assert counts[-1] == len(all_checks())
    assert {one.level for one in select(Level.WEIGHTS)} == {Level.PROTOCOL, Level.WEIGHTS}


def test_named_checks_bring_their_prerequisites_whatever_the_level() -> None:
    chosen = [one.name for one in select("protocol", ["targets_survive_reload"])]
    assert set(chosen) == {"targets_survive_reload", *prerequisites("targets_survive_reload")}
    assert chosen[-1] == "targets_survive_reload"


@pytest.mark.parametrize("text", ["resume", "RESUME", "Resume", Level.RESUME], ids=repr)
def test_levels_are_found_by_name(text: str) -> None:
    assert parse_level(text) is Level.RESUME
    assert str(parse_level(text)) == "resume"


def test_levels_are_ordered_and_each_has_a_promise() -> None:
    assert [str(level) for level in Level] == [
        "protocol",
        "weights",
        "training",
        "resume",
        "durable",
        "portable",
    ]
    assert all(level.promise.endswith(".") for level in Level)


def test_a_misspelt_check_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        select("resume", ["target_survives_reload"])
    assert str(caught.value) == (
        "there is no check 'target_survives_reload'; did you mean 'targets_survive_reload'? "
        "`verify list` shows all of them"
    )


def test_a_misspelt_level_is_answered_with_the_nearest_and_all() -> None:
    with pytest.raises(UsageError) as caught:
        parse_level("trainig")
    assert str(caught.value) == (
        "there is no level 'trainig'; did you mean 'training'? "
        "levels are protocol, weights, training, resume, durable, portable"
    )


def test_nothing_near_suggests_nothing() -> None:
    assert nearest("zzzz", ["abc"]) == ""
    assert nearest("abd", ["abc", "xyz"]) == "did you mean 'abc'? "


def test_two_checks_of_one_name_are_refused() -> None:
    def runs_are_repeatable(experiment: object) -> None: ...

    all_checks()
    with pytest.raises(ValueError, match="two checks named runs_are_repeatable"):
        check(level=Level.PROTOCOL)(runs_are_repeatable)
