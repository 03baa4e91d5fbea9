# SPDX-License-Identifier: MIT
"""Reads a corpus: each checkpoint is loaded here, and compared with what it was where it was written."""

from __future__ import annotations

import dataclasses
import shutil
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verification.corpus import record
from verification.corpus.manifest import Entry, Manifest, environment_of, read_manifest, same_bits
from verification.corpus.writing import CHECKPOINT, PROGRAM, RECORD, resumed
from verification.counterexamples import program_json
from verification.engine.driver import Driver
from verification.engine.experiment import Experiment
from verification.engine.global_rng import isolated
from verification.errors import AdapterError, CheckFailure, UsageError
from verification.losses import overlap
from verification.processes.temporary_folders import temporary_folder
from verification.state import Change, Leaf, Snapshot, changes
from verification.state.distance import ulps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from verification.adapter import Adapter
    from verification.engine.arms import Moment


@dataclass(frozen=True)
class Updates:
    """How the steps behind a load went here, beside those where the checkpoint was written.

    Attributes:
        steps: how many were compared.
        first: the first that differs; 0 if none does.
        layers: the layers that differ then, or, if none does, the leaves, and by how many ULP at most, in the
            numbers that are kept.
        others: what else differs then, in words.
    """

    steps: int
    first: int = 0
    layers: Mapping[str, int] = field(default_factory=dict)
    others: tuple[str, ...] = ()

    @property
    def apart(self) -> int:
        """By how many ULP the layers differ at most when they first do."""
        return max(self.layers.values(), default=0)


@dataclass(frozen=True)
class EntryReading:
    """What became of one checkpoint.

    Attributes:
        entry: which one.
        raised: why it could not be loaded, or trained on; empty if it could.
        state: what a load restores otherwise here, in words.
        forms: paths that are otherwise here in an agent that was never saved, too: these versions hold them
            in other forms, or keep their classes elsewhere.
        updates: what followed; ``None`` if there was nothing to compare.
    """

    entry: Entry
    raised: str = ""
    state: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()
    updates: Updates | None = None

    @property
    def restored(self) -> bool:
        """Whether the state is the one that was saved."""
        return not self.raised and not self.state


@dataclass(frozen=True)
class Reading:
    """A corpus as it was read here.

    Attributes:
        manifest: what was written.
        environment: the versions that read it.
        entries: each checkpoint.
    """

    manifest: Manifest
    environment: Mapping[str, str]
    entries: tuple[EntryReading, ...]

    @property
    def exact(self) -> bool:
        """Whether what follows has to be the same, too: the versions are."""
        return same_bits(self.manifest.environment, self.environment)

    @property
    def identical(self) -> int:
        """How many checkpoints were followed by exactly the same."""
        return sum(one.updates is not None and not one.updates.first for one in self.entries)

    @property
    def ok(self) -> bool:
        """Whether every checkpoint was restored, and, under the same versions, followed by the same."""
        restored = all(one.restored for one in self.entries)
        return restored and (not self.exact or self.identical == len(self.entries))


def read_corpus(folder: Path, adapter: Adapter, manifest: Manifest | None = None) -> Reading:
    """Load every checkpoint of a corpus, and train on.

    Its programs can name code to run, as those of kept failures can: read none that somebody else has made.

    Raises:
        UsageError: if the folder is no corpus, or a file of it is gone or damaged.
    """
    manifest = read_manifest(folder) if manifest is None else manifest
    entries = tuple(_read(folder / entry.name, entry, adapter) for entry in manifest.entries)
    if not entries:
        raise UsageError(f"the corpus in {folder} has no entries")
    return Reading(manifest, _environment(folder, adapter, manifest), entries)


def _environment(folder: Path, adapter: Adapter, manifest: Manifest) -> dict[str, str]:
    try:
        program = program_json.loads((folder / manifest.entries[0].name / PROGRAM).read_text("utf-8"))
        return environment_of(Driver(adapter).build(program.config, program.seed))
    except Exception:  # what is wrong with it is said of the entry
        return environment_of(adapter)


