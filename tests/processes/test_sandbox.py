# SPDX-License-Identifier: MIT
"""However a process of its own ends, it is told, with the last thing that it was about to do."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from adapters import Tiny

from verification.checks import durable
from verification.durability import scenarios
from verification.durability.agent_under_fault import Subject
from verification.engine.experiment import Experiment
from verification.errors import Inconclusive, NotApplicable, NotPortable
from verification.mutants.hunt import draw_programs
from verification.processes.sandbox import Ended, run_apart
from verification.processes.time_limits import limited

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def _functions_of_this_module_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)


def end(say: Callable[[str], None], how: str) -> int:
    say("the first thing")
    say(how)
    match how:
        case "raises":
            raise KeyError(how)
        case "is killed":
            os.kill(os.getpid(), signal.SIGTERM)
        case "hangs":
            with limited(0.01, "nobody ends this one but who attends it"):
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
                time.sleep(1000)
        case "ends":
            os._exit(0)
    return os.getpid()


def test_what_returns_is_answered_from_a_new_process_each_time() -> None:
    one, other = run_apart(end, "returns"), run_apart(end, "returns")
    assert one.value != other.value
    assert one == Ended(value=one.value, doing="returns")


@pytest.mark.parametrize(
    ("how", "fate"),
    [("is killed", "was killed by SIGTERM"), ("hangs", "hung for 4 s"), ("ends", "ended")],
)
def test_how_a_process_ended_is_told(how: str, fate: str) -> None:
    assert run_apart(end, how, patience=4.0) == Ended(fate=fate, doing=how)


def test_what_is_raised_is_told() -> None:
    ended = run_apart(end, "raises")
    assert ended.error.endswith("KeyError: 'raises'\n")
    assert (ended.value, ended.fate, ended.doing) == (None, "", "raises")


def test_what_cannot_be_made_again_is_refused() -> None:
    with pytest.raises(NotPortable, match="define it at a module's top level"):
        run_apart(lambda _: None)


# -- who asks ----------------------------------------------------------------------------------------------


def asked(adapter: Any, folder: Path) -> Experiment:
    program = draw_programs(Tiny(), seed=0, examples=1).closed_loop[0]
    return Experiment(adapter, program, folder, closed_loop=True)


def test_an_agent_that_refuses_its_own_checkpoint_is_not_judged(tmp_path: Path) -> None:
    with pytest.raises(Inconclusive, match=r"^an undamaged checkpoint is refused: load"):
        durable.check_scenario(asked(Tiny("load raises"), tmp_path), scenarios.truncated, Subject)


def test_an_adapter_that_cannot_be_sent_is_not_asked(tmp_path: Path) -> None:
    class Local(Tiny):
        pass

    with pytest.raises(NotApplicable, match=r"^Local cannot be sent to another process"):
        durable.check_scenario(asked(Local(), tmp_path), scenarios.truncated, Subject)
