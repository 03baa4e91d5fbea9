# SPDX-License-Identifier: MIT
"""The files of a first adapter as text: the adapter, a test of one line, and the line of a workflow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from verification.scaffolding.guessing import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from verification.scaffolding.guessing import Argument
    from verification.scaffolding.inspecting import Inspected, Method

#: What marks a line that only its author can complete, and one that is a guess.
FILL_IN, CHECK = "# FILL IN", "# CHECK"
#: Ways to give an agent an observation, or a batch, to be tried in this order.
_WIDTH = 80
FORMS = ("torch.as_tensor({})", "{}")


def snake(name: str) -> str:
    """The name of a class as that of a module."""
    parts = re.sub(r"([a-z0-9])([A-Z])|([A-Z]+)([A-Z][a-z])", r"\1\3_\2\4", name)
    return parts.lower()


def adapter_text(found: Inspected, *, form: str = FORMS[0], acts: bool = True) -> str:
    """The adapter's module.

    Args:
        found: what was seen of the class.
        form: how an observation or a batch is given; one of :data:`FORMS`.
        acts: whether to write ``act``; without it actions are not compared.
    """
    body = [
        *_build(found),
        *_learn(found, form),
        *(_act(found, form) if acts and found.act else _no_act()),
        *_save_and_load(found),
        *_advance(found),
        *_MORE,
    ]
    imported = f"from {found.module} import {found.name}"
    head = _head(found.name, imported, "\n".join(body), discrete=found.discrete)
    return "\n".join([*head, *body]).rstrip() + "\n"


def script_text(name: str, module: str, networks: Sequence[Inspected]) -> str:
    """The adapter's module for a script whose agent is no class: its networks, and what its loop holds.

    Args:
        name: what the adapter is called by.
        module: what the networks are imported from.
        networks: that the script defines.
    """
    pieces = [snake(one.name) for one in networks]
    built = [
        f"            {piece}={_call(one.name, one.constructor)},"
        for piece, one in zip(pieces, networks, strict=True)
    ]
    parameters = ", ".join(f"*agent.{piece}.parameters()" for piece in pieces)
    body = [
        "    def build(self, seed):",
        "        torch.manual_seed(seed)  # decides the initial weights",
        "        agent = SimpleNamespace(",
        *built,
        "        )",
        f"        agent.optimizer = torch.optim.Adam([{parameters}])  {CHECK}: your optimizers",
        f"        return agent  {CHECK}: targets, replay buffer, counters: whatever your loop holds",
        "",
        "    def learn(self, agent):",
        f"        raise NotImplementedError  {FILL_IN}: one training step, as your loop does it",
        "",
        "    def save(self, agent, path):",
        f"        names = {[*pieces, 'optimizer']}  {CHECK}: what your script saves, and no more",
        "        torch.save({name: getattr(agent, name).state_dict() for name in names}, path)",
        "",
        "    def load(self, agent, path):",
        "        for name, contents in torch.load(path).items():",
        "            getattr(agent, name).load_state_dict(contents)",
        "        return agent",
        "",
        *_MORE,
    ]
    imported = f"from {module} import {', '.join(one.name for one in networks)}"
    return "\n".join([*_head(name, imported, "\n".join(body)), *body]).rstrip() + "\n"


def test_text(name: str, module: str) -> str:
    """The test's module."""
    return f'''\
"""The checkpoints of {name} restore everything that training goes on from.

In a workflow: verify check {module}:{name}Adapter --report text,junit
"""

from {module} import {name}Adapter

from verification import conformance_suite

Test{name}Checkpoints = conformance_suite({name}Adapter(), level="training")
'''


def workflow_line(name: str, module: str) -> str:
    """The step of a workflow on GitHub."""
    return f"- run: verify check {module}:{name}Adapter --report text,junit"


