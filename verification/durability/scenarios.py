# SPDX-License-Identifier: MIT
"""The scenarios of level ``durable``, each played with one agent in a process of its own."""

from __future__ import annotations

import os
import resource
import signal
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from verification.durability import faults
from verification.durability.agent_under_fault import Outcome, Subject, Trials, all_configs, try_faults
from verification.durability.faults import read_files, write_files
from verification.durability.rights import give_up_privileges, protect, unprotect
from verification.engine.global_rng import isolated
from verification.errors import Inconclusive

if TYPE_CHECKING:
    from collections.abc import Callable


_Prepared = TypeVar("_Prepared")

_KILLS, _LIMITS, _RACES, _LOADS = 8, 6, 12, 8


def run_scenario(
    say: Callable[[str], None],
    prepare: Callable[[Callable[[str], None]], _Prepared],
    scenario: Callable[[_Prepared], Outcome],
) -> Outcome:
    """Prepare an agent and its checkpoints, and play a scenario with them.

    Args:
        say: reports what goes on.
        prepare: trains and saves; raises ``Inconclusive`` where that shows nothing can be found.
        scenario: what happens.
    """
    with isolated():
        try:
            prepared = prepare(say)
        except Inconclusive as why:
            return Outcome(undecided=str(why))
        return scenario(prepared)


# -- damaged files -------------------------------------------------------------------------------------------


def truncated(subject: Subject) -> Outcome:  # noqa: D103 - as the check of this name says
    return try_faults(subject, faults.truncations(subject.new, subject.draw))


def flipped(subject: Subject) -> Outcome:  # noqa: D103
    return try_faults(subject, faults.flips(subject.new, subject.draw))


def zeroed(subject: Subject) -> Outcome:  # noqa: D103
    return try_faults(subject, faults.zeroed_pages(subject.new, subject.draw))


def appended(subject: Subject) -> Outcome:  # noqa: D103
    return try_faults(subject, faults.appendages(subject.new, subject.draw))


def mixed(subject: Subject) -> Outcome:  # noqa: D103
    return try_faults(subject, faults.mixtures(subject.old, subject.new, subject.draw), ("new", "old"))


def missing(subject: Subject) -> Outcome:  # noqa: D103
    return try_faults(subject, faults.losses(subject.new))


def exchanged(subject: Subject) -> Outcome:  # noqa: D103
    if len(subject.new) < 2:
        return Outcome(why_not="the checkpoint is one file")
    return try_faults(subject, faults.exchanges(subject.old, subject.new))


def replaced(subject: Subject) -> Outcome:  # noqa: D103
    return try_faults(subject, faults.replacements(subject.new))


def failed_loads(subject: Subject) -> Outcome:
    """Damage of every kind, of which only the loads that raise are looked at."""
    outcome = Outcome()
    kinds = chain(faults.replacements(subject.new), faults.losses(subject.new), _architectures(subject))
    for what, files in chain(kinds, faults.truncations(subject.new, subject.draw)):
        subject.say(f"loading a checkpoint: {what}")
        attempt = subject.load(files)
        outcome.tried += attempt.restored is None
        if attempt.changed:
            outcome.sentence = f"{what}: load() raised, but only after it had changed the agent"
            outcome.differences = attempt.changed
            break
    return outcome


def other_architectures(subject: Subject) -> Outcome:
    """Checkpoints of agents whose weights have other names or shapes than the receiver's."""
    outcome = Outcome()
    for what, files in _architectures(subject):
        subject.say(f"loading {what}")
        attempt = subject.load(files)
        outcome.tried += 1
        if attempt.restored is not None and subject.weights(attempt.restored) == subject.weights(
            subject.states["new"]
        ):
            outcome.sentence = f"{what}: load() raised nothing, and the agent has its own architecture still"
            break
    return outcome


def _architectures(subject: Subject) -> list[faults.Fault]:
    driver, program = subject.experiment.driver, subject.experiment.program
    own = subject.weights(subject.states["new"])
    found: list[faults.Fault] = []
    for config in all_configs(driver.adapter, program.entropy, 6):
        agent = driver.build(config, program.seed)
        if subject.weights(driver.snapshot(agent)) != own:
            write_files(subject.directory, {})
            driver.save(agent, subject.directory)
            driver.settle()
            found.append(faults.Fault("a checkpoint of another architecture", read_files(subject.directory)))
        if len(found) == 2:
            break
    return found


def infected(subject: Subject) -> Outcome:
    """Pickles with code in every place in which a format may keep one."""
    marker = subject.directory.parent / "marker"
    outcome = Outcome()
    for what, files in faults.with_code(subject.new, marker):
        subject.say(f"loading a checkpoint: {what}")
        subject.load(files)
        outcome.tried += 1
        if marker.exists():
            outcome.sentence = f"{what}: load() ran it"
            break
    return outcome


