# SPDX-License-Identifier: MIT
"""Makes a failing program smaller by its structure: checkpoints, steps, the receiver's past, config, data."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Flaky, NoSuchExample

from verification.engine.fingerprint import fingerprint
from verification.program import Act, Advance, Learn, repeated, trained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from verification.adapter import Adapter
    from verification.program import Program, Step


# Of the time for a search, what the one for a config may take.
_CONFIG = 0.5
# Training before the checkpoint of the programs that are tried first; few losses need more.
_FEW = (1, 2, 3)


@dataclass
class Reduction:
    """The search for a smaller program that fails alike.

    Args:
        program: the smallest so far.
        fails: whether a program fails in the same way.
        seconds: of CPU time that the search may take.
    """

    program: Program
    fails: Callable[[Program], bool]
    seconds: float
    ran_out: bool = False
    _failed: dict[bytes, bool] = field(default_factory=dict)

    def run(self, adapter: Adapter) -> Program:
        """Search until nothing can be left out any more, or the time is up."""
        simplest = _Simplest(adapter)
        ends = time.process_time() + self.seconds
        self._failed[fingerprint(self.program)] = True
        self._first_of(_smallest(self.program, simplest), ends)
        self._with_smallest_config(adapter, simplest, time.process_time() + _CONFIG * self.seconds)
        while self._first_of(_candidates(self.program, simplest), ends):
            pass  # what could not be left out before may be now
        return self.program

    def _first_of(self, candidates: Iterable[Program], ends: float) -> bool:
        """Take the first candidate that fails and was not tried before, if there is one."""
        return any(fingerprint(one) not in self._failed and self._takes(one, ends) for one in candidates)

    def _takes(self, candidate: Program, ends: float) -> bool:
        """Take a candidate if it fails, and there is time to see that."""
        key = fingerprint(candidate)
        if key not in self._failed:
            if time.process_time() > ends:
                self.ran_out = True
                return False
            self._failed[key] = self.fails(candidate)
            if self._failed[key]:
                self.program = candidate
        return self._failed[key]

    def _with_smallest_config(self, adapter: Adapter, simplest: _Simplest, ends: float) -> None:
        """Let Hypothesis make the config smaller, which knows how it is drawn; with plain data for it."""
        if repr(self.program.config) == repr(simplest("configs")):
            return
        program = self.program

        def fails(config: Any) -> bool:
            if time.process_time() > ends:
                return False
            return self._takes(_plain(_with_config(program, config), simplest), math.inf)

        with contextlib.suppress(NoSuchExample, Flaky):  # that it ended for the time is not said of a config
            hypothesis.find(adapter.configs(), fails, settings=_settings())


def _candidates(program: Program, simplest: _Simplest) -> Iterator[Program]:
    """Smaller programs, those first that leave out most."""
    for cut in program.cuts if len(program.cuts) > 1 else ():
        yield dataclasses.replace(program, cuts=(cut,))
    yield from _fewer_steps(program)
    if program.bystander:
        yield dataclasses.replace(program, bystander=False)
    if len(program.receiver_steps) > 1:
        yield dataclasses.replace(program, receiver_steps=program.receiver_steps[:1])
    for index, step in enumerate(program.steps):
        for shorter in _shorter(step):
            yield _with_step(program, index, shorter)
    yield from _simpler_data(program, simplest)
    if program.receiver_config is not program.config:
        yield dataclasses.replace(program, receiver_config=program.config)
    if (program.seed, program.receiver_seed, program.entropy) != (0, 1, 0):
        yield dataclasses.replace(program, seed=0, receiver_seed=1, entropy=0)


def _fewer_steps(program: Program) -> Iterator[Program]:
    """Without some of the steps, but for the last one, which trains."""
    number = len(program.steps) - 1
    size = number
    while size:
        for start in range(0, number, size):
            stop = min(start + size, number)
            steps = (*program.steps[:start], *program.steps[stop:])
            # A checkpoint that would be before any training is one of nothing.
            cuts = {cut - max(0, min(cut, stop) - start) for cut in program.cuts}
            if min(cuts) > 0 or 0 in program.cuts:
                yield dataclasses.replace(program, steps=steps, cuts=tuple(sorted(cuts)))
        size //= 2


def _shorter(step: Step) -> Iterator[Step]:
    """The step without most of its training, and then without ever smaller parts of it."""
    number = trained([step])
    less = number - 1
    while less > 0:
        yield repeated(step.batch, number - less) if isinstance(step, Learn) else Advance(number - less)
        less //= 2


def _with_step(program: Program, index: int, step: Step) -> Program:
    return dataclasses.replace(program, steps=(*program.steps[:index], step, *program.steps[index + 1 :]))


def _smallest(program: Program, simplest: _Simplest) -> Iterator[Program]:
    """Train, save, load, train: with the simplest config, and with that of the program."""
    last = program.steps[-1]
    one = repeated(last.batch, 1) if isinstance(last, Learn) else Advance(1)
    for config in (simplest("configs"), program.config):
        for number in _FEW:
            small = dataclasses.replace(
                _with_config(program, config),
                steps=(*[one] * number, one),
                cuts=(number,),
                receiver_steps=program.receiver_steps[:1],
                bystander=False,
                seed=0,
                receiver_seed=1,
                entropy=0,
            )
            yield _plain(small, simplest)


def _with_config(program: Program, config: Any) -> Program:
    return dataclasses.replace(program, config=config, receiver_config=config)


def _plain(program: Program, simplest: _Simplest) -> Program:
    """With the simplest batches and observations for its config."""
    batch, observation = simplest("batches", program.config), simplest("observations", program.config)

    def plain(step: Step) -> Step:
        if isinstance(step, Learn):
            return dataclasses.replace(step, batch=batch)
        return Act(observation) if isinstance(step, Act) else step

    return dataclasses.replace(
        program,
        steps=tuple(map(plain, program.steps)),
        receiver_steps=tuple(map(plain, program.receiver_steps)),
        probe=observation,
    )


def _simpler_data(program: Program, simplest: _Simplest) -> Iterator[Program]:
    """With the simplest config that the adapter draws, or with the simplest batches and observations."""
    for simple in (_with_config(program, simplest("configs")), program):
        if repr(plain := _plain(simple, simplest)) != repr(program):
            yield plain


class _Simplest:
    """What an adapter's strategies shrink to, each looked for once."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self._found: dict[str, Any] = {}

    def __call__(self, member: str, *config: Any) -> Any:
        key = f"{member}{config!r}"
        if key not in self._found:
            strategy = getattr(self._adapter, member)(*config)
            self._found[key] = hypothesis.find(strategy, lambda _: True, settings=_settings())
        return self._found[key]


def _settings() -> hypothesis.settings:
    return hypothesis.settings(
        max_examples=20,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
