# SPDX-License-Identifier: MIT
"""Drives an adapter: calls its members, and tells an adapter's mistakes from its agent's failures."""

from __future__ import annotations

import inspect
import re
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verification.errors import AdapterError, CheckFailure
from verification.state import Snapshot, take
from verification.strategies.program import Act, Advance, Learn, Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verification.adapter import Adapter

_REQUIRED = {
    "configs": "def configs(self): return st.just(MyConfig())",
    "batches": "def batches(self, config): return transition_batches(observation_space, action_space)",
    "observations": "def observations(self, config): return observations(observation_space)",
    "build": "def build(self, config, seed): return MyAgent(config, seed=seed)",
    "learn": "def learn(self, agent, batch): agent.update(batch)",
    "act": "def act(self, agent, observation): return agent.predict(observation)",
    "save": "def save(self, agent, path): agent.save(path)",
    "load": "def load(self, agent, path): agent.load(path); return agent",
}


def validate_adapter(adapter: object) -> None:
    """Raise :class:`AdapterError` if a required member is missing, with one line that shows its shape."""
    if inspect.isclass(adapter):
        raise AdapterError(f"{adapter.__name__} is a class; pass an instance: {adapter.__name__}()")
    if not isinstance(getattr(adapter, "name", None), str):
        raise AdapterError(f'{type(adapter).__name__} has no name; add: name = "my_agent"')
    for member, example in _REQUIRED.items():
        if not callable(getattr(adapter, member, None)):
            raise AdapterError(f"the adapter {adapter.name!r} has no {member}(); add: {example}")  # type: ignore[attr-defined]


class Driver:
    """An adapter with the suite's manners: named errors, watched roots, declared volatile leaves."""

    def __init__(self, adapter: Adapter) -> None:
        validate_adapter(adapter)
        self.adapter = adapter
        patterns = [
            re.escape(pattern).replace(r"\*", ".*") + r"(?:[.\[].*)?"
            for pattern in getattr(adapter, "volatile", {})
        ]
        self._volatile = re.compile("|".join(f"(?:{pattern})" for pattern in patterns)) if patterns else None

    @property
    def closed_loop(self) -> bool:
        """Whether the adapter can train in closed loop."""
        return hasattr(self.adapter, "advance")

    def build(self, config: Any, seed: int) -> Any:
        """A new agent."""
        agent = self._call("build", config, seed)
        if agent is None:
            raise AdapterError("build() returned None; return the agent")
        return agent

    def perform(self, agent: Any, step: Step, *, reloaded: bool = False) -> Any:
        """Do one step of a program; an action is returned.

        An exception is the agent's failure if it comes only after a reload, else the adapter's error.
        """
        match step:
            case Learn(batch):
                return self._call("learn", agent, batch, reloaded=reloaded)
            case Act(observation):
                return self._call("act", agent, observation, reloaded=reloaded)
            case Advance(steps):
                return self._call("advance", agent, steps, reloaded=reloaded)

    def save(self, agent: Any, directory: Path) -> None:
        """Save into an empty directory of its own."""
        self._call("save", agent, directory / "checkpoint", reloaded=True)

    def load(self, agent: Any, directory: Path) -> Any:
        """Load what :meth:`save` left in ``directory`` into ``agent``; return the restored agent."""
        restored = self._call("load", agent, directory / "checkpoint", reloaded=True)
        return self._an_agent("load", restored)

    def reopen(self, config: Any, seed: int, directory: Path) -> Any:
        """Restore the way a new process does."""
        if not hasattr(self.adapter, "reopen"):
            return self.load(self.build(config, seed), directory)
        return self._an_agent("reopen", self._call("reopen", config, directory / "checkpoint", reloaded=True))

    def snapshot(self, agent: Any) -> Snapshot:
        """The state of an agent now."""
        return take(self.roots(agent), volatile=self._volatile)

    def roots(self, agent: Any) -> Mapping[str, object]:
        """Where state is discovered."""
        if not hasattr(self.adapter, "state"):
            return {"agent": agent}
        roots: Mapping[str, object] = self._call("state", agent)
        return roots

    def _an_agent(self, member: str, restored: Any) -> Any:
        if restored is None:
            raise AdapterError(f"{member}() returned None; return the restored agent")
        return restored

    def _call(self, member: str, *arguments: Any, reloaded: bool = False) -> Any:
        """Call a member; ``reloaded`` says that an exception may be due to the checkpoint."""
        try:
            return getattr(self.adapter, member)(*arguments)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            what = f"{member}() raised {type(error).__name__}: {_first_line(error)} ({place})"
            if reloaded and not self._is_ours(where.filename):
                raise CheckFailure(what) from error
            raise AdapterError(f"the adapter {self.adapter.name!r}: {what}") from error

    def _is_ours(self, filename: str) -> bool:
        """Whether an exception was raised by the adapter's own lines rather than by the agent's."""
        try:
            return filename == inspect.getfile(type(self.adapter))
        except TypeError:
            return False


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else "(no message)"
