# SPDX-License-Identifier: MIT
"""Verdicts that depend on more than one check: blocked, expected and stale."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from verification.checks.registry import earlier, prerequisites
from verification.report.model import Result, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from verification.expected_failures.entries import Expectation

_BLOCKING = frozenset({Verdict.FAILED, Verdict.XFAILED, Verdict.ERROR, Verdict.INCONCLUSIVE})


def blocked_by(check: str, verdicts: Mapping[str, Verdict]) -> list[str]:
    """The prerequisites of a check that did not pass, in the order given."""
    wanted = prerequisites(check)
    return [name for name, verdict in verdicts.items() if name in wanted and verdict in _BLOCKING]


def blocked(check: str, level: str, promise: str, causes: list[str]) -> Result:
    """The result of a check that was not run because of its prerequisites."""
    return Result(check, level, promise, Verdict.BLOCKED, f"blocked by {', '.join(causes)}")


def established_before(check: str, lost: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Paths of the losses that checks before this one report: they are put back, and not reported again.

    Args:
        check: its name.
        lost: the paths that each failed check reports, by its name.
    """
    before = earlier(check)
    return tuple(path for name, paths in lost.items() if name in before for path in paths)


def mark_expected(results: Iterable[Result], expected: Mapping[str, Expectation]) -> list[Result]:
    """Turn failures that were expected into ``xfailed``, and their unexpected passes into ``stale``.

    An entry that has expired, or is for other versions of torch, excuses nothing; the failure says so.
    """
    marked: list[Result] = []
    for result in results:
        entry = expected.get(result.check)
        if entry is not None and result.verdict is Verdict.FAILED:
            if entry.void:
                sentence = f"{result.sentence} [{entry.void}: {entry.why}]"
                marked.append(dataclasses.replace(result, sentence=sentence))
            else:
                sentence = f"{result.sentence} [expected: {entry.why}]"
                marked.append(dataclasses.replace(result, verdict=Verdict.XFAILED, sentence=sentence))
        elif entry is not None and result.verdict is Verdict.PASSED and not entry.void:
            sentence = f"expected to fail ({entry.why}), but it passes: remove the entry"
            marked.append(dataclasses.replace(result, verdict=Verdict.STALE, sentence=sentence))
        else:
            marked.append(result)
    return marked
