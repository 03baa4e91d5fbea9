# SPDX-License-Identifier: MIT
"""Drives an adapter: calls its members, and tells an adapter's mistakes from its agent's failures."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import re
import sys
import textwrap
import traceback
import types
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch.optim import Optimizer

from verification.adapters.completing import Completed, complete
from verification.adapters.signatures import Call
from verification.engine.callers import Callers
from verification.engine.class_state import ClassState
from verification.engine.implant import implant
from verification.engine.members import validate_adapter
from verification.engine.process_settings import settings_kept
from verification.errors import MISTAKES, AdapterError, CheckFailure, OverTimeLimit, shortly
from verification.processes.time_limits import DEFAULT, TimeIsUp, limited, over_limit
from verification.program import Act, Advance, Implant, Learn, Operate, Repeat, Step
from verification.state import Snapshot, find, take

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from verification.adapter import Adapter
    from verification.state.snapshot import Leaf


class Driver:
    """An adapter with the suite's manners: named errors, watched roots, declared volatile leaves."""

    def __init__(self, adapter: Adapter) -> None:
        adapter = complete(adapter)
        validate_adapter(adapter)
        self.adapter = adapter
        volatile, callers = getattr(adapter, "volatile", {}), getattr(adapter, "callers", {})
        self._volatile = _pattern(volatile)
        self._hidden = _pattern([*volatile, *callers])
        #: What the adapter declares as the caller's; ``None`` if nothing.
        self.callers: Callers | None = (
            Callers(self._hidden, self._volatile) if callers and self._hidden else None
        )
        #: What the agent's classes and modules hold.
        self.class_state: ClassState = ClassState()
        self.class_state.note({"adapter": adapter})  # before there is any agent
        #: What no snapshot so far could look into: its type, by path.
        self.opaque: dict[str, str] = {}
        #: Settings of the process that a member has changed: what they were and had become, by name.
        self.changed_settings: dict[str, dict[str, tuple[Any, Any]]] = {"save": {}, "load": {}, "reopen": {}}
        #: What a checkpoint is named by: a path, or the same as text.
        self.path_type: Callable[[Path], Path | str] = Path
        self._known: Mapping[str, Leaf] = {}  # of the latest snapshot: most of it is the same in the next
        self._saving: list[Any] = []  # agents whose saves may go on behind the call

    @property
    def closed_loop(self) -> bool:
        """Whether the adapter can train in closed loop."""
        return hasattr(self.adapter, "advance")

    @property
    def acts(self) -> bool:
        """Whether the adapter says how the agent acts."""
        return hasattr(self.adapter, "act")

    def build(self, config: Any, seed: int) -> Any:
        """A new agent."""
        agent = self._call("build", config, seed)
        if agent is None:
            raise AdapterError("build() returned None; return the agent")
        return agent

    def perform(self, agent: Any, step: Step, *, reloaded: bool = False) -> Any:
        """Do one step of a program; an action is returned.

        An exception is the agent's failure if it comes only after a reload, else the adapter's error; so is
        an action that is none.
        """
        match step:
            case Repeat(batch, times):
                for _ in range(times):  # each on the batch as drawn: an agent may work on it in place
                    self._call("learn", agent, copy.deepcopy(batch), reloaded=reloaded)
                return None
            case Learn(batch):
                return self._call("learn", agent, batch, reloaded=reloaded)
            case Act(observation):
                action = self._call("act", agent, observation, reloaded=reloaded)
                if not reloaded and not _has_content(action):
                    raise AdapterError(
                        f"act() returned {_shortened(action)}, in which there is nothing to compare; "
                        "return the action, as a tensor or an array"
                    )
                return action
            case Advance(steps):
                return self._call("advance", agent, steps, reloaded=reloaded)
            case Operate(operation):
                return self._call("operate", agent, operation, reloaded=reloaded)
            case Implant(state):
                for optimizer in self.optimizers(agent):
                    implant(optimizer, state)
                return None

    def save(self, agent: Any, directory: Path) -> None:
        """Save into a directory of its own, empty or with an earlier checkpoint in it."""
        with settings_kept(self.changed_settings["save"]):
            self._call("save", agent, self._named(directory), reloaded=True)
        if hasattr(self.adapter, "wait"):
            self._saving.append(agent)

    def settle(self) -> None:
        """Wait for the saves so far, where the adapter says how; to be called before files are looked at."""
        saving, self._saving = self._saving, []
        for agent in saving:
            self._call("wait", agent, reloaded=True)

    def load(self, agent: Any, directory: Path) -> Any:
        """Load what :meth:`save` left in ``directory`` into ``agent``; return the restored agent."""
        self.settle()
        with settings_kept(self.changed_settings["load"]):
            restored = self._call("load", agent, self._named(directory), reloaded=True)
        return self._an_agent("load", restored)

    def reopen(self, config: Any, seed: int, directory: Path) -> Any:
        """Restore the way a new process does."""
        if not hasattr(self.adapter, "reopen"):
            return self.load(self.build(config, seed), directory)
        self.settle()
        with settings_kept(self.changed_settings["reopen"]):
            restored = self._call("reopen", config, self._named(directory), reloaded=True)
        return self._an_agent("reopen", restored)

    def snapshot(self, agent: Any) -> Snapshot:
        """The state of an agent now, without what is volatile or the caller's."""
        roots = self.roots(agent)
        with within_limit(self.adapter, "walking through the agent, of which state() may leave parts out,"):
            snapshot = take(roots, volatile=self._hidden, known=self._known)
        self._known = snapshot.leaves
        self.opaque.update(snapshot.opaque)
        self.class_state.note(roots, snapshot)
        return snapshot

    def give_callers(self, agent: Any, other: Any) -> None:
        """Put the caller's pieces of another agent into an agent, if the adapter declares any."""
        if self.callers is not None:
            self.callers.give(self.roots(agent), self.roots(other))

    def roots(self, agent: Any) -> Mapping[str, object]:
        """Where state is discovered."""
        if not hasattr(self.adapter, "state"):
            return {"agent": agent}
        roots: Mapping[str, object] = self._call("state", agent)
        if not isinstance(roots, Mapping) or not roots or not all(isinstance(name, str) for name in roots):
            raise AdapterError(
                f"the adapter {self.adapter.name!r}: state() returned {_shortened(roots)}; return what to "
                'watch by name: {"agent": agent}'
            )
        return roots

    def optimizers(self, agent: Any) -> list[Optimizer]:
        """Every optimizer that the agent holds, in the order of their paths."""
        found = find(self.roots(agent), Optimizer, volatile=self._volatile)
        return [found[path] for path in sorted(found)]

    def _named(self, directory: Path) -> Path | str:
        """The name that an adapter is given for the checkpoint in ``directory``."""
        return self.path_type(directory / "checkpoint")

    def _an_agent(self, member: str, restored: Any) -> Any:
        if restored is None:
            raise AdapterError(f"{member}() returned None; return the restored agent")
        return restored

    def _call(self, member: str, *arguments: Any, reloaded: bool = False) -> Any:
        """Call a member; ``reloaded`` says that an exception may be due to the checkpoint."""
        try:
            with within_limit(self.adapter, f"{member}()"):
                return getattr(self.adapter, member)(*arguments)
        except OverTimeLimit:
            raise
        except MISTAKES as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            what = f"{member}() raised {shortly(error)} ({place})"
            if reloaded and not self._is_ours(error):
                raise CheckFailure(what) from error
            raise AdapterError(f"the adapter {self.adapter.name!r}: {what}") from error

    def _is_ours(self, error: BaseException) -> bool:
        """Whether an exception was raised by the adapter's own lines rather than by the agent's."""
        *_, (frame, _) = traceback.walk_tb(error.__traceback__)
        # An exception of the call itself, before the member began, is about the member's arguments.
        return frame.f_code in self._own_code or frame.f_code in _CALLING

    @functools.cached_property
    def _own_code(self) -> set[types.CodeType]:
        """The code of the adapter's methods, and of the plain functions of its module that help them.

        An agent's class may stand in the same file; its methods are not the adapter's. Where plain functions
        are all there is, they are the agent's own training, saving and loading.
        """
        members: list[Any] = []
        adapter = self.adapter.given if isinstance(self.adapter, Completed) else self.adapter
        for one in type(adapter).__mro__[:-1] if not isinstance(adapter, types.SimpleNamespace) else ():
            around = vars(sys.modules[one.__module__]).values() if one.__module__ in sys.modules else ()
            helpers = filter(inspect.isfunction, around)
            members += [function for function in helpers if function.__module__ == one.__module__]
            members += vars(one).values()
        wrapped = ("__func__", "fget", "__wrapped__")  # static and class methods, properties, decorated ones
        members += [getattr(member, name) for member in members for name in wrapped if hasattr(member, name)]
        codes = [member.__code__ for member in members if inspect.isfunction(member)]
        return set().union(*map(_with_inner_functions, codes))


