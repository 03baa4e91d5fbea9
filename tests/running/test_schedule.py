# SPDX-License-Identifier: MIT
"""Checks come behind what they build on, in their order where it is free, and not at all behind a failure."""

from __future__ import annotations

import pytest

from verification.checks.registry import all_checks, prerequisites, select
from verification.report.model import Verdict
from verification.running.schedule import Schedule


def test_one_at_a_time_they_come_in_their_order() -> None:
    checks = select("durable")
    schedule = Schedule(checks)
    for check in checks:
        assert schedule.is_active()
        assert schedule.next() is check
        schedule.done(check, Verdict.PASSED)
    assert not schedule.is_active()


def test_several_at_a_time_none_comes_before_its_prerequisites_are_done() -> None:
    schedule = Schedule(select("resume"))
    out: list[str] = []
    done: set[str] = set()
    while schedule.is_active():
        while check := schedule.next():
            assert done >= prerequisites(check.name)
            out.append(check.name)
        last = out.pop()  # the one that was handed out last is done first
        schedule.done(all_checks()[last], Verdict.PASSED)
        done.add(last)
    assert done == {check.name for check in select("resume")}


@pytest.mark.parametrize("verdict", list(Verdict))
def test_what_builds_on_a_check_that_did_not_pass_is_blocked_by_it(verdict: Verdict) -> None:
    first, *others = checks = select("protocol")
    schedule = Schedule(checks)
    assert schedule.next() is first
    schedule.done(first, verdict)
    blocking = verdict in {Verdict.FAILED, Verdict.XFAILED, Verdict.ERROR, Verdict.INCONCLUSIVE}
    for check in others:
        builds_on_it = first.name in prerequisites(check.name)
        assert schedule.blocked_by(check) == ([first.name] if blocking and builds_on_it else [])


def test_what_is_known_beforehand_counts_and_what_is_left_out_is_not_waited_for() -> None:
    name = "loading_restores_something"
    chosen = [all_checks()[name], all_checks()["loading_leaves_the_checkpoint_unchanged"]]
    schedule = Schedule(chosen, {name: Verdict.FAILED})
    first = schedule.next()
    assert first is chosen[0]
    assert schedule.next() is None
    schedule.done(first)  # passed over
    second = schedule.next()
    assert second is chosen[1]
    assert schedule.blocked_by(second) == [name]
