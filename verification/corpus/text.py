# SPDX-License-Identifier: MIT
"""What a reading of a corpus tells: as sentences and a table for people, and as data for programs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from verification.corpus.manifest import Manifest
    from verification.corpus.reading import EntryReading, Reading, Updates

# How many of the things that differ are named.
_NAMED = 3
_VERSIONS = ("torch", "numpy", "python")


def versions(environment: Mapping[str, str]) -> str:
    """The versions that matter most, and that of the agent's own library if it is none of this project's."""
    own = [name for name in environment if name not in _KNOWN]
    return ", ".join(f"{name} {environment[name]}" for name in (*own, *_VERSIONS))


_KNOWN = frozenset({*_VERSIONS, "gymnasium", "td3-verification", "system", "machine", "cpu"})


def written(manifest: Manifest) -> str:
    """What was written, in two lines."""
    number = _counted(len(manifest.entries), "checkpoint")
    with_versions = versions(manifest.environment)
    return f"{number} of {manifest.adapter} (seed {manifest.seed})\nwritten with {with_versions}"


def unrestored(manifest: Manifest) -> str:
    """What did not come back where the corpus was written; empty if all did."""
    paths = list(dict.fromkeys(path for entry in manifest.entries for path in entry.unrestored))
    if not paths:
        return ""
    return (
        f"Where they were written, a load did not bring back {_named(paths)}: `verify check` says whether "
        "that matters. It is not counted here."
    )


def table(reading: Reading) -> Table:
    """A row for every checkpoint."""
    found = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    found.add_column("entry", no_wrap=True)
    found.add_column("trained on", no_wrap=True)
    found.add_column("state", overflow="fold")
    found.add_column("what follows", overflow="fold")
    for one in reading.entries:
        state = "refused" if one.raised else "differs" if one.state else "identical"
        follows = _follows(one.updates) if one.updates is not None else ""
        found.add_row(
            one.entry.name,
            one.entry.kind,
            Text(state, style="" if one.restored else "bold red"),
            Text(follows, style="bold red" if reading.exact and one.updates and one.updates.first else ""),
        )
    return found


def _follows(updates: Updates) -> str:
    if not updates.first:
        return f"identical over {_counted(updates.steps, 'step')}"
    return f"differs at step {updates.first} of {updates.steps}{_by(updates)}"


def _by(updates: Updates) -> str:
    if updates.apart:
        return f", by up to {updates.apart:,} ULP"
    return ", in numbers that were not kept" if updates.layers else ""


def details(reading: Reading) -> Iterator[str]:
    """A line for everything that differs."""
    for one in reading.entries:
        if one.raised:
            yield f"{one.entry.name}: {one.raised}"
        if one.state:
            yield f"{one.entry.name}: the load restored another state: {_named(one.state, '; ')}"
        if one.updates is not None and one.updates.first:
            places = [f"{name} by {apart:,} ULP" for name, apart in _farthest(one.updates)]
            where = _named([*places, *one.updates.others], "; ")
            yield f"{one.entry.name}, step {one.updates.first}: {where}"
    forms = list(dict.fromkeys(path for one in reading.entries for path in _innermost(one)))
    if forms:
        yield f"Held otherwise in an agent that was never saved, too, by these versions: {_named(forms)}"


def _farthest(updates: Updates) -> list[tuple[str, int]]:
    return sorted(updates.layers.items(), key=lambda item: -item[1])


def _innermost(one: EntryReading) -> list[str]:
    """The paths of other forms, without those of what holds them."""
    return [path for path in one.forms if not any(other.startswith(f"{path}[") for other in one.forms)]


def conclusion(reading: Reading) -> str:
    """The whole in one or two sentences."""
    total = len(reading.entries)
    restored = sum(one.restored for one in reading.entries)
    first = f"{restored} of {total} checkpoints load with the state that was saved."
    if not restored:
        return first
    rest = [one.updates for one in reading.entries if one.updates is not None and one.updates.first]
    if not rest:
        return f"{first} What follows is identical."
    apart = max(one.apart for one in rest)
    same = "; versions and processor are the same, so that it should be identical" if reading.exact else ""
    return (
        f"{first} What follows is identical for {reading.identical}, and first differs by up to {apart:,} "
        f"ULP for {len(rest)}{same}."
    )


def as_data(reading: Reading) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "adapter": reading.manifest.adapter,
        "written": dict(reading.manifest.environment),
        "read": dict(reading.environment),
        "ok": reading.ok,
        "entries": [dataclasses.asdict(one) for one in reading.entries],
    }


def _named(things: Sequence[str], separator: str = ", ") -> str:
    more = f"{separator}and {len(things) - _NAMED} more" if len(things) > _NAMED else ""
    return separator.join(things[:_NAMED]) + more


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
