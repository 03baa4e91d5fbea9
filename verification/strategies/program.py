# SPDX-License-Identifier: MIT
"""Programs: what the arms of an experiment do, as plain data."""

from __future__ import annotations

import dataclasses
import functools
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import hypothesis.strategies as st
import numpy as np
from hypothesis import event

from verification.errors import AdapterError
from verification.strategies.local_constants import no_local_constants
from verification.strategies.moments import optimizer_states

if TYPE_CHECKING:
    from collections.abc import Callable

    from verification.adapter import Adapter
    from verification.strategies.moments import OptimizerState


@dataclass(frozen=True)
class Learn:
    """Take one training step on ``batch``."""

    batch: Any


@dataclass(frozen=True)
class Act:
    """Choose an action for ``observation``; the action is compared, too."""

    observation: Any


@dataclass(frozen=True)
class Advance:
    """Train in closed loop for ``steps`` environment steps."""

    steps: int


@dataclass(frozen=True)
class Implant:
    """Write ``state`` into every optimizer of the agent, past what the agent would notice."""

    state: OptimizerState


@dataclass(frozen=True)
class Operate:
    """Do what users do between steps, such as changing a learning rate; the adapter knows what it means."""

    operation: Any


Step: TypeAlias = Learn | Act | Advance | Implant | Operate


@dataclass(frozen=True)
class Program:
    """One experiment.

    Attributes:
        config: of the agent that trains.
        receiver_config: of the agent that the checkpoint is loaded into; other hyper-parameters.
        seed: of the agent that trains.
        receiver_seed: of the receiver; never the same.
        steps: what the agent does.
        cuts: after how many steps a checkpoint is saved and resumed from; ascending.
        receiver_steps: what a used receiver has done before the load.
        probe: an observation that agents are compared on.
        entropy: from which the states of the global random generators follow.
        bystander: whether another agent is built and trained beside the one that was resumed.
    """

    config: Any
    receiver_config: Any
    seed: int
    receiver_seed: int
    steps: tuple[Step, ...]
    cuts: tuple[int, ...]
    receiver_steps: tuple[Step, ...]
    probe: Any
    entropy: int
    bystander: bool = False

    def describe(self) -> str:
        """The program as the lines of Python that an adapter's author would write, large arrays shortened."""
        lines = [f"config = {_text(self.config)}", f"receiver_config = {self._receiver_config()}"]
        lines.append(f"agent = adapter.build(config, seed={self.seed})")
        for index, step in enumerate((*self.steps, None)):
            if index in self.cuts:
                receiver = f"adapter.build(receiver_config, seed={self.receiver_seed})"
                lines.append(
                    f"adapter.save(agent, path)  # resumed from here: adapter.load({receiver}, path)"
                )
            match step:
                case Learn(batch):
                    lines.append(f"adapter.learn(agent, {_text(batch)})")
                case Act(observation):
                    lines.append(f"adapter.act(agent, {_text(observation)})")
                case Advance(steps):
                    lines.append(f"adapter.advance(agent, {steps})")
                case Implant(state):
                    lines.append(f"for optimizer in optimizers_of(agent): implant(optimizer, {state!r})")
                case Operate(operation):
                    lines.append(f"adapter.operate(agent, {_text(operation)})")
        if self.bystander:
            lines.append("# Another agent is built and trained between each load and what follows it.")
        return "\n".join(lines)

    def _receiver_config(self) -> str:
        """The receiver's config, by what is different about it where configs are dataclasses."""
        config, other = self.config, self.receiver_config
        if other is config or not dataclasses.is_dataclass(config) or type(config) is not type(other):
            return "config" if other is config else _text(other)
        names = [field.name for field in dataclasses.fields(config)]
        changed = [name for name in names if repr(getattr(config, name)) != repr(getattr(other, name))]
        changes = "".join(f", {name}={_text(getattr(other, name))}" for name in changed)
        return f"dataclasses.replace(config{changes})" if changed else "config"


def _text(value: object) -> str:
    """A value on one line, with the middle of large arrays left out: the seed draws them again in full."""
    with np.printoptions(threshold=8, edgeitems=1, precision=4):
        return " ".join(repr(value).split())


_IMPLANTS = st.builds(Implant, optimizer_states())
# Another agent doubles the cost of every step after a load.
_ONE_IN_SIXTEEN = st.sampled_from((*[False] * 15, True))


def programs(
    adapter: Adapter,
    *,
    closed_loop: bool = False,
    max_learned: int = 6,
    max_tail: int = 5,
    max_cuts: int = 3,
) -> st.SearchStrategy[Program]:
    """Draw programs for an adapter's agent.

    Args:
        adapter: whose configs, batches and observations are drawn.
        closed_loop: train through ``advance`` where the adapter has it, instead of on given batches.
        max_learned: the latest cut, in steps of any kind. The first may be 0: before any training.
        max_tail: at most how many steps follow the latest cut, in front of a last one that trains.
        max_cuts: at most how many checkpoints one run serves; at least one.

    Raises:
        AdapterError: when drawn, if ``configs``, ``batches``, ``observations``, ``variants`` or
            ``operations`` of the adapter raises, or returns something else than a strategy.

    Example:
        >>> from hypothesis import given
        >>> @given(program=programs(MyAdapter()))
        ... def test_something(program): ...
    """
    drawn = functools.partial(
        _program,
        adapter=adapter,
        closed_loop=closed_loop,
        max_learned=max_learned,
        max_tail=max_tail,
        max_cuts=max_cuts,
    )
    return _unmutated(_programs(drawn))


