# SPDX-License-Identifier: MIT
"""Makes a failing program smaller by its structure: checkpoints, steps, the receiver's past, config, data."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import hypothesis
from hypothesis import HealthCheck, Phase

from verification.engine.fingerprint import fingerprint
from verification.program import Act, Advance, Learn, repeated, trained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verification.adapter import Adapter
    from verification.program import Program, Step


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

    def run(self, adapter: Adapter) -> Program:
        """Search until nothing can be left out any more, or the time is up."""
        ends = time.process_time() + self.seconds
        simplest = _Simplest(adapter)
        tried = {fingerprint(self.program)}
        smaller = True
        while smaller:
            smaller = False
            for candidate in _candidates(self.program, simplest):
                if time.process_time() > ends:
                    self.ran_out = True
                    return self.program
                if (key := fingerprint(candidate)) in tried:
                    continue
                tried.add(key)
                if self.fails(candidate):
                    self.program, smaller = candidate, True
                    break  # what could not be left out before may be now
        return self.program


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


def _simpler_data(program: Program, simplest: _Simplest) -> Iterator[Program]:
    """With the simplest config that the adapter draws, or with the simplest batches and observations."""
    configs = [program.config]
    if repr(config := simplest("configs")) != repr(program.config):
        configs.insert(0, config)
    for config in configs:
        batch, observation = simplest("batches", config), simplest("observations", config)

        def plain(step: Step, batch: Any = batch, observation: Any = observation) -> Step:
            if isinstance(step, Learn):
                return dataclasses.replace(step, batch=batch)
            return Act(observation) if isinstance(step, Act) else step

        simple = dataclasses.replace(
            program,
            config=config,
            receiver_config=program.receiver_config if config is program.config else config,
            steps=tuple(plain(step) for step in program.steps),
            receiver_steps=tuple(plain(step) for step in program.receiver_steps),
            probe=observation,
        )
        if repr(simple) != repr(program):
            yield simple


class _Simplest:
    """What an adapter's strategies shrink to, each looked for once."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self._found: dict[str, Any] = {}

    def __call__(self, member: str, *config: Any) -> Any:
        key = f"{member}{config!r}"
        if key not in self._found:
            options = hypothesis.settings(
                max_examples=20,
                database=None,
                deadline=None,
                derandomize=True,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            )
            strategy = getattr(self._adapter, member)(*config)
            self._found[key] = hypothesis.find(strategy, lambda _: True, settings=options)
        return self._found[key]
