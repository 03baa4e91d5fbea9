# SPDX-License-Identifier: MIT
"""Makes one report of those of the shards of a run, as if everything had been run at once."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from verification.checks.registry import all_checks
from verification.engine.inventory import established
from verification.errors import UsageError
from verification.losses import Loss, merged
from verification.report.model import Report, Result, Verdict
from verification.report.verdicts import blocked, blocked_by, established_before
from verification.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from verification.report.saved import SavedReport

#: Of the verdicts of the shards on one check, the one that holds is the first of these.
_FIRST = (
    Verdict.FAILED,
    Verdict.ERROR,
    Verdict.INCONCLUSIVE,
    Verdict.XFAILED,  # before stale: that it passes in one shard says nothing about the others
    Verdict.STALE,
    Verdict.PASSED,
    Verdict.BLOCKED,
    Verdict.NOT_APPLICABLE,
)
#: Verdicts that stand although a check that this one needs has failed in another shard.
_STANDING = frozenset({Verdict.FAILED, Verdict.ERROR, Verdict.INCONCLUSIVE})


def merge(saved: Mapping[Path, SavedReport]) -> Report:
    """One report of those of all shards of a run, by their files.

    Raises:
        UsageError: in one sentence, for a report of no shard, one of another run, and one that is missing.
    """
    _refuse_incomplete({file: _shard_of(file, one) for file, one in saved.items()})
    (first_file, first), *others = saved.items()
    for file, other in others:
        if unlike := next(_unlike(first, other), ""):
            raise UsageError(f"{file} is of another run than {first_file}: {unlike}")
    platforms = dict.fromkeys(one.environment.get("platform", "") for one in saved.values())
    remarks = {_shard_of(file, one).remark for file, one in saved.items()}
    not_run = dict.fromkeys(sentence for one in saved.values() for sentence in one.not_run)
    return Report(
        first.adapter,
        first.level,
        tuple(_results([_with_what_is_shared(one) for one in saved.values()])),
        first.seed,
        {**first.environment, "platform": "; ".join(filter(None, platforms))},
        strict=first.strict,
        horizon=first.horizon,
        not_run=tuple(sentence for sentence in not_run if sentence not in remarks),
        examples=first.examples,
        command=first.command,
    )


def _shard_of(file: Path, saved: SavedReport) -> Shard:
    if not saved.shard:
        raise UsageError(f"{file} is the report of a whole run; merge those of verify check --shard")
    if saved.interrupted:
        raise UsageError(f"{file} is of a shard that was interrupted; run it again")
    return Shard.parse(saved.shard)


def _refuse_incomplete(shards: Mapping[Path, Shard]) -> None:
    """Refuse shards of which one is there twice, or not at all."""
    first = next(iter(shards.values()))
    known: dict[int, Path] = {}
    for file, shard in shards.items():
        if shard.of != first.of:
            raise UsageError(f"{file} is shard {shard}, and others are of {first.of}; give those of one run")
        if shard.number in known:
            raise UsageError(
                f"{known[shard.number]} and {file} are both shard {shard}; give each of them once"
            )
        known[shard.number] = file
    missing = [str(Shard(number, first.of)) for number in range(1, first.of + 1) if number not in known]
    if missing:
        raise UsageError(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing; give all shards"
        )


def _unlike(one: SavedReport, other: SavedReport) -> Iterator[str]:
    """In what two reports are not of one run, each thing in words."""
    for name in ("adapter", "level", "seed", "examples", "horizon", "strict"):
        if getattr(one, name) != getattr(other, name):
            yield f"its {name} is {getattr(other, name)}, not {getattr(one, name)}"
    for name in sorted(one.environment.keys() | other.environment.keys()):
        versions = [saved.environment.get(name, "not known") for saved in (one, other)]
        if name != "platform" and versions[0] != versions[1]:
            yield f"it ran with {name} {versions[1]}, not {versions[0]}"
    if list(one.results) != list(other.results):
        yield "other checks were run"


def _with_what_is_shared(saved: SavedReport) -> dict[str, Result]:
    """The results of a shard, with what its report says once for all of them."""
    results = dict(saved.results)
    if results:
        first = next(iter(results))  # of a report it makes no difference which has them
        losses = tuple(
            Loss(**{field.name: getattr(told, field.name) for field in dataclasses.fields(Loss)})
            for told in saved.lost
        )
        results[first] = dataclasses.replace(
            results[first], losses=losses, notes=saved.notes, opaque=saved.opaque
        )
    return results


def _results(shards: Sequence[Mapping[str, Result]]) -> list[Result]:
    """What the shards come to, in the order of the checks."""
    found: dict[str, Result] = {}
    for name in shards[0]:
        told = established_before(name, {one.check: one.lost for one in found.values()})
        result = _of_check([results[name] for results in shards], told)
        causes = blocked_by(name, {one.check: one.verdict for one in found.values()})
        if causes and result.verdict not in _STANDING:
            result = dataclasses.replace(
                blocked(name, result.level, result.promise, causes),
                losses=result.losses,
                notes=result.notes,
                opaque=result.opaque,
            )
        found[name] = result
    return list(found.values())


def _of_check(results: Sequence[Result], told: Sequence[str]) -> Result:
    """What the shards say of one check: the story of the one with the shortest program.

    Args:
        results: of the shards.
        told: paths of the losses that checks before it report. One run puts them back first; a
            shard that has not seen them may report them here, which is no failure of this check.
    """
    new = [one for one in results if not one.lost or not all(established(path, told) for path in one.lost)]
    verdict = min((one.verdict for one in new or results), key=_FIRST.index)
    telling = [one for one in new or results if one.verdict is verdict]
    summed: dict[str, Any] = {
        "examples": sum(one.examples for one in results),
        "drawn": sum(one.drawn for one in results),
        "seconds": round(sum(one.seconds for one in results), 3),
        "losses": merged(loss for one in results for loss in one.losses),
    }
    for field in ("notes", "opaque"):
        summed[field] = tuple(dict.fromkeys(each for one in results for each in getattr(one, field)))
    for field in ("lost", "paths"):
        summed[field] = tuple(dict.fromkeys(each for one in telling for each in getattr(one, field)))
    # A kept program is where its shard has run.
    best = min(telling, key=lambda one: len(one.program))
    whole = dataclasses.replace(best, **summed, replay="", remembered=False)
    return _uncounted(whole) if verdict is Verdict.NOT_APPLICABLE and whole.drawn else whole


def _uncounted(result: Result) -> Result:
    """What it means that no example of any shard counted."""
    check = all_checks().get(result.check)
    if check is not None and check.never_counted:
        return dataclasses.replace(result, verdict=Verdict.FAILED, sentence=check.never_counted)
    said = re.sub(r"^none of \d+ examples", f"none of {result.drawn} examples", result.sentence)
    return dataclasses.replace(result, sentence=said)
