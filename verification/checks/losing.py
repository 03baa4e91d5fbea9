# SPDX-License-Identifier: MIT
"""How checks read what was found to be lost: each reports the kinds of state that are its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.engine.consequences import judge
from verification.engine.experiment import ALL_PARTS
from verification.engine.inventory import established
from verification.errors import AdapterError
from verification.levels import Level
from verification.losses import merged
from verification.state import Difference, Part, in_words

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence, Set

    from verification.engine.experiment import Experiment
    from verification.engine.findings import Judgement
    from verification.engine.groups import Group
    from verification.losses import Loss
    from verification.state import Snapshot


def survives(
    experiment: Experiment, *parts: Part, telling: Set[Part] | None = None, level: Level = Level.TRAINING
) -> None:
    """Fail if anything in ``parts`` is lost at any cut.

    Args:
        experiment: what the check is run on.
        parts: the kinds of state that the check reports.
        telling: the parts in which the cold arm must differ for the example to count; ``parts`` by
            default. Some things cannot differ before a load, but be broken by it.
        level: below ``resume``, what training changes without any effect on it is no loss.
    """
    __tracebackhide__ = True
    compared = frozenset(parts)
    for cut in experiment.program.cuts:
        experiment.count_if_cold_differs(cut, compared if telling is None else telling)
        names = " and ".join(part.value for part in parts)
        refuse_losses(
            experiment,
            lost(experiment, judge(experiment, cut), compared, level=level),
            f"{names} saved after {experiment.taken(cut)} came back different",
            cut,
        )


Lost = list[tuple["Loss", "Group | None"]]


def lost(
    experiment: Experiment,
    judgement: Judgement,
    parts: Collection[Part] = ALL_PARTS,
    *,
    level: Level = Level.TRAINING,
    known: Collection[str] = (),
) -> Lost:
    """The losses of a load that a check has to report: those that no other has reported before."""
    values = {part.value for part in parts}
    return [
        (loss, group)
        for loss, group in judgement.losses
        if loss.part in values
        and (loss.affects_training or level >= Level.RESUME)
        and not established(loss.path, [*experiment.established, *known])
    ]


def refuse_losses(
    experiment: Experiment, found: Lost, sentence: str, cut: int, *, used: bool = False
) -> None:
    """Fail if there are losses."""
    __tracebackhide__ = True
    if found:
        after = experiment.loaded(cut, used=used)
        differences = [in_words(one, after) for _, group in found if group for one in group.changes]
        losses = [loss for loss, _ in found]
        experiment.fail(with_names(sentence, merged(losses)), differences, losses)


def with_names(sentence: str, losses: Sequence[Loss]) -> str:
    """The sentence with what is lost and what that changes."""
    named = "; ".join(str(loss) for loss in losses[:3])
    more = f"; and {len(losses) - 3} more" if len(losses) > 3 else ""
    return f"{sentence}: {named}{more}"


def refuse_state_elsewhere(snapshot: Snapshot) -> None:
    """Do not judge an agent that has state where nothing can be compared.

    Raises:
        AdapterError: naming what leads there, and what an adapter can do.
    """
    if snapshot.elsewhere:
        named = ", ".join(f"{path} ({kind})" for path, kind in snapshot.elsewhere.items())
        raise AdapterError(
            f"the agent has state in another process, behind {named}, where nothing can be compared; let "
            "state(agent) of the adapter return what it holds there, such as "
            '{"agent": agent, "worker": agent.worker_state()}'
        )


def refuse_unexplained(experiment: Experiment, judgement: Judgement, cut: int) -> None:
    """Fail if something follows from the load that nothing that is seen explains.

    Raises:
        CheckFailure: naming what diverges, and what could not be looked into.
        AdapterError: if the agent has state in another process, which may be the cause.
    """
    __tracebackhide__ = True
    spread = judgement.unexplained
    if spread is None:
        return
    refuse_state_elsewhere(experiment.moment(cut).snapshot)
    differences: Sequence[Difference] = spread.differences
    opaque = ", ".join(f"{path} ({kind})" for path, kind in experiment.driver.opaque.items())
    unseen = f"; could not look into {opaque}" if opaque else ""
    raised = f": it {spread.raised}" if spread.raised else ""
    when = "the first step" if spread.steps == 1 else f"step {spread.steps}"
    experiment.fail(
        f"resumed after {experiment.taken(cut)}, {when} differs from the run that was never interrupted"
        f"{raised}, although nothing that is seen was lost{unseen}",
        differences,
    )