def _read(folder: Path, entry: Entry, adapter: Adapter) -> EntryReading:
    try:
        there = record.read(folder / RECORD)
        text = (folder / PROGRAM).read_text("utf-8")
        if not any((folder / CHECKPOINT).iterdir()):
            raise FileNotFoundError("there is no checkpoint in it")
    except Exception as error:
        raise UsageError(f"the entry in {folder} is damaged: {type(error).__name__}: {error}") from None
    try:
        program = program_json.loads(text)
    except Exception as error:
        return EntryReading(entry, f"its program cannot be read: {type(error).__name__}: {error}")
    with temporary_folder() as directory, isolated(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as that other versions may compute otherwise
        (cut,) = program.cuts
        experiment = Experiment(adapter, program, Path(directory), closed_loop=entry.closed_loop)
        copy = Path(directory, "corpus")
        shutil.copytree(folder / CHECKPOINT, copy)
        experiment.checkpoints = {cut: copy}
        try:
            here = resumed(experiment, entry.followed)
            own = record.recorded(experiment.moment(cut).snapshot)
        except (CheckFailure, AdapterError) as error:
            return EntryReading(entry, getattr(error, "sentence", str(error)))
    return _compared(entry, there, here, own)


def _compared(entry: Entry, there: list[Moment], here: list[Moment], own: Snapshot) -> EntryReading:
    """Compare two runs; ``own`` is what an agent here holds that was trained the same and never saved."""
    saved, restored = there[0].snapshot, here[0].snapshot
    classes = _other_classes(saved, restored)
    different = list(changes(saved, _with_classes_of(saved, restored)))
    unlike_own = list(changes(own, restored))
    paths = [one.path for one in unlike_own]
    forms = [one for one in different if not _touches(one, paths)]
    forms += [one for one in classes if one.path not in paths]
    state = [one for one in (*different, *classes) if one not in forms]
    known = [*saved.leaves.keys() & set(paths), *(one.path for one in different), *entry.unrestored]
    unfilled = [one for one in unlike_own if not _touches(one, known)]
    updates = _updates(there, here, [one.path for one in different])
    told = [*map(_in_words, state), *(f"{one.path} is new here, and no load fills it" for one in unfilled)]
    return EntryReading(entry, "", tuple(told), tuple(one.path for one in forms), updates)


def _other_classes(there: Snapshot, here: Snapshot) -> list[Change]:
    """The objects that are of another class here: it may only have moved to another module."""
    return [
        Change(path, "class", leaf, found)
        for path, leaf in there.leaves.items()
        if (found := here.leaves.get(path)) is not None
        and leaf.kind == found.kind == "object"
        and leaf.digest != found.digest
    ]


def _with_classes_of(there: Snapshot, here: Snapshot) -> Snapshot:
    """The snapshot as if its objects were of the other's classes, so that what is in them is compared."""
    same = {one.path: there.leaves[one.path] for one in _other_classes(there, here)}
    return dataclasses.replace(here, leaves={**here.leaves, **same}) if same else here


def _updates(there: list[Moment], here: list[Moment], known: list[str]) -> Updates:
    """The first step that differs, but for what differed before it."""
    steps = len(there) - 1
    for step, (before, after) in enumerate(zip(there[1:], here[1:], strict=True), start=1):
        state = _with_classes_of(before.snapshot, after.snapshot)
        found = [*changes(before.output, after.output), *changes(before.snapshot, state)]
        if found := [one for one in found if not _touches(one, known)]:
            return Updates(steps, step, _layers(found, before.snapshot), _others(found))
    return Updates(steps)


def _layers(found: list[Change], snapshot: Snapshot) -> dict[str, int]:
    """By how many ULP the parameters and buffers of each layer are apart at most, or else other numbers."""
    layers: dict[str, int] = {}
    leaves: dict[str, int] = {}
    for one in found:
        if (distance := _distance(one)) is None:
            continue
        leaves[one.path] = distance
        if layer := _layer(one, snapshot):
            layers[layer] = max(distance, layers.get(layer, 0))
    return layers or leaves


def _others(found: list[Change]) -> tuple[str, ...]:
    """What differs and is no number, in words: moments and the like follow from the layers."""
    return tuple(_in_words(one) for one in found if _distance(one) is None)


def _touches(change: Change, paths: Iterable[str]) -> bool:
    return any(overlap(change.path, path) for path in paths)


def _layer(change: Change, snapshot: Snapshot) -> str:
    """The layer that a parameter or a buffer belongs to; empty if it is neither."""
    leaf = change.expected
    if leaf is None or leaf.role not in {"parameter", "buffer"}:
        return ""
    owner = change.path.rpartition(".")[0]
    module = snapshot.leaves.get(owner)
    kind = module.digest.decode(errors="replace").rpartition(".")[2] if module is not None else ""
    return f"{owner} ({kind})" if kind else owner


def _distance(change: Change) -> int | None:
    """By how many ULP the numbers are apart that are kept of a leaf; ``None`` if that cannot be said."""
    before, after = change.expected, change.actual
    if before is None or after is None or change.aspect != "value":
        return None
    bits = _bits(before), _bits(after)
    if bits[0] is None or bits[1] is None or bits[0].shape != bits[1].shape:
        return None
    return ulps(bits[0], bits[1])


def _bits(leaf: Leaf) -> np.ndarray[Any, Any] | None:
    if isinstance(leaf.value, np.ndarray):
        return leaf.value
    if leaf.kind == "scalar" and dict(leaf.meta).get("type") == "float":
        return np.array([float(str(leaf.value))]).view(np.int64)
    return None


def _in_words(change: Change) -> str:
    path, aspect, before, after = change
    if before is None:
        return f"{path} is here only"
    if after is None:
        return f"{path} is missing here"
    if (distance := _distance(change)) is not None:
        return f"{path} is up to {distance:,} ULP apart"
    old, new = dict(before.meta), dict(after.meta)
    if aspect in old and aspect in new:
        return f"{path} had {aspect} {old[aspect]}, and has {new[aspect]} here"
    if isinstance(before.value, str) and isinstance(after.value, str):
        return f"{path} was {before.value}, and is {after.value} here"
    return f"{path} has another {aspect} here"
