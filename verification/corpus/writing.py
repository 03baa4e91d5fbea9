# SPDX-License-Identifier: MIT
"""Writes a corpus: trains and saves drawn agents, records what a load restores and what follows."""

from __future__ import annotations

import dataclasses
import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from verification.corpus import record
from verification.corpus.manifest import Entry, Manifest, environment_of
from verification.counterexamples import program_json
from verification.engine.arms import Moment
from verification.engine.driver import Driver
from verification.engine.experiment import Experiment
from verification.engine.global_rng import isolated
from verification.errors import UsageError
from verification.processes.temporary_folders import temporary_folder
from verification.running.drawing import draw
from verification.state import Snapshot, take

if TYPE_CHECKING:
    from verification.adapter import Adapter
    from verification.program import Program

#: The files of an entry, beside the folder with its checkpoint.
PROGRAM, RECORD, CHECKPOINT = "program.json", "record.json.gz", "checkpoint"
#: At least how many steps follow a load.
_FOLLOWED = 4


def write_corpus(folder: Path, target: str, adapter: Adapter, *, examples: int, seed: int) -> Manifest:
    """Write a corpus of ``examples`` checkpoints.

    They are of agents trained on given batches and, where the adapter has ``advance``, in their own loop, in
    turn. The folder is made; it holds a corpus once everything else has been written.

    Raises:
        UsageError: if there is something in the folder, or a program cannot be written as plain data.
        Inconclusive: if the agent does not repeat itself.
        AdapterError, CheckFailure: if a member of the adapter raises.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UsageError(f"{folder} is there already; a corpus goes into a folder of its own")
    loops = (False, True) if hasattr(adapter, "advance") else (False,)
    each = math.ceil(examples / len(loops))
    drawn = {loop: draw(adapter, closed_loop=loop, seed=seed, examples=each) for loop in loops}
    entries = []
    for number in range(examples):
        turn, loop = divmod(number, len(loops))
        if turn < len(drawn[loops[loop]]):  # an adapter may have fewer programs than that
            program = drawn[loops[loop]][turn]
            entries.append(_entry(folder / f"{number:03}", adapter, program, closed_loop=loops[loop]))
    environment = environment_of(Driver(adapter).build(drawn[False][0].config, seed))
    manifest = Manifest(adapter.name, target, seed, environment, tuple(entries))
    manifest.write(folder)
    return manifest


def _entry(folder: Path, adapter: Adapter, program: Program, *, closed_loop: bool) -> Entry:
    """Train, save and load one agent, and write it down."""
    cut = program.cuts[-1]
    program = dataclasses.replace(program, cuts=(cut,), receiver_steps=())
    folder.mkdir(parents=True)
    try:
        text = program_json.dumps(program)
        program_json.loads(text)
    except Exception as error:
        raise UsageError(
            f"the adapter {adapter.name!r} draws what cannot be written as plain data: {error}"
        ) from None
    (folder / PROGRAM).write_text(text + "\n", encoding="utf-8")
    with temporary_folder() as directory, isolated():
        experiment = Experiment(adapter, program, Path(directory), closed_loop=closed_loop)
        experiment.repeat()
        shutil.copytree(experiment.checkpoints[cut], folder / CHECKPOINT)
        unrestored = tuple(change.path for change in experiment.after_load(cut))
        moments = resumed(experiment, max(_FOLLOWED, len(program.steps) - cut))
    record.write(folder / RECORD, moments)
    return Entry(folder.name, closed_loop, len(moments) - 1, unrestored)


def resumed(experiment: Experiment, steps: int) -> list[Moment]:
    """The state after the checkpoint was loaded, and after each of the steps that follow, to be recorded."""
    (cut,) = experiment.program.cuts
    driver = experiment.driver
    agent = experiment.load(cut)
    moments = [Moment(record.recorded(driver.snapshot(agent)), Snapshot({}))]
    for position in range(cut + 1, cut + steps + 1):
        output = record.recorded(take({"action": experiment.step(agent, position, reloaded=True)}))
        moments.append(Moment(record.recorded(driver.snapshot(agent)), output))
    return moments
