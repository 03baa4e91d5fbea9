# SPDX-License-Identifier: MIT
"""What has changed between two reports: what got lost since, what was mended, what is not known any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from verification.losses import overlap
from verification.report.model import ExitCode, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from verification.report.model import Result
    from verification.report.saved import ReportedLoss, SavedReport

#: The verdicts of a check that was run to its end.
_ANSWERED = frozenset({Verdict.PASSED, Verdict.FAILED, Verdict.XFAILED, Verdict.STALE})
_WRONG = frozenset({Verdict.FAILED, Verdict.XFAILED, Verdict.ERROR})
_KEPT = frozenset({Verdict.PASSED, Verdict.STALE})


@dataclass(frozen=True)
class Since:
    """What has changed, each entry a line.

    Attributes:
        lost: what came back bit for bit in the old report, and does not in the new one.
        mended: what was lost in the old report, and comes back in the new one.
        unknown: what the old report can tell, and the new one cannot.
        new: what the old report had not run, and is wrong in the new one, or differs without consequence.
        still: what is lost in both.
        circumstances: in what the runs were not alike.
    """

    lost: tuple[str, ...] = ()
    mended: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    still: tuple[str, ...] = ()
    circumstances: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """How the command ends."""
        if self.lost:
            return ExitCode.FAILED
        return ExitCode.INCONCLUSIVE if self.unknown else ExitCode.CONFORMANT


def changes_since(old: SavedReport, new: SavedReport) -> Since:
    """What has changed from one report to another.

    A loss counts as the same if one of its two paths lies in the other; if it is wider now, more got lost.
    """
    lines: dict[str, list[str]] = {"lost": [], "mended": [], "unknown": [], "new": [], "still": []}
    for kind, line in (*_losses(old, new), *_checks(old, new), *_notes(old, new)):
        lines[kind].append(line)
    return Since(
        **{kind: tuple(told) for kind, told in lines.items()}, circumstances=tuple(_unlike(old, new))
    )


def _losses(old: SavedReport, new: SavedReport) -> Iterator[tuple[str, str]]:
    for loss in new.lost:
        before = [one for one in old.lost if overlap(one.path, loss.path)]
        if not before:
            yield (
                ("lost", _told(loss))
                if _checked(old, loss)
                else ("new", f"{_told(loss)}, which was not checked before")
            )
        elif all(len(one.path) > len(loss.path) for one in before):
            yield "lost", f"{_told(loss)}; before, only {', '.join(one.name for one in before)}"
        else:
            yield "still", loss.name
    for loss in old.lost:
        if any(overlap(one.path, loss.path) for one in new.lost):
            continue
        if any(overlap(note.path, loss.path) for note in new.notes):
            yield "still", f"{loss.name}, but nothing follows from it now"
        elif new.interrupted:
            yield "unknown", f"{loss.name} was lost, and the run was interrupted before it showed"
        elif _checked(new, loss):
            yield "mended", f"{loss.name} comes back"
        else:
            yield "unknown", f"{loss.name} was lost, and was not checked again"


def _told(loss: ReportedLoss) -> str:
    return f"{loss} ({loss.check})" if loss.check else str(loss)


def _checked(report: SavedReport, loss: ReportedLoss) -> bool:
    """Whether a run would have reported a loss."""
    if not loss.check:  # no check promises that it survives: it was seen on the way
        return any(result.verdict in _ANSWERED for result in report.results.values())
    result = report.results.get(loss.check)
    return result is not None and result.verdict in _ANSWERED


def _checks(old: SavedReport, new: SavedReport) -> Iterator[tuple[str, str]]:
    """Checks that report no loss; of the others the losses tell."""
    for name, result in new.results.items():
        before = old.results.get(name)
        if result.verdict in _WRONG and not result.lost:
            if before is not None and before.verdict in _KEPT:
                yield "lost", f"{name} {_answer(result)}"
            elif before is None or before.verdict not in _WRONG:
                yield "new", f"{name} {_answer(result)}, which was not known before"
            else:
                yield "still", f"{name} ({_word(result)})"
        elif result.verdict in _KEPT and before is not None and before.verdict in _WRONG and not before.lost:
            if new.interrupted:
                yield "unknown", f"{name} did not pass, and the run was interrupted before it failed"
            else:
                yield "mended", f"{name} passes"
    for name, before in old.results.items():
        now = new.results.get(name)
        if before.verdict in _KEPT and (now is None or now.verdict not in _ANSWERED | _WRONG):
            yield "unknown", f"{name} passed, and {_answer(now) if now else 'was not run'} now"


def _answer(result: Result) -> str:
    sentence = f" ({' '.join(result.sentence.split())})" if result.sentence else ""
    return f"is {_word(result)}{sentence}"


def _word(result: Result) -> str:
    return str(result.verdict).replace("_", " ")


def _notes(old: SavedReport, new: SavedReport) -> Iterator[tuple[str, str]]:
    seen = [*(note.path for note in old.notes), *(loss.path for loss in old.lost)]
    for note in new.notes:
        if not any(overlap(note.path, path) for path in seen):
            yield "new", f"{note} (nothing follows from it)"


def _unlike(old: SavedReport, new: SavedReport) -> Iterator[str]:
    for name in ("adapter", "level", "seed"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield f"{name} {before} before, {after} now"
    for which, report in (("earlier", old), ("later", new)):
        if report.interrupted:
            yield f"the {which} run was interrupted"
    yield from _versions(old.environment, new.environment)


def _versions(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in {**old, **new}:
        before, after = old.get(name, "unknown"), new.get(name, "unknown")
        if before != after:
            yield f"{name} {before} before, {after} now"
