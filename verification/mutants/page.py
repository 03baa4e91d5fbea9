# SPDX-License-Identifier: MIT
"""The kill matrix as a page of Markdown: every mutant with its class, a public thread, and what kills it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.levels import Level
from verification.mutants.classes import CLASSES, NOT_PLANTED
from verification.mutants.harmless import AGENTS, harmless_changes
from verification.mutants.matrix import of_level, summary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from verification.mutants.matrix import Row
    from verification.mutants.model import Mutant

_TEMPLATE = """\
# Mutants

Each mutant is a correct agent with one planted checkpoint bug of a kind that people have reported: the thread
reports such a bug. A check that kills no mutant could not fail, and a mutant that survives is a bug that the
suite would miss. `verify mutants` hunts all of them; this page is what
`verify mutants{seeds} --markdown docs/mutants.md` wrote.

Checks that build on a failed one are blocked, so that a mutant is killed by few. *Examples* are the programs
that were tried until the first failure, the worst of all seeds; *seconds* are those of the same hunt, on one
core.

{summary}.

{tables}
## Damaged files and interrupted saves

These need checks of level `durable`, which run in processes of their own and depend on the moment of a kill.
The tests hunt them apart.

{durable}

## Other paths, rights, settings and locales

These need checks of level `portable`, which run in processes of their own, too.

{portable}

## Classes without a mutant

{without}

## Harmless changes

What agents hold that no reload brings back, and of which nothing follows. Planted into each of {agents},
none of these may make a check fail, and where a load leaves a difference, the report notes it.
`verify mutants --harmless` asks.

{harmless}
"""


def page(rows: Sequence[Row], chosen: Mapping[str, Mutant]) -> str:
    """The text of the page."""
    seeds = sorted({row.seed for row in rows})
    tables = []
    for code, title in CLASSES.items():
        of_class = [name for name, mutant in chosen.items() if mutant.bug_class == code]
        if of_class:
            tables.append(_table(code, title, [chosen[name] for name in of_class], rows))
    return _TEMPLATE.format(
        seeds="".join(f" --seed {seed}" for seed in seeds),
        summary=summary(rows),
        tables="\n".join(tables),
        durable=_apart(Level.DURABLE),
        portable=_apart(Level.PORTABLE),
        without="\n".join(f"- **{code}**, {CLASSES[code]}: {why}." for code, why in NOT_PLANTED.items()),
        agents=", ".join(AGENTS),
        harmless="\n".join(
            [
                "| change | what it is | a load leaves a difference |",
                "|---|---|---|",
                *(
                    f"| `{one.name}` | {one.meaning} | {'yes' if one.noted else 'no'} |"
                    for one in harmless_changes().values()
                ),
            ]
        ),
    )


def _table(code: str, title: str, of_class: Sequence[Mutant], rows: Sequence[Row]) -> str:
    lines = [
        f"## {code}: {title}\n",
        "| mutant | agent | like | killed by | examples | seconds |",
        "|---|---|---|---|---|---|",
    ]
    for mutant in of_class:
        kills = [row.kill for row in rows if row.mutant == mutant.name]
        checks = ", ".join(dict.fromkeys(f"`{check}`" for kill in kills for check in kill.checks))
        lines.append(
            f"| `{mutant.name}` | {mutant.agent} | {_link(mutant.thread)} | {checks or 'survived'} "
            f"| {max(kill.examples for kill in kills)} | {max(kill.seconds for kill in kills):.1f} |"
        )
    return "\n".join(lines) + "\n"


def _apart(level: Level) -> str:
    """The table of the mutants that are hunted apart."""
    lines = ["| mutant | class | agent | like | killed by |", "|---|---|---|---|---|"]
    for mutant in of_level(level):
        checks = ", ".join(f"`{check}`" for check in mutant.killed_by)
        cells = [f"`{mutant.name}`", mutant.bug_class, mutant.agent, _link(mutant.thread), checks]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _link(thread: str) -> str:
    repository, _, number = thread.partition("#")
    return f"[{thread}](https://github.com/{repository}/issues/{number})" if number else ""