# -- interrupted saves ---------------------------------------------------------------------------------------


def killed(subject: Subject) -> Outcome:
    """SIGKILL at a random moment of a save over an old checkpoint."""
    trials = Trials(subject)
    seconds = subject.seconds_of_a_save()
    for _ in range(_KILLS):
        moment = subject.draw.uniform(0, 1.2 * seconds)
        what = f"save() was killed {1000 * moment:.1f} ms after it began"
        subject.say(what)
        write_files(subject.directory, subject.old)
        subject.save_killed(subject.directory, moment)
        if not trials.judge(what, "old", "new"):
            break
    return trials.outcome


def no_room(subject: Subject) -> Outcome:
    """A limit on the size of files, at which writing fails as on a full disk."""
    size = max(map(len, subject.new.values()))
    limits = [0, size - 1, *(subject.draw.randrange(1, size) for _ in range(_LIMITS))]

    def limit(bytes_: int) -> Callable[[], None]:
        return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, bytes_))

    return _refused_saves(
        subject, {f"save() with room for {one:,} of {size:,} bytes": limit(one) for one in limits}
    )


def read_only(subject: Subject) -> Outcome:
    """A folder without permission to write, for a process that cannot ignore permissions."""

    def prepare() -> None:
        protect(subject.directory)
        give_up_privileges()

    return _refused_saves(subject, {"save() into a read-only folder": prepare})


def _refused_saves(subject: Subject, troubles: dict[str, Callable[[], None]]) -> Outcome:
    trials = Trials(subject)
    for what, prepare in troubles.items():
        subject.say(what)
        write_files(subject.directory, subject.old)
        how = subject.save_limited(subject.directory, prepare)
        unprotect(subject.directory)
        if not trials.judge(f"{what} {how}", "new" if how == "returned" else "old"):
            if how == "returned":
                trials.outcome.sentence = f"{what} raised nothing, and the new checkpoint is not there"
            break
        if how == "died":
            trials.outcome.sentence = f"{what}: the process died"
            break
    return trials.outcome


def linked(subject: Subject) -> Outcome:
    """Every file of the old checkpoint is a link to a file elsewhere."""
    trials = Trials(subject)
    elsewhere = subject.directory.parent / "elsewhere"
    write_files(subject.directory, {})
    write_files(elsewhere, subject.old)
    for entry in elsewhere.iterdir():
        (subject.directory / entry.name).symlink_to(entry)
    subject.say("saving to a path that is a link")
    subject.save_into(subject.directory)
    if trials.judge("save() to a path that is a link", "new"):
        sentence, differences = subject.is_whole(elsewhere, "new")
        if sentence:
            trials.outcome.sentence = "save() to a path that is a link did not update what it points to"
            trials.outcome.differences = differences
    return trials.outcome


def two_savers(subject: Subject) -> Outcome:
    """Two processes save the old and the new agent to one path at the same time, again and again."""
    trials = Trials(subject)
    old_agent = subject.experiment.driver.load(subject.experiment.receiver(), subject.old_directory)
    subject.say("two processes are saving to one path")
    for _ in range(_RACES):
        write_files(subject.directory, subject.old)
        gate, opener = os.pipe()

        def save(agent: object, gate: int = gate, opener: int = opener) -> None:
            os.close(opener)
            os.read(gate, 1)  # returns when nobody has the other end any more
            subject.experiment.driver.save(agent, subject.directory)
            subject.experiment.driver.settle()

        children = [subject.fork(lambda agent=agent: save(agent)) for agent in (old_agent, subject.agent)]  # type: ignore[misc]
        os.close(opener)
        statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        os.close(gate)
        trials.judge("two processes saved to one path", "old", "new")
        if not trials.outcome.sentence and any(statuses):
            trials.outcome.sentence = "two processes saved to one path: save() raised in one of them"
        if trials.outcome.sentence:
            break
    return trials.outcome


def loads_beside_saves(subject: Subject) -> Outcome:
    """One process saves the old and the new agent in turn to the path from which this one loads."""
    trials = Trials(subject)
    driver = subject.experiment.driver
    old_agent = driver.load(subject.experiment.receiver(), subject.old_directory)
    write_files(subject.directory, subject.old)
    reader, writer = os.pipe()

    def save() -> None:
        while True:
            for agent in (subject.agent, old_agent):
                driver.save(agent, subject.directory)
                driver.settle()

    subject.say("loading while another process saves")
    child = subject.fork(save, writer)
    os.read(reader, 1)
    try:
        for _ in range(_LOADS):
            if not trials.judge("load() while another process saved", "old", "new"):
                break
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return trials.outcome
