# SPDX-License-Identifier: MIT
"""Proof of a loss without this suite: a short script that trains, saves, loads and compares.

It uses the agent's own calls where the adapter's methods are no more than those, and batches from a seed.
What is written here is not yet known to show the loss: whoever asks runs it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import itertools
import textwrap
from typing import TYPE_CHECKING

from verification.adapters.find import place_of
from verification.counterexamples.inlined import inlined
from verification.counterexamples.repeated import without_repeats
from verification.counterexamples.script import imports_of
from verification.counterexamples.seeded import seeded
from verification.counterexamples.source import NoSource, Source
from verification.program import Advance, Learn, trained

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verification.adapter import Adapter
    from verification.losses import Loss
    from verification.program import Program

_WIDTH = 108
# Steps behind the load after which a script looks at what diverges.
_STEPS = (1, 2, 3, 5)
#: What sets the streams that an agent draws from: torch's, and where that is not enough, all global ones.
_SEEDS = ("torch.manual_seed({0})", "random.seed({0}), np.random.seed({0}), torch.manual_seed({0})")

_SCRIPT = '''\
"""{title} Exits with 1 while that is so."""
{imports}

{setup}

def run(interrupted):
{build}
{loop}
        if step == {before} and interrupted:  # save, and load into an agent with another past
{reload}
{train}
    yield {end}

for (name, one), (_, other) in zip(list(run(interrupted=False)), list(run(interrupted=True))):
    print(name, "differs by up to", (one - other).abs().max().item())
sys.exit(not torch.equal(one, other))
'''
# What a script sets itself, so that no part of a config may be called so.
_VARIABLES = ("adapter", "agent", "batch", "batches", "config", "name", "one", "other", "path", "run", "step")
#: What stands in a script for a load, and what takes its place to see that it shows nothing else.
_INTERRUPTED = "run(interrupted=True)"
_CONTROL = "run(interrupted=False)"


@dataclasses.dataclass(frozen=True)
class Proof:
    """A script, and the same one without the reload, which may find no difference."""

    text: str

    @property
    def control(self) -> str:
        """The script comparing two runs of which none is interrupted."""
        return self.text.replace(_INTERRUPTED, _CONTROL)


@dataclasses.dataclass(frozen=True)
class Shape:
    """What a script is like.

    Attributes:
        own: it has the agent's own calls, where that is possible, instead of the adapter's.
        receiver: the agent that is loaded into has a config of its own.
        seeds: the line that sets the streams, with a place for the seed; empty to set none.
        view: what it looks at right after the load, if anything, and what at its end.
        after: the steps behind the load.
    """

    own: bool
    receiver: bool
    seeds: str
    view: tuple[str, str]
    after: int


@dataclasses.dataclass(frozen=True)
class Scripts:
    """The scripts that may show a loss.

    Attributes:
        adapter: drives the agent.
        target: its name, as ``verify check`` takes it; empty for one that can be made by its class alone.
        cut: after how many steps of a program the checkpoint is saved.
        loss: what is lost.
        closed_loop: let the random streams flow through the run, instead of setting them before each step.
    """

    adapter: Adapter
    target: str
    cut: int
    loss: Loss
    closed_loop: bool

    def shapes(self, program: Program, *, brief: bool = False) -> Iterator[Shape]:
        """Shapes of scripts of a program that shows the loss, those first that say most and need least.

        Args:
            program: that shows the loss.
            brief: look only at what diverges, and not at what is lost, too; seed only what has to be.
        """
        first = self.loss.first
        other = program.receiver_config is not program.config
        for own, receiver, seeds, view in itertools.product(
            (True, False),
            (False, True) if other else (False,),
            ("", *_SEEDS) if brief else _SEEDS,
            [view for view in _views(self.loss) if not (brief and view[0])],
        ):
            for after in dict.fromkeys([max(1, first.step if first else 1), *_STEPS]):
                yield Shape(own, receiver, seeds, view, after)

    def proof(self, program: Program, shape: Shape) -> Proof | None:
        """The script of a shape; ``None`` if there is no source to write it with."""
        training = [step for step in program.steps if isinstance(step, Learn | Advance)]
        earlier = [step for step in program.steps[: self.cut] if isinstance(step, Learn | Advance)]
        writer = _Writer(self.adapter, self.target, program, shape, closed_loop=self.closed_loop)
        with contextlib.suppress(NoSource):
            return writer.proof(self.loss, training[-1], max(1, trained(earlier)))
        return None


def _views(loss: Loss) -> list[tuple[str, str]]:
    """What a script looks at: what is lost, right after the load, and what follows; or one of both."""
    lost = loss.differences[0].partition(" ")[0] if loss.differences else ""
    if ".state[" in lost:  # a parameter has no path that Python follows
        lost = f"len({lost.partition('.state[')[0]}.state)"
    effect = loss.first.path if loss.first and not loss.first.path.startswith("action") else ""
    return [pair for pair in dict.fromkeys([(lost, effect), ("", effect), (lost, lost)]) if pair[1]]


class _Writer:
    """Writes one script."""

    def __init__(
        self, adapter: object, target: str, program: Program, shape: Shape, *, closed_loop: bool
    ) -> None:
        self.adapter = adapter
        self.target = target
        self.program = program
        self.shape = shape
        self.closed_loop = closed_loop
        self.source = Source()
        self.uses_adapter = False

    def proof(self, loss: Loss, step: Learn | Advance, before: int) -> Proof:
        """A script that trains ``before`` steps, reloads, trains more, and looks at what its shape says."""
        after, view = self.shape.after, self.shape.view
        self.source.imports |= {"import sys", "import tempfile", "import pathlib", "import torch"}
        if "np." in self.shape.seeds:
            self.source.imports |= {"import random", "import numpy as np"}
        config = self.source.of(self.program.config)
        setup = without_repeats("config", config, _VARIABLES)
        other = self.source.of(self.program.receiver_config) if self.shape.receiver else config
        if other != config:
            setup += without_repeats("other", other, _VARIABLES)
        setup.append('path = pathlib.Path(tempfile.mkdtemp(), "checkpoint")')
        loop, train = f"    for step in range({before + after}):", ["adapter.advance(agent, 1)"]
        if isinstance(step, Advance):
            train = self._call("advance", {"agent": "agent", "steps": "1"})
        else:
            batch = seeded(step.batch, self.source, plain=self.shape.own)
            setup += ["torch.manual_seed(0)", f"batches = [{batch} for _ in range({before + after})]"]
            loop = "    for step, batch in enumerate(batches):"
            train = self._call("learn", {"agent": "agent", "batch": "batch"})
        if not self.closed_loop:
            train = [*self._seed("step"), *train]
        if view[0]:
            first = f'yield "right after the load, {view[0]}", {self._value(view[0])}'
            train = [f"if step == {before}:", f"    {first}", *train]
        steps = "1 step" if after == 1 else f"{after} steps"
        end = f'"{steps} after the load, {view[1]}", {self._value(view[1])}'
        text = _SCRIPT.format(
            title=_title(loss, self.adapter),
            build=_indented(self._built("config", 0), 4),
            loop=loop,
            before=before,
            reload=_indented(
                [
                    *self._call("save", {"agent": "agent", "path": "path"}),
                    *_in_one(
                        self._built("config" if other == config else "other", 1),
                        self._call("load", {"agent": "agent", "path": "path"}),
                    ),
                ],
                12,
            ),
            train=_indented(train, 8),
            end=end,
            setup="\n".join(map(_wrapped, [*self._adapter(), *setup])),
            imports=_imports(self.source.imports),
        )
        return Proof(text)

    def _seed(self, number: int | str) -> list[str]:
        return [self.shape.seeds.format(number)] if self.shape.seeds else []

    def _built(self, config: str, seed: int) -> list[str]:
        lines = self._call("build", {"config": config, "seed": str(seed)})
        seeded = self._seed(seed)
        return lines if seeded and seeded[0] in lines else [*seeded, *lines]

    def _call(self, member: str, names: dict[str, str]) -> list[str]:
        """What a method of the adapter does, or a call of it."""
        if self.shape.own:
            source = Source()
            try:
                lines = inlined(self.adapter, member, names, source)
                self.source.imports |= source.imports
                return lines
            except NoSource:
                pass
        self.uses_adapter = True
        result = "agent = " if member in {"build", "load"} else ""
        return [f"{result}adapter.{member}({', '.join(names.values())})"]

    def _value(self, path: str) -> str:
        """A copy of what is at a path."""
        root = path.removeprefix("len(").partition(".")[0].partition("[")[0]
        if hasattr(self.adapter, "state"):
            self.uses_adapter = True
            path = path.replace(root, f'adapter.state(agent)["{root}"]', 1)
        return f"torch.as_tensor({path}).clone()"

    def _adapter(self) -> list[str]:
        """The line that makes the adapter, where it is used and not just imported."""
        if not self.uses_adapter:
            return []
        if not self.target:
            name = self.source.name(type(self.adapter))
            return [f"adapter = {name}()"]
        module, _, name = place_of(self.target).partition(":")
        if module.endswith(".py"):  # a file, or the functions of a script
            self.source.imports.add("from verification.adapters.find import load_adapter")
            return [f"adapter = load_adapter({self.target!r})"]
        found = inspect.getattr_static(__import__(module, fromlist=[name]), name)
        if inspect.isclass(found):
            self.source.imports.add(f"from {module} import {name}")
            return [f"adapter = {name}()"]
        self.source.imports.add(f"from {module} import {name}{'' if name == 'adapter' else ' as adapter'}")
        return []


def _in_one(built: list[str], loaded: list[str]) -> list[str]:
    """Two calls of an adapter as one, where both are."""
    call = "agent = adapter.load(agent, path)"
    if loaded == [call] and built[-1].startswith("agent = "):
        return [*built[:-1], call.replace("agent, path", f"{built[-1].removeprefix('agent = ')}, path")]
    return [*built, *loaded]


def _imports(lines: set[str]) -> str:
    """Import statements, those of whole modules in one."""
    written = imports_of(lines).splitlines()
    whole = [line for line in written if line.startswith("import ")]
    modules = ", ".join(line.removeprefix("import ") for line in whole)
    return "\n".join([f"import {modules}", *(line for line in written if line not in whole)])


def _title(loss: Loss, adapter: object) -> str:
    name = loss.name.removeprefix("agent.")
    return f"{getattr(adapter, 'name', 'The agent')} loses {name} when it is saved and loaded."


def _wrapped(line: str) -> str:
    return "\n".join(
        textwrap.wrap(line, _WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    )


def _indented(lines: list[str], spaces: int) -> str:
    return textwrap.indent("\n".join(lines), " " * spaces)
