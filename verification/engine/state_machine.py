# SPDX-License-Identifier: MIT
"""A state machine that saves and loads an agent at any moment, beside one that it never saves."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
from hypothesis import note, reject
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, precondition, rule

from verification.adapters.completing import complete
from verification.engine.global_rng import isolated
from verification.engine.twin import Twin
from verification.errors import RefusedState
from verification.processes.temporary_folders import temporary_folder
from verification.program import Act, Advance, Implant, Learn, Operate
from verification.strategies.moments import optimizer_states

if TYPE_CHECKING:
    from verification.adapter import Adapter


def checkpoint_machine(adapter: Adapter, *, closed_loop: bool | None = None) -> type[RuleBasedStateMachine]:
    """A Hypothesis state machine over everything that can happen to an agent and its checkpoints.

    Its model is an agent that is never saved. Rules train, act, write states into optimizers, do the
    adapter's ``operations``, save, and load any earlier checkpoint into a new or a used agent; after each,
    both agents must be the same bit for bit. A failure prints a program that runs.

    Run it long: ``TestCheckpoints = checkpoint_machine(MyAdapter()).TestCase`` for pytest, with a profile of
    many examples, or :func:`hypothesis.stateful.run_state_machine_as_test`.

    Args:
        adapter: drives the agent.
        closed_loop: train through ``advance`` and let the global random generators flow; by default where
            the adapter has ``advance``.

    Raises:
        AdapterError: for an adapter without a required member, when the machine runs.
    """
    adapter = complete(adapter)
    flowing = hasattr(adapter, "advance") if closed_loop is None else closed_loop
    trains_itself = flowing and hasattr(adapter, "advance")

    class CheckpointMachine(RuleBasedStateMachine):
        checkpoints: Bundle[int] = Bundle("checkpoints")

        def __init__(self) -> None:
            super().__init__()
            self._resources = contextlib.ExitStack()
            self._resources.enter_context(isolated())
            folder = self._resources.enter_context(temporary_folder())
            self._folder = Path(folder)

        @initialize(data=st.data(), seed=st.integers(0, 2**16), distance=st.integers(1, 2**8))
        def build(self, data: st.DataObject, seed: int, distance: int) -> None:
            self.config = data.draw(adapter.configs(), label="config")
            other = getattr(adapter, "variants", st.just)(self.config)
            self.twin = Twin(
                adapter,
                self._folder,
                config=self.config,
                seed=seed,
                receiver_config=data.draw(other, label="the receiver's config"),
                receiver_seed=seed + distance,
                entropy=data.draw(st.integers(0, 2**16), label="entropy"),
                closed_loop=flowing,
            )

        @rule(data=st.data())
        def train(self, data: st.DataObject) -> None:
            if trains_itself:
                self._do("step", Advance(data.draw(st.integers(1, 9), label="steps")))
            else:
                self._do("step", Learn(data.draw(adapter.batches(self.config), label="batch")))

        @precondition(lambda self: hasattr(adapter, "act"))  # noqa: ARG005
        @rule(data=st.data())
        def act(self, data: st.DataObject) -> None:
            self._do("step", Act(data.draw(adapter.observations(self.config), label="observation")))

        @rule(state=optimizer_states())
        def implant(self, state: Any) -> None:
            self._do("step", Implant(state))

        @precondition(lambda self: hasattr(adapter, "operations"))  # noqa: ARG005
        @rule(data=st.data())
        def operate(self, data: st.DataObject) -> None:
            operations = getattr(adapter, "operations")  # noqa: B009 - an optional member
            self._do("step", Operate(data.draw(operations(self.config), label="operation")))

        @rule(target=checkpoints)
        def save(self) -> int:
            number: int = self._do("save")
            return number

        @rule(number=checkpoints, used=st.booleans())
        def load(self, number: int, used: bool) -> None:
            self._do("load", number, used=used)

        @rule(used=st.booleans())
        def reload(self, used: bool) -> None:
            self._do("load", self._do("save"), used=used)

        def _do(self, operation: str, *arguments: Any, **keywords: Any) -> Any:
            try:
                return getattr(self.twin, operation)(*arguments, **keywords)
            except RefusedState:
                reject()
            except BaseException:
                note(self.twin.script())
                raise

        def teardown(self) -> None:
            self._resources.close()

    CheckpointMachine.__name__ = CheckpointMachine.__qualname__ = f"CheckpointMachine_{adapter.name}"
    return CheckpointMachine
