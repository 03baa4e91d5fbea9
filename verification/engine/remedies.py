# SPDX-License-Identifier: MIT
"""What would put a loss right: is it in the checkpoint at all, and what beside it has come back?"""

from __future__ import annotations

import difflib
import itertools
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import torch

from verification.engine.groups import DECISIVE
from verification.losses import ABSENT, PRESENT, overlap
from verification.state import Part
from verification.state.encode import normalized_strides, tensor_array
from verification.state.places import holder_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from verification.engine.experiment import Experiment
    from verification.state import Change, Leaf

# Fewer bytes may stand in a file by chance.
_TELLING = 16
# Restored leaves that are looked for, to see whether the format shows bytes as they are.
_CONTROLS = 4
_MOST_READ = 2**28


def in_checkpoint(experiment: Experiment, cut: int, changes: Collection[Change], *, used: bool) -> str:
    """Whether what differs after a load is in the files of the checkpoint of ``cut``, byte for byte.

    Compressed and encrypted files do not say: whether these do is seen from leaves that have come back.

    Returns:
        ``ABSENT``, ``PRESENT``, or nothing where it cannot be told.
    """
    data = b"\0".join(_contents(experiment.checkpoints[cut]))
    leaves = experiment.moment(cut).snapshot.leaves
    written = {path: found for path, leaf in leaves.items() if (found := _bytes(leaf))}
    times = Counter(written.values())
    lost = [one for path, one in written.items() if times[one] == 1 and _at_or_below(path, changes)]
    if any(one in data for one in lost):
        return PRESENT
    before, differing = experiment.cold(used=used).leaves, experiment.after_load(cut, used=used)
    restored = (
        one
        for path, one in written.items()
        if (path not in before or before[path].digest != leaves[path].digest)
        and not _at_or_below(path, differing)
    )
    controls = list(itertools.islice(restored, _CONTROLS))
    return ABSENT if lost and controls and all(one in data for one in controls) else ""


def neighbour(experiment: Experiment, cut: int, path: str, *, used: bool) -> str:
    """The piece beside a lost one that has come back: of its kind, or else a network, of the nearest name."""
    around = holder_of(path)
    differing = {change.path for change in experiment.after_load(cut, used=used)}
    before, parts = experiment.cold(used=used).leaves, experiment.parts
    beside: dict[
        str, set[str]
    ] = {}  # the pieces in the same holder in which something came back, and their kinds
    for one, leaf in experiment.moment(cut).snapshot.leaves.items():
        came = one not in before or before[one].digest != leaf.digest
        if one in parts and came and one not in differing:
            piece = _below(around, one)
            if piece and not overlap(piece, path):
                beside.setdefault(piece, set()).add(parts[one].value)
    untouched = [piece for piece in beside if not any(overlap(piece, other) for other in differing)]
    own = [parts[one] for one in parts if overlap(one, path)]
    kind = min(own, key=DECISIVE.index, default=Part.OTHER).value
    alike = [piece for piece in untouched if kind in beside[piece]]
    networks = [piece for piece in untouched if Part.ONLINE.value in beside[piece]]
    near = difflib.get_close_matches(path, alike or networks, n=1, cutoff=0.0)
    return near[0] if near else ""


def _at_or_below(path: str, changes: Collection[Change]) -> bool:
    """Whether a leaf differs, or something that it is in is missing."""
    return any(path == one.path or path.startswith((f"{one.path}.", f"{one.path}[")) for one in changes)


def _below(around: str, path: str) -> str:
    """What directly below ``around`` a path leads through; empty if it does not."""
    while (above := holder_of(path)) != path:
        if above == around:
            return path
        path = above
    return ""


def _contents(folder: Path) -> Iterator[bytes]:
    left = _MOST_READ
    for file in sorted(folder.rglob("*")):
        if file.is_file() and (left := left - file.stat().st_size) >= 0:
            yield file.read_bytes()


def _bytes(leaf: Leaf | None) -> bytes:
    """The bytes of a tensor or an array as a file would hold them; empty if they say nothing."""
    value = None if leaf is None else leaf.value
    if isinstance(value, torch.Tensor) and value.layout is torch.strided and not value.is_quantized:
        shape, strides = tuple(value.shape), dict(leaf.meta).get("strides") if leaf else None
        if (
            strides != normalized_strides(shape, value.contiguous().stride())
            or torch.unique(value).numel() < 2
        ):
            return b""  # it lies in a file in another order, or says nothing
        data = tensor_array(value).tobytes()
    elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
        if not value.flags.c_contiguous or len(np.unique(value)) < 2:
            return b""
        data = value.tobytes()
    else:
        return b""
    return data if len(data) >= _TELLING else b""
