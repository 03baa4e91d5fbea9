# SPDX-License-Identifier: MIT
"""What a report tells, in the order and the words of all its forms: the losses, then what else went wrong."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verification.losses import overlap
from verification.report.hints import hint
from verification.report.model import DETAILED, Report, Result, Verdict, some
from verification.report.wording import called, line

if TYPE_CHECKING:
    from verification.losses import Loss

#: What stands before the leaves that differ, and before a program.
VALUES = "What differs:"
PROGRAM = "The shortest program found that shows it:"
EXAMPLES = (
    "Examples: how many of those tried count. One counts where an agent that had loaded nothing would not "
    "have passed; the others prove nothing."
)
_NOBODY = "None of the checks that ran promises that this survives."


@dataclass(frozen=True)
class Entry:
    """One line, and what it opens into.

    Attributes:
        title: the line.
        verdict: of the check that reports it.
        facts: what is known, as pairs of a word and a sentence.
        values: the leaves that differ.
        program: of the fewest steps that were found to show it.
        commands: pairs of a word and a command that shows it again.
        hint: what usually fixes it, which is among the facts, too.
        loss: that it reports; ``None`` if it is another failure.
    """

    title: str
    verdict: Verdict
    facts: tuple[tuple[str, str], ...] = ()
    values: tuple[str, ...] = ()
    program: str = ""
    commands: tuple[tuple[str, str], ...] = ()
    hint: str = ""
    loss: Loss | None = None

    def as_text(self) -> str:
        """All of it as plain lines."""
        program = [PROGRAM, self.program] if self.program else []
        values = [VALUES, *(f"  {value}" for value in self.values)] if self.values else []
        told = [f"{word}: {sentence}" for word, sentence in self.facts]
        again = [f"{word}: {command}" for word, command in self.commands]
        return "\n".join([self.title, *told, *values, *program, *again])


def losses(report: Report, command: str = "") -> list[Entry]:
    """An entry for each loss, the worst first.

    Args:
        report: what was found.
        command: the start of a command that runs a check of this adapter again.
    """
    found: list[Entry] = []
    first: dict[str, str] = {}  # of the losses that a check reports
    for loss in report.lost:
        result = report.reported_by(loss)
        entry = _of_loss(report, loss, result, command)
        if result is not None and first.setdefault(result.check, loss.name) != loss.name:
            facts = (*entry.facts, ("Program", f"the one of {called(first[result.check])}."))
            entry = dataclasses.replace(entry, facts=facts, program="", commands=())
        found.append(entry)
    return found


def findings(report: Report, command: str = "") -> list[Entry]:
    """An entry for each check that went wrong and reports no loss."""
    told = [result for result in report.results if result.verdict in DETAILED and not result.lost]
    return [_of_result(report, result, command) for result in told]


def pointer(report: Report, result: Result) -> str:
    """What a table says behind a verdict: the losses that the check reports, or what it waits for."""
    if result.lost:
        named = (loss for loss in report.lost if any(overlap(loss.path, path) for path in result.lost))
        names = [loss.name for loss in named]
        return f"loses {', '.join(names)}" if names else ""
    return result.sentence if result.verdict in {Verdict.BLOCKED, Verdict.NOT_APPLICABLE} else ""


def noted(report: Report) -> str:
    """The heading of the notes."""
    number = len(report.notes)
    return f"{number} {'difference' if number == 1 else 'differences'} of which nothing follows"


def environment(report: Report) -> str:
    """What decides about bits."""
    versions = ", ".join(f"{name} {version}" for name, version in report.environment.items())
    return f"seed {report.seed}; {versions}"


def not_run(report: Report) -> dict[str, list[str]]:
    """The checks that were not run, by what has blocked them."""
    found: dict[str, list[str]] = {}
    for result in report.results:
        if result.verdict is Verdict.BLOCKED:
            found.setdefault(result.sentence, []).append(result.check)
    return found


def _of_loss(report: Report, loss: Loss, result: Result | None, command: str) -> Entry:
    usual = _sentence(hint(loss, report.lost))
    facts = [
        ("Promise", f"{result.promise} ({result.check})" if result else _NOBODY),
        ("When", _sentence(_when(result)) if result else ""),
        ("Shown by", _sentence(loss.experiment)),
        ("Hint", usual),
    ]
    return Entry(
        line(loss),
        result.verdict if result else Verdict.NOT_APPLICABLE,
        tuple((word, text) for word, text in facts if text),
        tuple(some(loss.differences)),
        _program(result) if result else "",
        _commands(report, result, command) if result else (),
        usual,
        loss,
    )


def _when(result: Result) -> str:
    """The sentence of a failure without the losses that follow it, but with why it was expected."""
    head, _, rest = result.sentence.partition(": ")
    _, bracket, excuse = rest.rpartition(" [")
    return f"{head}{bracket}{excuse}" if excuse.endswith("]") else head


def _of_result(report: Report, result: Result, command: str) -> Entry:
    facts = [] if result.verdict is Verdict.ERROR else [("Promise", result.promise)]
    return Entry(
        f"{result.check}: {_sentence(result.sentence)}",
        result.verdict,
        tuple(facts),
        tuple(some(result.differences)),
        _program(result),
        _commands(report, result, command),
    )


def _program(result: Result) -> str:
    return result.program if result.verdict is Verdict.FAILED else ""


def _commands(report: Report, result: Result, command: str) -> tuple[tuple[str, str], ...]:
    if result.verdict not in {Verdict.FAILED, Verdict.INCONCLUSIVE}:
        return ()
    found = []
    if result.replay:
        found += [
            ("Script", f"verify replay {result.replay} --script"),
            ("Again", f"verify replay {result.replay}"),
        ]
    # The seed of this run says nothing about a program that an earlier run has found.
    if command and not result.remembered:
        word = "or" if result.replay else "Again"
        found.append((word, f"{command} --check {result.check} --seed {report.seed}"))
    return tuple(found)


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    first = text[:1].upper() if text.partition(" ")[0].isalpha() else text[:1]
    return f"{first}{text[1:]}{'.' if text and text[-1] not in '.?!' else ''}"