def marks(text: str) -> list[tuple[int, str]]:
    """The lines that are left to the author: their numbers, and themselves."""
    lines = enumerate(text.splitlines(), start=1)
    return [(number, line.strip()) for number, line in lines if re.search(rf"  ({FILL_IN}|{CHECK}): ", line)]


def is_complete(text: str) -> bool:
    """Whether nothing is left that only the author can know."""
    return not any(f"  {FILL_IN}: " in line for line in text.splitlines())


# -- pieces ------------------------------------------------------------------------------------------------


def _head(name: str, imported: str, code: str, *, discrete: bool = False) -> list[str]:
    """The module's docstring, imports and constants: those that the code needs."""
    needed = [
        *(["from types import SimpleNamespace", ""] if "SimpleNamespace" in code else []),
        *(["import torch"] if "torch." in code else []),
        f"from gymnasium.spaces import Box{', Discrete' if discrete else ''}",
        *(["from gymnasium.vector import SyncVectorEnv"] if "SyncVectorEnv" in code else []),
        imported,
    ]
    strategies = [one for one in ("observations", "transition_batches") if f"return {one}(" in code]
    ours = [
        *(["from verification.environments import ToyEnv"] if "environment" in code else []),
        *([f"from verification.strategies import {', '.join(strategies)}"] if strategies else []),
    ]
    actions = "Discrete(2)" if discrete else "Box(-1.0, 1.0, (2,))"
    constants = [
        f"OBSERVATIONS, ACTIONS = Box(-1.0, 1.0, (3,)), {actions}  {CHECK}: the spaces of a small agent",
        *(["SIZE = 3  # of an observation"] if re.search(r"\bSIZE\b", code) else []),
        *(["ACTION_SIZE = 2"] if "ACTION_SIZE" in code else []),
        *(["STEPS = 8  # of the environment, in one call"] if "STEPS" in code else []),
    ]
    environment = [
        "",
        "",
        "def environment():",
        '    """Every number of it follows from its generator; reset() starts an episode anew."""',
        f"    return ToyEnv(OBSERVATIONS, ACTIONS)  {CHECK}: your own, if it is small and repeatable",
    ]
    return [
        f'"""Lets the suite drive {name}: verify check {snake(name)}_adapter:{name}Adapter',
        "",
        f'Lines with "{FILL_IN}" need you, lines with "{CHECK}" are guesses.',
        '"""',
        "",
        *needed,
        "",
        *ours,
        *([""] if ours else []),
        *constants,
        *(environment if "environment" in code else []),
        "",
        "",
        f"class {name}Adapter:",
        f'    name = "{snake(name)}"',
        "",
    ]


def _call(function: str, arguments: Sequence[object]) -> str:
    return f"{function}({', '.join(map(str, arguments))})"


def _build(found: Inspected) -> list[str]:
    seeded = any(one.text == "seed" for one in found.constructor)
    lines = ["    def build(self, seed):"]
    if not seeded:
        lines.append("        torch.manual_seed(seed)  # decides the initial weights")
    unknown = [one.name for one in found.constructor if one.text == UNKNOWN]
    mark = f"  {FILL_IN}: {', '.join(unknown)}" if unknown else ""
    if len(call := _call(found.name, found.constructor)) <= _WIDTH:
        return [*lines, f"        return {call}{mark}", ""]
    arguments = [f"            {one},{_mark(one)}" for one in found.constructor]
    return [*lines, f"        return {found.name}(", *arguments, "        )", ""]


def _mark(argument: Argument) -> str:
    return f"  {FILL_IN}: {argument.name}" if argument.text == UNKNOWN else ""