def _unmutated(strategy: st.SearchStrategy[Program]) -> st.SearchStrategy[Program]:
    """``strategy`` such that every example is drawn anew.

    After ten examples Hypothesis makes most of them by copying one part of an example over another part. The
    parts of a program mean different things, so that gave near-duplicates: 13 different configs in 20
    examples. What is unique within a collection is not copied, and this is a collection of one.
    """
    return st.lists(strategy, min_size=1, max_size=1, unique_by=id).map(operator.itemgetter(0))


@st.composite
def _programs(draw: st.DrawFn, drawn: Callable[[st.DrawFn], Program]) -> Program:
    with no_local_constants():
        program = drawn(draw)
    _report(program)
    return program


def _program(
    draw: st.DrawFn, adapter: Adapter, *, closed_loop: bool, max_learned: int, max_tail: int, max_cuts: int
) -> Program:
    config = draw(_strategy(adapter, "configs"), label="config")
    batches = st.builds(Learn, _strategy(adapter, "batches", config))
    observations = _strategy(adapter, "observations", config)
    acts = st.builds(Act, observations)
    if closed_loop and hasattr(adapter, "advance"):
        training: st.SearchStrategy[Step] = st.builds(Advance, st.integers(1, 9))
    else:
        training = batches
    step = _steps((*[training] * 10, *[acts] * 5, *_rare_steps(adapter, config)))
    # Rarely none: a checkpoint of an agent that never learned hides most bugs.
    numbers = st.sampled_from([0, *range(1, max_learned + 1), *range(1, max_learned + 1)])
    learned = draw(_counted(step, numbers), label="steps before the last cut")
    tail = [
        *draw(_counted(step, st.integers(0, max_tail)), label="steps after it"),
        draw(training, label="last step"),
    ]
    earlier = draw(st.sets(st.integers(0, len(learned)), max_size=max_cuts - 1), label="earlier cuts")
    cuts = tuple(sorted(earlier | {len(learned)}))
    seed = draw(st.integers(0, 2**16), label="seed")
    return Program(
        config=config,
        receiver_config=_receiver_config(draw, adapter, config),
        seed=seed,
        receiver_seed=seed + draw(st.integers(1, 2**8), label="distance of the receiver's seed"),
        steps=(*learned, *tail),
        cuts=cuts,
        receiver_steps=tuple(draw(_counted(training, st.integers(1, 3)), label="the receiver's past")),
        probe=draw(observations, label="probe"),
        entropy=draw(st.integers(0, 2**16), label="entropy"),
        bystander=draw(_ONE_IN_SIXTEEN, label="bystander"),
    )


@st.composite
def _steps(draw: st.DrawFn, kinds: tuple[st.SearchStrategy[Step], ...]) -> Step:
    """A step of one of the kinds, which may repeat: one_of would take each only once."""
    return draw(kinds[draw(st.integers(0, len(kinds) - 1))])


@st.composite
def _counted(draw: st.DrawFn, step: st.SearchStrategy[Step], numbers: st.SearchStrategy[int]) -> list[Step]:
    """Steps, their number first: from a list that ends somewhere, shrinking drops few of its first steps."""
    return [draw(step) for _ in range(draw(numbers))]


def _rare_steps(adapter: Adapter, config: Any) -> list[st.SearchStrategy[Step]]:
    """Steps that are neither training nor acting; rare, because after most of them bugs show less."""
    if not hasattr(adapter, "operations"):
        return [_IMPLANTS]
    return [_IMPLANTS, *[st.builds(Operate, _strategy(adapter, "operations", config))] * 2]


def _strategy(adapter: Adapter, member: str, *arguments: Any) -> st.SearchStrategy[Any]:
    """What a member of the adapter returns, if it is a strategy."""
    try:
        strategy = getattr(adapter, member)(*arguments)
    except Exception as error:
        raise AdapterError(
            f"the adapter {adapter.name!r}: {member}() raised {type(error).__name__}: {error}"
        ) from error
    if not isinstance(strategy, st.SearchStrategy):
        raise AdapterError(
            f"the adapter {adapter.name!r}: {member}() returned {strategy!r}; return a Hypothesis strategy, "
            "such as st.just(...)"
        )
    return strategy


def _receiver_config(draw: st.DrawFn, adapter: Adapter, config: Any) -> Any:
    if not hasattr(adapter, "variants"):
        return config
    return draw(_strategy(adapter, "variants", config), label="the receiver's config")


def _report(program: Program) -> None:
    """Tell Hypothesis's statistics which interesting states were reached."""
    freq = getattr(program.config, "policy_freq", None)
    for cut in program.cuts:
        learned = sum(isinstance(step, Learn) for step in program.steps[:cut])
        event("cut after training steps", learned)
        if freq:
            event("cut at residue of the policy delay", f"{learned % freq} of {freq}")
    for step in program.steps:
        if isinstance(step, Implant):
            event("implanted optimizer state", repr(step.state))
        elif isinstance(step, Operate):
            event("operation", _text(step.operation))
    if program.bystander:
        event("a bystander")
    kind = getattr(program.config, "observation_kind", None)
    if kind:
        event("observation", kind)
