# SPDX-License-Identifier: MIT
"""Experiments are shared by tests: pytest goes from check to check, and the checks draw the same programs.

With one seed, Hypothesis draws the same programs for every check, and most checks look at something else
about the same arms: one reference run and one set of checkpoints serve them all.
"""

from __future__ import annotations

import collections
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from verification.engine.experiment import Experiment
from verification.engine.fingerprint import fingerprint
from verification.engine.inventory import Inventory
from verification.processes.temporary_folders import temporary_folder

if TYPE_CHECKING:
    from verification.adapter import Adapter
    from verification.program import Program

# A trace of a small agent takes some megabytes.
_MOST = 48

_Key = tuple[int, bool, bytes]
_Kept = collections.OrderedDict[_Key, tuple[Experiment, tempfile.TemporaryDirectory[str]]]
# By process: a copy of this one must neither save into this one's directories nor remove them.
_kept: dict[int, _Kept] = {}
_inventories: dict[tuple[int, bool, int], tuple[Adapter, Inventory]] = {}


def inventory_of(adapter: Adapter, *, closed_loop: bool, horizon: int) -> Inventory:
    """What is known of an adapter's agent in one regime, over all programs of one horizon."""
    key = id(adapter), closed_loop, horizon
    if key not in _inventories:
        _inventories[key] = adapter, Inventory()  # kept alive with it, so that the id stays taken
    return _inventories[key][1]


def shared_experiment(adapter: Adapter, program: Program, *, closed_loop: bool) -> Experiment:
    """The experiment of this program, new or as another check left it; its arms are run on demand."""
    key = (id(adapter), closed_loop, fingerprint(program))
    experiments = _kept.setdefault(os.getpid(), collections.OrderedDict())
    if key not in experiments:
        directory = temporary_folder()
        try:
            # The experiment keeps its adapter alive, so that the id stays taken.
            experiment = Experiment(
                adapter,
                program,
                Path(directory.name),
                closed_loop=closed_loop,
                inventory=inventory_of(adapter, closed_loop=closed_loop, horizon=program.horizon),
            )
        except BaseException:
            directory.cleanup()
            raise
        experiments[key] = experiment, directory
        if len(experiments) > _MOST:
            _, (_, oldest) = experiments.popitem(last=False)
            oldest.cleanup()
    experiments.move_to_end(key)
    return experiments[key][0]