def _learn(found: Inspected, form: str) -> list[str]:
    if found.learn is None:
        return [
            "    def learn(self, agent):",
            f"        raise NotImplementedError  {FILL_IN}: one training step, as your loop does it",
            "",
        ]
    if found.transition:
        values = [form.format(f"batch.{name}") for name in found.transition]
        return [
            "    def batches(self, config):",
            "        return transition_batches(OBSERVATIONS, ACTIONS)",
            "",
            "    def learn(self, agent, batch):",
            f"        agent.{_call(found.learn.name, values)}  {CHECK}: exactly one training step",
            "",
        ]
    unknown = [one.name for one in found.learn.arguments if one.text == UNKNOWN]
    mark = f"{FILL_IN}: {', '.join(unknown)}" if unknown else f"{CHECK}: it trains on what the agent has"
    return [
        "    def learn(self, agent):",
        f"        agent.{_call(found.learn.name, found.learn.arguments)}  {mark}",
        "",
    ]


def _act(found: Inspected, form: str) -> list[str]:
    assert found.act is not None
    quiet = ", deterministic=True" if found.deterministic else ""
    return [
        "    def observations(self, config):",
        "        return observations(OBSERVATIONS)",
        "",
        "    def act(self, agent, observation):",
        f"        return agent.{found.act.name}({form.format('observation')}{quiet})  {CHECK}: without noise",
        "",
    ]


def _no_act() -> list[str]:
    return ["    # Add act(agent, observation) and observations(config) to have actions compared.", ""]


def _save_and_load(found: Inspected) -> list[str]:
    if found.save is None or found.load is None:
        return [*_by_state_dict(found), ""]
    lines = ["    def save(self, agent, path):"]
    lines.append(f"        agent.{_call(found.save.name, _positional(found.save))}{_unknown(found.save)}")
    lines += [f'        agent.{save}(f"{{path}}_{save.removeprefix("save_")}")' for save, _ in found.also]
    lines += ["", "    def load(self, agent, path):"]
    if found.load.makes_new:
        loaded = _call(f"{found.name}.{found.load.name}", _positional(found.load))
        lines.append(f"        agent = {loaded}{_unknown(found.load)}")
    else:
        lines.append(f"        agent.{_call(found.load.name, _positional(found.load))}{_unknown(found.load)}")
    lines += [f'        agent.{load}(f"{{path}}_{save.removeprefix("save_")}")' for save, load in found.also]
    return [*lines, "        return agent", ""]


def _positional(method: Method) -> list[str]:
    """The path by its place, the others by their names."""
    return [one.text if one.text == "path" else str(one) for one in method.arguments]


def _unknown(method: Method) -> str:
    unknown = [one.name for one in method.arguments if one.text == UNKNOWN]
    return f"  {FILL_IN}: {', '.join(unknown)}" if unknown else ""


def _by_state_dict(found: Inspected) -> Iterable[str]:
    if found.is_module:
        return [
            "    def save(self, agent, path):",
            f"        torch.save(agent.state_dict(), path)  {CHECK}: as your users save it",
            "",
            "    def load(self, agent, path):",
            "        agent.load_state_dict(torch.load(path))",
            "        return agent",
        ]
    return [
        "    def save(self, agent, path):",
        f"        raise NotImplementedError  {FILL_IN}: as your users save it",
        "",
        "    def load(self, agent, path):",
        f"        raise NotImplementedError  {FILL_IN}: and return the agent",
    ]


def _advance(found: Inspected) -> list[str]:
    if found.learn and any(one.text == "STEPS" for one in found.learn.arguments):
        arguments = [str(one).replace("STEPS", "steps") for one in found.learn.arguments]
        return [
            "    def advance(self, agent, steps):",
            f"        agent.{_call(found.learn.name, arguments)}  # acts, explores, stores, samples, learns",
            "",
        ]
    return [
        "    # Add advance(agent, steps), your training loop, to have the replay buffer and exploration",
        "    # checked: verification.loops has loops for off-policy and on-policy agents.",
        "",
    ]


_MORE = [
    "    # Add configs(), with build(config, seed), to have other architectures and optimizers checked, and",
    "    # variants(config) to see whether a load corrects the receiver's hyper-parameters.",
]
