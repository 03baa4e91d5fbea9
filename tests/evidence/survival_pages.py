# SPDX-License-Identifier: MIT
"""Writes what ``survival.py`` has found out as pages: a table, and a report for each loss that is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: Components as people name them, each with the kind of state that it is and the check that asks about it.
COMPONENTS = {
    "networks": ("online networks", "online_networks_survive_reload"),
    "targets": ("target networks", "targets_survive_reload"),
    "optimizers": ("optimizer state", "optimizer_state_survives_reload"),
    "schedules": ("schedules", "schedules_survive_reload"),
    "counters": ("counters", "counters_survive_reload"),
    "options": ("hyper-parameters", "hyper_parameters_survive_reload"),
    "other state": ("other state", "next_steps_survive_reload"),
    "actions": ("", "actions_survive_reload"),
}
_BEGINNING = """\
# What survives a reload

What each library brings back when an agent is saved and loaded as its documentation says, and trains on
with the same batches: level `training`. `python -m tox run -e survival` writes this page, nobody else does;
`tests/evidence/survival.json` has the numbers.

- **kept** (n): in n experiments that would have noticed, all of it came back bit for bit, or nothing followed
  from what did not. What was not drawn was not seen.
- **lost**: it did not come back, something follows from that, and a script shows it without this suite.
- open: the suite says that something is lost, but no script shows it yet. Nobody is blamed for it here.
- ?: not known, as what it builds on failed. A dash: there is no such thing.

What only a loop around the library could save, such as the environment and the global random generators, is
not asked at this level.

"""


def cell(part: str, check: dict[str, Any] | None, losses: list[dict[str, Any]]) -> str:
    """What is said about a component: by its losses, whichever check has told them, or by its check."""
    lost = [loss for loss in losses if loss["part"] == part or (check and loss["name"] in check["lost"])]
    if lost:
        return "**lost**" if all(loss["shown_by"] for loss in lost) else "open"
    if check is None or check["verdict"] not in {"passed", "not_applicable"}:
        return "?"
    return f"kept ({check['counted']})" if check["verdict"] == "passed" else "-"


def table(data: dict[str, Any]) -> str:
    """A row for each adapter, a column for each component."""
    head = ["adapter", "library", *COMPONENTS]
    rows = [
        [
            f"[{name}](#{name})",
            f"{one['package']} {one['version']}",
            *(cell(part, one["checks"].get(check), one["losses"]) for part, check in COMPONENTS.values()),
        ]
        for name, one in data.items()
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def section(name: str, one: dict[str, Any]) -> str:
    """What is lost in one library, each with what follows, its script and its report."""
    where = one["environment"]
    lines = [
        f"## {name}",
        "",
        f"{one['package']} {one['version']}, torch {where['torch']}, Python {where['python']}.",
        "",
    ]
    shown = [script for script in one["scripts"] if script["lost"]]
    for script in shown:
        told = [loss for loss in one["losses"] if script["script"] in loss["shown_by"]]
        links = f"[Report]({report_of(name, script)}), [script](../{script['script']})"
        lines.append(f"- **{script['title']}** {links}")
        lines += [f"  - `{loss['name']}`: {loss['effect']}" for loss in told]
    open_ = [loss["name"] for loss in one["losses"] if not loss["shown_by"]]
    if open_:
        lines.append(f"- Open: {', '.join(f'`{path}`' for path in open_)}.")
    if not shown and not open_:
        passed = sum(check["verdict"] == "passed" for check in one["checks"].values())
        lines.append(f"Nothing is lost: {passed} checks passed.")
        lines += [f"[Script](../{script['script']}): {script['title']}" for script in one["scripts"]]
    return "\n".join(lines)


def report_of(name: str, script: dict[str, Any]) -> str:
    """The file of a loss's report, beside the table."""
    return f"reports/{name}-{Path(script['script']).stem.replace('_', '-')}.md"


def report(one: dict[str, Any], script: dict[str, Any], source: str) -> str:
    """A report that can be sent to the library as it is."""
    where = one["environment"]
    code = source.partition("\n")[2].split('"""', 2)[2].strip()
    output = "\n".join(script["output"][:-1])
    return f"""\
# {script["title"].removesuffix(".")}

{script["story"]}

Seen with {one["package"]} {one["version"]}, torch {where["torch"]} and Python {where["python"]}. This script
shows it:

```python
{code}
```

It prints:

```text
{output}
```

What would mend it: {script["fix"]}
"""


def write_pages(data: dict[str, Any], root: Path) -> None:
    """Write the table and the reports, and remove reports of what is lost no more."""
    written = pages(data, root)
    for path, text in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for old in {*(root / "docs/reports").glob("*.md")} - written.keys():
        old.unlink()


def pages(data: dict[str, Any], root: Path) -> dict[Path, str]:
    """All pages by their files."""
    sections = "\n\n".join(section(name, one) for name, one in data.items())
    found = {root / "docs/survival.md": f"{_BEGINNING}{table(data)}\n\n{sections}\n"}
    for name, one in data.items():
        for script in one["scripts"]:
            if script["lost"]:
                source = (root / script["script"]).read_text(encoding="utf-8")
                found[root / "docs" / report_of(name, script)] = report(one, script, source)
    return found
