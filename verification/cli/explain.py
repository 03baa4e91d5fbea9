# SPDX-License-Identifier: MIT
"""The command ``verify explain``: what a check, a verdict, a pattern, a class of bugs or a loss is about."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from verification.cli.refusing import refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verification.checks.registry import Check
    from verification.mutants.model import Mutant
    from verification.report.saved import ReportedLoss

# Public threads of a class that are shown.
_THREADS = 3


def explain(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A check, a verdict, a level, a known pattern, a kind of state, a class of bugs, or a loss "
            "such as agent.critic_target; without it, all names are listed."
        ),
    ] = None,
    *,
    reports: Annotated[
        Path, typer.Option(help="A JSON report, or the folder of them, in which a loss is looked for.")
    ] = Path("reports"),
    whole: Annotated[bool, typer.Option("--all", help="Show every public thread.")] = False,
) -> None:
    """Say what something in a report is about, why it matters, and what to do."""
    from verification.errors import UsageError

    console = Console(file=sys.stdout, highlight=False)
    try:
        if name is None:
            _list(console)
        else:
            _explain(name, reports, console, most=None if whole else _THREADS)
    except UsageError as error:
        raise refused(error) from None


def _explain(name: str, reports: Path, console: Console, *, most: int | None) -> None:
    from verification.checks.registry import all_checks
    from verification.errors import UsageError, nearest
    from verification.levels import Level
    from verification.mutants.classes import CLASSES, NOT_PLANTED
    from verification.mutants.model import mutants
    from verification.report.meanings import meanings, name_of

    known, words = all_checks(), meanings()
    levels = {str(level): level for level in Level}
    classes = {code.lower(): code for code in CLASSES}
    plain = name_of(name)
    if plain in known:
        _check(known[plain], console, most)
    elif plain in words:
        word = words[plain]
        _say(console, f"{word.word} ({word.kind})", [("", word.meaning), ("What to do", word.remedy)])
    elif plain in levels:
        asked = ", ".join(one.name for one in known.values() if one.level == levels[plain])
        facts = [("Promise", levels[plain].promise), ("Its checks", asked)]
        _say(console, f"{plain} (a level, which includes those before it)", facts)
    elif plain in classes:
        code = classes[plain]
        planted = [one for one in mutants().values() if one.bug_class == code]
        finding = ", ".join(dict.fromkeys(check for one in planted for check in one.killed_by))
        why_not = f"{NOT_PLANTED[code]}." if code in NOT_PLANTED else ""
        facts = [("", f"{CLASSES[code]}."), ("Found by", finding), ("Not planted", why_not)]
        _say(console, f"{code} (a class of public bugs)", facts)
        _bugs(planted, console, most)
    elif plain in mutants():
        _mutant(mutants()[plain], console)
    elif loss := _find_loss(name, reports):
        _loss(loss, console)
    else:
        names = [*known, *words, *levels, *classes, *mutants()]
        raise UsageError(
            f"nothing is named {name!r}, and no report in {reports} has such a loss; "
            f"{nearest(plain, names)}verify explain lists all names"
        )


def _check(check: Check, console: Console, most: int | None) -> None:
    from verification.mutants.model import mutants

    before = f"{', '.join(check.after)}; what they find to be lost is put back" if check.after else ""
    facts = [
        ("Promise", check.promise),
        ("Why", check.reason),
        ("Makes no sense without", ", ".join(check.needs)),
        ("Runs after", before),
        ("Again", f"verify check ADAPTER --check {check.name}"),
    ]
    _say(console, f"{check.name} (a check of level {check.level})", facts)
    _bugs([one for one in mutants().values() if check.name in one.killed_by], console, most)


def _bugs(planted: Iterable[Mutant], console: Console, most: int | None) -> None:
    """Public threads about such bugs, by class."""
    from verification.mutants.classes import CLASSES

    threads: dict[str, list[str]] = {}
    for mutant in planted:
        if mutant.thread and mutant.thread not in threads.setdefault(mutant.bug_class, []):
            threads[mutant.bug_class].append(mutant.thread)
    if not any(threads.values()):
        return
    console.print(
        Text("\nPublic bugs of this kind, one of each thread planted by verify mutants:", style="bold")
    )
    for code, found in threads.items():
        if found:
            console.print(Padding(Text(f"{code}: {CLASSES[code]}"), (0, 0, 0, 2)))
        for thread in found[:most]:
            console.print(Text(f"    {_link(thread)}", style="cyan"), soft_wrap=True)
        if most is not None and len(found) > most:
            console.print(Text(f"    and {len(found) - most} more, with --all", style="dim"))


def _mutant(mutant: Mutant, console: Console) -> None:
    from verification.mutants.classes import CLASSES

    facts = [
        ("Class", f"{mutant.bug_class}: {CLASSES[mutant.bug_class]}"),
        ("Planted into", mutant.agent),
        ("Found by", ", ".join(mutant.killed_by)),
        ("Again", f"verify mutants --only {mutant.name}"),
    ]
    _say(console, f"{mutant.name} (a planted bug)", facts)
    if mutant.thread:
        console.print(Text(f"  Like: {_link(mutant.thread)}", style="cyan"), soft_wrap=True)


def _link(thread: str) -> str:
    repository, _, number = thread.partition("#")
    return f"https://github.com/{repository}/issues/{number}"


def _find_loss(name: str, reports: Path) -> ReportedLoss | None:
    """A loss of that name, or path, in the newest report that reports it."""
    from verification.errors import UsageError
    from verification.report.saved import read_report

    if not reports.exists():
        return None
    files = sorted(reports.glob("*.json"), key=_age) if reports.is_dir() else [reports]
    for file in files:
        try:
            lost = read_report(file).lost
        except UsageError:
            if file == reports:  # somebody named it
                raise
            continue
        for loss in lost:
            if name in {loss.name, loss.path}:
                return loss
    return None


def _age(file: Path) -> float:
    return -file.stat().st_mtime


def _loss(loss: ReportedLoss, console: Console) -> None:
    from verification.report.meanings import meanings, name_of

    words = meanings()
    shows, part = words[name_of(loss.how)], words[name_of(loss.part)]
    facts = [
        ("What is lost", loss.content),
        ("What follows", loss.effect),
        ("Shown by", loss.experiment),
        ("Kind of state", f"{loss.part}. {part.meaning}"),
        ("How it shows", f"{loss.how}. {shows.meaning}"),
        ("Hint", loss.hint),
        ("What to do", shows.remedy),
        ("Reported by", f"{loss.check}; verify explain {loss.check}" if loss.check else "no check that ran"),
        ("Again", f"verify replay {loss.replay}" if loss.replay else ""),
    ]
    _say(console, f"{loss.name} (a loss)", facts)


def _list(console: Console) -> None:
    from verification.checks.registry import all_checks
    from verification.levels import Level
    from verification.mutants.classes import CLASSES
    from verification.report.meanings import meanings

    groups: dict[str, list[str]] = {"a check": list(all_checks()), "a level": list(map(str, Level))}
    for word in meanings().values():
        groups.setdefault(word.kind, []).append(word.word)
    groups["a class of public bugs"] = list(CLASSES)
    for kind, names in groups.items():
        console.print(Text(f"{kind}:", style="bold"))
        console.print(Padding(Text(", ".join(names)), (0, 0, 1, 2)))
    console.print(Text("Besides, the planted bugs of verify mutants, and the losses of reports in JSON."))


def _say(console: Console, title: str, facts: Iterable[tuple[str, str]]) -> None:
    console.print(Text(title, style="bold"))
    for word, text in facts:
        if text:
            line = Text(f"{word}: " if word else "", style="dim")
            console.print(Padding(line.append(" ".join(text.split()), style="not dim"), (0, 0, 0, 2)))
