# SPDX-License-Identifier: MIT
"""The adapter: the few functions that let the suite drive an agent implementation.

An adapter is any object with these members; there is no base class to inherit from. ``build``, ``learn``,
``save`` and ``load`` are needed; ``verification.adapters.completing`` fills in what else is lacking. The
optional members are looked up by name, so an adapter has only those that mean something for its agent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hypothesis.strategies import SearchStrategy


@runtime_checkable
class Adapter(Protocol):
    """What the suite needs to know about an agent implementation.

    ``Config``, ``Agent``, ``Batch`` and ``Observation`` are the adapter's own types; the suite never
    looks inside them. Configs, batches and observations must be plain data that pickle, because some
    checks repeat a run in another process.
    """

    name: str

    def configs(self) -> SearchStrategy[Any]:
        """Draw descriptions of agents: spaces, architecture, optimizers, hyper-parameters."""

    def batches(self, config: Any) -> SearchStrategy[Any]:
        """Draw the input of exactly one training step of an agent with this config."""

    def observations(self, config: Any) -> SearchStrategy[Any]:
        """Draw an observation that an agent with this config can act on."""

    def build(self, config: Any, seed: int) -> Any:
        """Construct an agent the way a user does. The seed decides its initial weights and streams."""

    def learn(self, agent: Any, batch: Any) -> None:
        """Take exactly one training step on ``batch``."""

    def act(self, agent: Any, observation: Any) -> Any:
        """The deterministic action for ``observation``, as a tensor or an array. ``None`` is none."""

    def save(self, agent: Any, path: Path) -> None:
        """Save the documented way. ``path`` is a name in an empty directory of its own.

        Whatever appears in that directory (a file, a file with the agent's own suffix, a folder,
        several files) is the checkpoint.
        """

    def load(self, agent: Any, path: Path) -> Any:
        """Restore the documented way into ``agent``; return it, or the new agent that replaces it."""


class OptionalMembers(Protocol):
    """Members that an adapter may have. Found by name; none is required.

    A public member whose name is nearly one of these is refused, because nothing would look it up.
    """

    #: Leaves that may differ after a reload, each with the reason why that is harmless. Keys are path
    #: patterns in which ``*`` stands for any characters: ``{"agent.start_time": "only printed"}``.
    volatile: Mapping[str, str]

    #: Pieces that are the caller's, each with the reason: a load must leave the receiver's own value there,
    #: such as its learning rate in population-based training. Keys are path patterns, as in ``volatile``. For
    #: what follows from a load, the saved agent's values are put there, so that nothing else is blamed.
    callers: Mapping[str, str]

    #: Checks that this agent is known to fail, each with the reason, or with a table of an entry's keys.
    expected_failures: Mapping[str, str | Mapping[str, Any]]

    #: The seconds that one operation may take before it is given up as hanging. Default: 60. The limit is a
    #: timer signal: on systems that have none, and outside the main thread, there is no limit.
    time_limit: float

    #: How far is looked: how many training steps some programs take before a checkpoint, and how many steps
    #: after a load are looked at where it is undecided whether a difference matters. Default: 12. Raise it
    #: for an agent that can lose something only once a longer window, buffer or period is full.
    horizon: int

    def advance(self, agent: Any, steps: int) -> None:
        """Train in closed loop for ``steps`` environment steps: act, explore, store, sample, learn."""

    def state(self, agent: Any) -> Mapping[str, object]:
        """The roots in which state is discovered, by name. Default: ``{"agent": agent}``."""

    def wait(self, agent: Any) -> None:
        """Return once the saves of this agent that go on behind the call are done.

        Called before a load, before the files of a checkpoint are looked at, and before another is saved over
        it.
        """

    def variants(self, config: Any) -> SearchStrategy[Any]:
        """Configs that a receiver of this config's checkpoint may have been built with instead.

        Same architecture, other hyper-parameters: those that the agent stores in its checkpoint.
        Default: the config itself.
        """

    def operations(self, config: Any) -> SearchStrategy[Any]:
        """Draw what users do to such an agent between steps, as plain data; needs :meth:`operate`.

        Change a hyper-parameter, freeze a network, switch modes: whatever the checkpoint promises to keep.
        """

    def operate(self, agent: Any, operation: Any) -> None:
        """Do to the agent what :meth:`operations` drew."""

    def reopen(self, config: Any, path: Path) -> Any:
        """How a new process restores. Default: ``load(build(config, another_seed), path)``."""
