# SPDX-License-Identifier: MIT
"""What a report says first: is it safe to resume, what is lost, what survived, and what could not be seen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from verification.checks.registry import parse_level, select
from verification.levels import Level
from verification.losses import RECORDED
from verification.report.model import DETAILED, ExitCode, Report, Result, Verdict
from verification.report.wording import became, cure, follows, named, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verification.losses import Loss

#: What is safe, or not, with an agent that keeps, or breaks, the promises of a level.
_SAFE_TO = {
    Level.PROTOCOL: "check {}",
    Level.WEIGHTS: "act with a loaded {}",
    Level.TRAINING: "train on with a loaded {}",
    Level.RESUME: "resume {}",
    Level.DURABLE: "resume {}, whatever interrupts it",
    Level.PORTABLE: "resume {} anywhere",
}
#: What is known to come back where a check has passed.
SURVIVING = {
    "online_networks_survive_reload": "online networks",
    "targets_survive_reload": "target networks",
    "actions_survive_reload": "actions",
    "modes_survive_reload": "train and eval modes",
    "optimizer_state_survives_reload": "optimizer state",
    "objects_stay_bound": "links between objects",
    "counters_survive_reload": "counters",
    "hyper_parameters_survive_reload": "hyper-parameters",
    "schedules_survive_reload": "schedules",
    "generators_survive_reload": "random generators",
    "every_leaf_survives_reload": "everything else that was found",
}
# How many of what could not be looked into are named.
_OPAQUE = 6


def opening(report: Report) -> str:
    """Whether it is safe to resume, what is lost, what that changes and when, and what to do about it."""
    sentence = " ".join(_opening(report).split()).removesuffix(".")
    return f"{_interrupted(report)}{sentence}."


def _opening(report: Report) -> str:
    told = [loss for loss in report.lost if report.reported_by(loss) is not None]
    wrong = DETAILED - {Verdict.XFAILED}
    others = [result for result in report.results if result.verdict in wrong and not result.lost]
    if told:
        return f"{_unsafe(report, told)}: {_lost(told)}{_besides(others)}. {cure(told)}"
    failed = next((result for result in others if result.verdict is Verdict.FAILED), None)
    if failed:
        return f"{_unsafe(report, [])}: {failed.sentence}{_besides(others[1:])}"
    untold = f"; but {_lost(report.lost)}" if report.lost else ""
    match report.exit_code:
        case ExitCode.CONFORMANT:
            return f"{_safe(report)}{untold or _noted(report)}"
        case ExitCode.NOTHING_RAN:
            return f"Nothing is known about {report.adapter}: no check ran that had anything to compare"
        case ExitCode.INCONCLUSIVE:
            sentence = _first_sentence(_first(report, Verdict.INCONCLUSIVE).sentence)
            return f"Nothing can be said about {report.adapter}{untold}: {sentence}"
    if report.counts()[Verdict.ERROR]:
        return f"{report.adapter} could not be checked{untold}: {_first(report, Verdict.ERROR).sentence}"
    if report.counts()[Verdict.STALE]:
        stale = _first(report, Verdict.STALE)
        return f"{_safe(report)}{untold}; but {stale.check} was {stale.sentence}"
    return f"{_safe(report)}{untold}{_noted(report)}, which --strict does not allow"


def survived(report: Report) -> str:
    """What came back; empty if nothing was run."""
    passed = {result.check for result in report.results if result.verdict is Verdict.PASSED}
    names = [name for check, name in SURVIVING.items() if check in passed]
    but = ", but for what is noted" if report.notes else ""
    return f"Came back bit for bit{but}: {', '.join(names)}." if names else ""


def unseen(report: Report) -> str:
    """What could not be looked into, and what that means; empty if there is nothing."""
    if not report.opaque:
        return ""
    return (
        f"Could not look into {named(report.opaque, _OPAQUE)}: what is lost in there shows only if "
        "actions or training come to differ."
    )


def looked(report: Report) -> str:
    """How far was looked, and what that means; empty if nothing was."""
    if not any(result.drawn for result in report.results):
        return ""
    one = "1 step" if report.horizon == 1 else f"{report.horizon} steps"
    return (
        f"Looked {one} far: some programs train that long before a checkpoint, and a difference that nothing "
        f"decides is followed for as long after the load, at least. What is lost only later is not seen; a "
        "larger horizon looks further."
    )


def limits(report: Report) -> list[str]:
    """What the report cannot say: what was not seen, how far was looked, and what was not run."""
    return list(filter(None, (unseen(report), looked(report), *report.not_run)))


def first_screen(report: Report) -> list[str]:
    """What stands right below the opening where there is no place for the limits farther below."""
    return list(filter(None, (survived(report), *limits(report))))


def _interrupted(report: Report) -> str:
    """That this is no whole run; empty if it is one."""
    asked = sum(result.drawn for result in report.results)
    return f"The run was interrupted after {asked} examples. As far as it got: " if report.interrupted else ""


def _unsafe(report: Report, losses: Sequence[Loss]) -> str:
    expected = ", as expected" if report.ok else ""
    if losses and all(loss.how == RECORDED for loss in losses):
        return f"{report.adapter} trains on exactly, but does not resume with all that it had{expected}"
    return f"Not safe to {_SAFE_TO[parse_level(report.level)].format(report.adapter)}{expected}"


def _safe(report: Report) -> str:
    wanted = [one.name for one in select(report.level)]
    asked = {result.check for result in report.results if result.verdict is not Verdict.BLOCKED}
    missing = [name for name in wanted if name not in asked]
    if missing or report.interrupted:
        number = f"{len(wanted) - len(missing)} of the {len(wanted)} checks at level {report.level}"
        return f"{report.adapter} keeps what it was checked for, in {number}"
    lossless = "" if report.lost else ": nothing is lost"
    return f"Safe to {_SAFE_TO[parse_level(report.level)].format(report.adapter)}{lossless}"


def _lost(losses: Sequence[Loss]) -> str:
    """What is lost, and what that changes and when."""
    effect = follows(losses[0])
    without = f"without {quoted(losses[0].name)}, " if len(losses) > 1 else ""
    return f"{became(losses)}; {without}{effect}" if effect else became(losses)


def _besides(others: Sequence[Result]) -> str:
    if not others:
        return ""
    checks = "another check" if len(others) == 1 else f"{len(others)} other checks"
    return f"; {checks} went wrong, too"


def _noted(report: Report) -> str:
    number = len(report.notes)
    if not number:
        return ""
    return f"; {number} {'difference has' if number == 1 else 'differences have'} no consequence"


def _first_sentence(text: str) -> str:
    """What happened, without what to do about it, which is told below."""
    return re.split(r"\.\s+(?=[A-Z])", text, maxsplit=1)[0]


def _first(report: Report, verdict: Verdict) -> Result:
    return next(result for result in report.results if result.verdict is verdict)