# Where members are called.
_CALLING = frozenset({Driver._call.__code__, Completed._call.__code__, Call.__call__.__code__})  # noqa: SLF001


def _pattern(paths: Iterable[str]) -> re.Pattern[str] | None:
    """What matches the paths, and what is below them; ``*`` in them stands for any characters."""
    patterns = [re.escape(path).replace(r"\*", ".*") + r"(?:[.\[].*)?" for path in paths]
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns)) if patterns else None


def _has_content(action: object) -> bool:
    """Whether an action has a number in it, or anything else that could differ."""
    for leaf in take({"action": action}).leaves.values():
        if leaf.kind in {"tensor", "array"} and 0 not in dict(leaf.meta).get("shape", ()):  # type: ignore[operator]
            return True
        if leaf.kind == "scalar" and leaf.role != "shared" and leaf.value is not None:
            return True
    return False


def _with_inner_functions(code: types.CodeType) -> set[types.CodeType]:
    """A function's code and that of the functions in it, but not of the methods of a class in it."""
    inner = [
        one
        for one in code.co_consts
        if isinstance(one, types.CodeType) and one.co_flags & inspect.CO_OPTIMIZED
    ]
    return {code}.union(*map(_with_inner_functions, inner))


@contextlib.contextmanager
def within_limit(adapter: Adapter, operation: str) -> Iterator[None]:
    """Run an operation of an adapter within the time that the adapter gives each.

    Raises:
        OverTimeLimit: if it takes longer.
    """
    seconds = float(getattr(adapter, "time_limit", DEFAULT))
    what = f"the adapter {adapter.name!r}: {operation}"
    try:
        with limited(seconds, what):
            yield
    except TimeIsUp as up:
        raise OverTimeLimit(over_limit(what, seconds, up.importing)) from None


def _shortened(value: object) -> str:
    return textwrap.shorten(repr(value), 60, placeholder="...")
