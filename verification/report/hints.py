# SPDX-License-Identifier: MIT
"""Hints: what losses of a known pattern have usually come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.losses import AS_BEGUN, AS_BUILT
from verification.state import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from verification.losses import Loss

_NETWORKS = {Part.ONLINE.value, Part.TARGET.value}


def hint(loss: Loss, losses: Collection[Loss]) -> str:
    """What to look at first, as a question; empty if the loss fits no known pattern.

    Args:
        loss: what was lost.
        losses: everything that was.
    """
    alone = (pattern(loss) for pattern in HINTS)
    return shared_by_actor_and_critic(loss, losses) or next(filter(None, alone), "")


def shared_by_actor_and_critic(loss: Loss, losses: Collection[Loss]) -> str:
    """Actor and critic had one network once; since then each has its own, and ``save`` knows neither."""
    if loss.part != Part.ONLINE.value:
        return ""
    for mine, others in (("actor", "critic"), ("critic", "actor")):
        whole = loss.name.rpartition(".")[2] == mine
        other = loss.name.replace(mine, others)
        if (
            mine in loss.name
            and not whole
            and any((one.name, one.part) == (other, loss.part) for one in losses)
        ):
            return (
                f"{loss.name} and {other} are lost alike: does save look for one that actor and critic "
                "shared once, under a name that no longer exists?"
            )
    return ""


def target_equals_online(loss: Loss) -> str:
    """A target that is made anew from its online network."""
    other = next((one for one in loss.equals if one not in {AS_BUILT, AS_BEGUN}), "")
    if loss.part == Part.TARGET.value and other:
        return f"{loss.name} equals {other} exactly: does load copy it instead of reading what was saved?"
    return ""


def network_of_another(loss: Loss) -> str:
    """One network's values read into another."""
    other = next((one for one in loss.equals if one not in {AS_BUILT, AS_BEGUN}), "")
    if loss.part == Part.ONLINE.value and other:
        return f"{loss.name} equals {other} exactly: are two names mixed up in save or load?"
    return ""


def network_as_built(loss: Loss) -> str:
    """A network that the load does not touch."""
    if loss.part in _NETWORKS and AS_BUILT in loss.equals:
        return f"{loss.name} is as it was before the load: is it in the checkpoint, and does load read it?"
    return ""


def moments_missing(loss: Loss) -> str:
    """An optimizer without its ``state_dict``."""
    if loss.part == Part.OPTIMIZER.value and {AS_BUILT, AS_BEGUN} & {*loss.equals}:
        return (
            f"nothing of {loss.name} has come back: does save take its state_dict(), and does load read it, "
            "after the last thing that makes a new optimizer?"
        )
    return ""


def rate_as_constructed(loss: Loss) -> str:
    """A learning rate of the constructor that wins over the saved one."""
    paths = [one.partition(" ")[0] for one in loss.differences]
    if AS_BUILT in loss.equals and any(path.endswith(("['lr']", ".lr", ".learning_rate")) for path in paths):
        return (
            f"the learning rate in {loss.name} is the one that the receiver was built with: does load set it "
            "from the configuration, or after the optimizer's state?"
        )
    return ""


def schedule_at_its_start(loss: Loss) -> str:
    """A schedule that begins again."""
    if loss.part == Part.SCHEDULE.value and {AS_BUILT, AS_BEGUN} & {*loss.equals}:
        return f"{loss.name} is at its start again: does save take its state_dict(), and does load read it?"
    return ""


def counter_at_its_start(loss: Loss) -> str:
    """A counter that begins again."""
    if loss.part == Part.COUNTER.value and AS_BEGUN in loss.equals:
        return f"{loss.name} is back at its first value: is it in the checkpoint, and does load assign it?"
    return ""


def generator_restarted(loss: Loss) -> str:
    """A generator that is seeded anew."""
    if loss.part == Part.GENERATOR.value and {AS_BUILT, AS_BEGUN} & {*loss.equals}:
        return (
            f"{loss.name} begins again at its seed: is its state in the checkpoint, and is it put back after "
            "everything that draws from it?"
        )
    return ""


#: What is tried of one loss, the most telling first.
HINTS: tuple[Callable[[Loss], str], ...] = (
    target_equals_online,
    network_of_another,
    network_as_built,
    moments_missing,
    rate_as_constructed,
    schedule_at_its_start,
    counter_at_its_start,
    generator_restarted,
)
