# SPDX-License-Identifier: MIT
"""The report as data: verdicts, results, exit codes, and what blocks what."""

from __future__ import annotations

import dataclasses
import enum
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verification.losses import Loss, Note, Piece, merged, overlap, plain, without_losses
from verification.program import HORIZON

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from verification.shard import Shard

#: The layout of a report in JSON; goes up when a field changes its meaning.
SCHEMA = 1


class Verdict(enum.Enum):
    """What is known about a promise."""

    PASSED = "passed"
    FAILED = "failed"
    XFAILED = "xfailed"
    STALE = "stale"
    BLOCKED = "blocked"
    NOT_APPLICABLE = "not_applicable"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"

    def __str__(self) -> str:
        return self.value


#: Leaves that differ, of one thing, which a report shows; of the others it says how many there are.
LEAVES = 6

#: The verdicts that have a story.
DETAILED = frozenset({Verdict.FAILED, Verdict.STALE, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.XFAILED})


class ExitCode(enum.IntEnum):
    """Exit codes of ``verify check``."""

    CONFORMANT = 0
    FAILED = 1
    USAGE = 2
    INCONCLUSIVE = 3
    NOTHING_RAN = 5


@dataclass(frozen=True)
class Result:
    """The outcome of one check.

    Attributes:
        check: its name.
        level: its level's name.
        promise: what was promised, in one sentence.
        verdict: the outcome.
        sentence: why, in one sentence; empty if passed.
        differences: each leaf that differs, as text.
        paths: the leaves that differ.
        program: the shrunk program that shows it.
        examples: experiments that counted: the cold arm would have failed them.
        drawn: experiments that were run.
        seconds: how long they took.
        opaque: what could not be looked into, with its type.
        losses: every loss that was found while the check ran, also those that others report.
        notes: differences of which nothing follows.
        lost: paths of the losses that this check reports.
        replay: the ID under which the failing program is kept; empty if it is not.
        remembered: whether an earlier run had kept it, so that it was found without drawing anything.
        pieces: what became of each leaf of the agent in one load; in none of the forms for programs.
    """

    check: str
    level: str
    promise: str
    verdict: Verdict
    sentence: str = ""
    differences: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    program: str = ""
    examples: int = 0
    drawn: int = 0
    seconds: float = 0.0
    opaque: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()
    notes: tuple[Note, ...] = ()
    lost: tuple[str, ...] = ()
    replay: str = ""
    remembered: bool = False
    pieces: tuple[Piece, ...] = ()

    @property
    def failure(self) -> str:
        """The story of a failure as text; empty if there is none."""
        lines = [self.sentence, *(f"  {difference}" for difference in some(self.differences))]
        return "\n".join(lines) if self.verdict in {Verdict.FAILED, Verdict.XFAILED} else ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as JSON has it."""
        plain = dataclasses.asdict(dataclasses.replace(self, pieces=()))
        del plain["pieces"]
        return {**plain, "verdict": str(self.verdict)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Result:
        """The inverse of :meth:`to_dict`, without the pieces."""
        lists = {name: tuple(data[name]) for name in ("differences", "paths", "opaque", "lost")}
        lists["losses"] = tuple(Loss.from_dict(one) for one in data["losses"])
        lists["notes"] = tuple(Note(**one) for one in data["notes"])
        return cls(**{**data, **lists, "verdict": Verdict(data["verdict"])})


@dataclass(frozen=True)
class Report:
    """The results of all checks on one adapter.

    Attributes:
        adapter: its name.
        level: the level asked for.
        results: in the order of the checks, blocked ones marked.
        seed: with which the same examples are drawn again.
        environment: versions that decide about bits.
        strict: whether differences of which nothing follows fail the run, too.
        horizon: how many steps before a checkpoint and after it were looked at.
        not_run: what was not run, and how to have it run, in sentences.
        examples: experiments a check, of one that is as cheap as any; 0 if nobody knows.
        command: the start of a command that runs the same again; empty if there is none.
        shard: of which run it is a part, and which; ``None`` if it is a whole one.
        interrupted: whether the run was interrupted, so that fewer examples were run, or fewer checks.
    """

    adapter: str
    level: str
    results: tuple[Result, ...]
    seed: int
    environment: Mapping[str, str]
    strict: bool = False
    horizon: int = HORIZON
    not_run: tuple[str, ...] = ()
    examples: int = 0
    command: str = ""
    shard: Shard | None = None
    interrupted: bool = False

    def __str__(self) -> str:
        return self.summary()

    @property
    def ok(self) -> bool:
        """Whether everything that was promised was kept."""
        return self.exit_code is ExitCode.CONFORMANT

    @property
    def exit_code(self) -> ExitCode:
        """How the command ends."""
        counts = self.counts()
        if not any(counts[verdict] for verdict in Verdict if verdict is not Verdict.NOT_APPLICABLE):
            return ExitCode.NOTHING_RAN
        # What passes in one shard may fail in another, as it is expected to.
        stale = counts[Verdict.STALE] and self.shard is None
        if counts[Verdict.FAILED] or stale or counts[Verdict.ERROR]:
            return ExitCode.FAILED
        if counts[Verdict.INCONCLUSIVE]:
            return ExitCode.INCONCLUSIVE
        if self.strict and self.notes:
            return ExitCode.FAILED
        return ExitCode.CONFORMANT

    def counts(self) -> Counter[Verdict]:
        """How many checks got each verdict."""
        return Counter(result.verdict for result in self.results)

    def result(self, check: str) -> Result:
        """The result of one check."""
        return next(result for result in self.results if result.check == check)

    @property
    def lost(self) -> tuple[Loss, ...]:
        """Everything that is lost, over all checks; what affects training first."""
        return merged(loss for result in self.results for loss in result.losses)

    def reported_by(self, loss: Loss) -> Result | None:
        """The result of the check that reports a loss; a failure before one that was expected."""
        telling = [
            result
            for verdict in (Verdict.FAILED, Verdict.XFAILED)
            for result in self.results
            if result.verdict is verdict and any(overlap(loss.path, path) for path in result.lost)
        ]
        return telling[0] if telling else None

    @property
    def notes(self) -> tuple[Note, ...]:
        """Differences of which nothing follows, over all checks."""
        return without_losses((note for result in self.results for note in result.notes), self.lost)

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """What became of each leaf in one load: of the agent that shows the worst loss, or of the largest."""
        worst = next((told for loss in self.lost if (told := self.reported_by(loss))), None)
        if worst is not None and worst.pieces:
            return worst.pieces
        return max((result.pieces for result in self.results), key=len, default=())

    @property
    def opaque(self) -> tuple[str, ...]:
        """What no check could look into, each with its type."""
        return tuple(dict.fromkeys(one for result in self.results for one in result.opaque))

    def summary(self) -> str:
        """One line: who, which level, how it went."""
        counts = self.counts()
        numbers = ", ".join(
            f"{counts[verdict]} {verdict.value.replace('_', ' ')}" for verdict in Verdict if counts[verdict]
        )
        return f"{self.adapter} at level {self.level}: {numbers or 'nothing ran'}"

    def require(self, n: int) -> Report:
        """Fail if fewer than ``n`` checks passed, so that a run that checked too little is noticed.

        Raises:
            AssertionError: with the counts.
        """
        passed = self.counts()[Verdict.PASSED]
        if passed < n:
            raise AssertionError(f"{passed} checks passed, at least {n} were required ({self.summary()})")
        return self

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as JSON has it."""
        return {
            "schema": SCHEMA,
            "adapter": self.adapter,
            "level": self.level,
            "ok": self.ok,
            "exit_code": int(self.exit_code),
            "strict": self.strict,
            "seed": self.seed,
            "horizon": self.horizon,
            "not_run": list(self.not_run),
            "examples": self.examples,
            "command": self.command,
            "shard": str(self.shard or ""),
            "interrupted": self.interrupted,
            "environment": dict(self.environment),
            "counts": {str(verdict): count for verdict, count in self.counts().items()},
            "opaque": list(self.opaque),
            "lost": plain(self.lost),
            "notes": plain(self.notes),
            "results": [_without_shared(result.to_dict()) for result in self.results],
        }


def some(differences: Sequence[str]) -> list[str]:
    """As many differences as a report shows, and how many there are besides."""
    more = len(differences) - LEAVES
    rest = [f"and {more} more {'leaf' if more == 1 else 'leaves'}"] if more > 0 else []
    return [*differences[:LEAVES], *rest]


def _without_shared(result: dict[str, Any]) -> dict[str, Any]:
    """A result without what the report says once for all of them."""
    return {name: value for name, value in result.items() if name not in {"opaque", "losses", "notes"}}
