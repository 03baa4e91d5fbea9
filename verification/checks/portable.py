# SPDX-License-Identifier: MIT
"""Level ``portable``: a checkpoint means the same by any path, in any locale, and under other settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.checks.durable import check_scenario
from verification.checks.registry import check
from verification.checks.resume import refuse_other_runs
from verification.levels import Level
from verification.portability import places

if TYPE_CHECKING:
    from collections.abc import Callable

    from verification.durability.agent_under_fault import Outcome
    from verification.engine.experiment import Experiment

# What is lost by any load is another check's concern: each of these compares a load with a usual one.
_LOADED = [
    "loading_restores_something",
    "loading_leaves_the_checkpoint_unchanged",
    "saving_leaves_global_generators_unchanged",
]
#: Each example takes a process and a training run.
_COST = 5
#: The locale in which every system is without being told, without what Python makes of it.
_C_LOCALE = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def _check(experiment: Experiment, scenario: Callable[[places.Subject], Outcome]) -> None:
    __tracebackhide__ = True
    check_scenario(experiment, scenario, places.prepared)


@check(level=Level.PORTABLE, needs=_LOADED, closed_loop=True, cost=_COST)
def another_working_directory_changes_nothing(experiment: Experiment) -> None:
    """A checkpoint loads and trains on the same from another working directory.

    Jobs are started wherever a scheduler puts them, and tools change the directory of a run.
    """
    _check(experiment, places.elsewhere)


@check(level=Level.PORTABLE, needs=_LOADED, closed_loop=True, cost=_COST)
def relative_paths_are_accepted(experiment: Experiment) -> None:
    """A bare file name is as good as a whole path, and is not needed any more once the load is done.

    A name without a folder has an empty one, which cannot be made, and means another file elsewhere.
    """
    _check(experiment, places.relative)


@check(level=Level.PORTABLE, needs=_LOADED, closed_loop=True, cost=_COST)
def text_paths_are_accepted(experiment: Experiment) -> None:
    """A path that is a string is as good as a ``Path``.

    Paths come from command lines and configuration files, as text.
    """
    _check(experiment, places.as_text)


@check(level=Level.PORTABLE, needs=_LOADED, closed_loop=True, cost=_COST)
def unicode_paths_are_accepted(experiment: Experiment) -> None:
    """Folders may have names with blanks and letters of any script.

    Home folders are named after people.
    """
    _check(experiment, places.unicode)


@check(level=Level.PORTABLE, needs=_LOADED, closed_loop=True, cost=_COST)
def long_paths_are_accepted(experiment: Experiment) -> None:
    """A path may be as long as the system allows.

    Experiment managers put every hyper-parameter into the name of a folder.
    """
    _check(experiment, places.long)


@check(level=Level.PORTABLE, needs=_LOADED, closed_loop=True, cost=_COST)
def read_only_checkpoints_load(experiment: Experiment) -> None:
    """A checkpoint that can only be read loads, its folder included.

    What is published, archived or mounted from elsewhere can rarely be written.
    """
    _check(experiment, places.read_only)


@check(level=Level.PORTABLE, needs=_LOADED, closed_loop=True, cost=_COST)
def permissions_follow_the_umask(experiment: Experiment) -> None:
    """The files of a checkpoint can be read by those by whom other new files can be.

    Temporary files are made for their owner alone, and keep that when they get their final name: whoever
    evaluates the run under another account cannot read them.
    """
    _check(experiment, places.permissions)


@check(level=Level.PORTABLE, needs=_LOADED, closed_loop=True, cost=_COST)
def thread_count_changes_nothing(experiment: Experiment) -> None:
    """What is saved and loaded does not depend on how many threads torch may use meanwhile.

    A run goes on on a machine with other cores than the one that it began on.
    """
    _check(experiment, places.threads)


@check(level=Level.PORTABLE, needs=_LOADED, closed_loop=True, cost=_COST)
def default_dtype_changes_nothing(experiment: Experiment) -> None:
    """What is saved and loaded does not depend on torch's default dtype.

    Tensors that a load makes of numbers are of whatever dtype the rest of a program prefers.
    """
    _check(experiment, places.default_dtype)


@check(
    level=Level.PORTABLE,
    needs=[*_LOADED, "a_new_process_resumes_the_same"],
    after=["resume_equals_uninterrupted"],
    closed_loop=True,
    cost=_COST,
)
def another_locale_resumes_the_same(experiment: Experiment) -> None:
    """A run resumed in a process of another locale, and with another hash seed, is the same run.

    Text is written in the encoding of one locale and read in that of another; services start in the plainest.
    """
    refuse_other_runs(experiment, "in a process of another locale", _C_LOCALE)
