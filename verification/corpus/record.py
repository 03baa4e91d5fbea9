# SPDX-License-Identifier: MIT
"""A run as plain data: of every leaf a fingerprint, and of some the value, at one moment after the other.

The first moment holds every leaf, each later one those that are new or have changed. Of a leaf there is the
number of its path and of its form (role, kind, and the aspects that must be equal besides the bytes), its
digest in hexadecimal, and its value, if any: a scalar as text, of floating-point numbers the bits of up to
:data:`MOST` that lie evenly among them. That is enough to say how many ULP two versions are apart.
"""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from verification.engine.arms import Moment
from verification.state import Leaf, Snapshot
from verification.state.distance import BITS
from verification.state.encode import tensor_array

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

#: How many numbers of an array are kept.
MOST = 16
#: How many characters of a scalar are kept.
_LONGEST = 60
# What every run has of its own, or all agents of a process have in common.
_NOT_KEPT = frozenset({"context", "shared"})


def recorded(snapshot: Snapshot) -> Snapshot:
    """The snapshot as it would be read from a file, to be compared with one that was."""
    return Snapshot(
        _kept(snapshot.leaves),
        opaque=dict(snapshot.opaque),
        defaults=_kept(snapshot.defaults),
        hidden=frozenset(snapshot.hidden),
    )


def _kept(leaves: Mapping[str, Leaf]) -> dict[str, Leaf]:
    return {path: _plain(leaf) for path, leaf in leaves.items() if leaf.role not in _NOT_KEPT}


def _plain(leaf: Leaf) -> Leaf:
    meta = tuple((name, str(value)) for name, value in leaf.meta)
    return leaf._replace(meta=meta, value=_value(leaf))


def _value(leaf: Leaf) -> object:
    value = leaf.value
    if leaf.kind == "scalar":
        return repr(value)[:_LONGEST]
    if isinstance(value, str):  # what the object is that lies at this path, too, or its class, or its keys
        return value
    if isinstance(value, torch.Tensor) and value.is_floating_point() and value.element_size() in BITS:
        return _sample(tensor_array(value).view(BITS[value.element_size()]))
    if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.dtype.itemsize in BITS:
        return _sample(np.ascontiguousarray(value).reshape(-1).view(BITS[value.dtype.itemsize]))
    return None


def _sample(bits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if len(bits) <= MOST:
        return bits
    sample: np.ndarray[Any, Any] = bits[np.linspace(0, len(bits) - 1, MOST).astype(int)]
    return sample


# -- files -------------------------------------------------------------------------------------------------


def write(path: Path, moments: Sequence[Moment]) -> None:
    """Write a run; its snapshots are those that :func:`recorded` returned."""
    tables = _Tables()
    snapshots = [one for moment in moments for one in (moment.output, moment.snapshot)]
    written = {
        "output": tables.changing([moment.output.leaves for moment in moments]),
        "state": tables.changing([moment.snapshot.leaves for moment in moments]),
        "defaults": tables.changing([_joined(one.defaults for one in snapshots)]),
        "opaque": _joined(one.opaque for one in snapshots),
        "hidden": sorted(set().union(*(one.hidden for one in snapshots))),
        "paths": list(tables.paths),
        "forms": [json.loads(form) for form in tables.forms],
    }
    text = json.dumps(written, allow_nan=False, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def read(path: Path) -> list[Moment]:
    """The run that :func:`write` wrote.

    Raises:
        Exception: of any kind, if it is none.
    """
    written = json.loads(gzip.decompress(path.read_bytes()))
    paths = written["paths"]
    forms = [
        (role, kind, tuple((name, value) for name, value in meta)) for role, kind, meta in written["forms"]
    ]
    *_, defaults = _followed(written["defaults"], paths, forms)
    return [
        Moment(
            Snapshot(
                leaves, opaque=written["opaque"], defaults=defaults, hidden=frozenset(written["hidden"])
            ),
            Snapshot(output),
        )
        for output, leaves in zip(
            _followed(written["output"], paths, forms),
            _followed(written["state"], paths, forms),
            strict=True,
        )
    ]


def _joined(mappings: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    joined: dict[str, Any] = {}
    for one in mappings:
        joined.update(one)
    return joined


class _Tables:
    """Numbers for what is repeated."""

    def __init__(self) -> None:
        self.paths: dict[str, int] = {}
        self.forms: dict[str, int] = {}

    def changing(self, moments: Sequence[Mapping[str, Leaf]]) -> list[dict[str, Any]]:
        """Of each moment what the one before has not, and the paths that are gone."""
        told = []
        before: Mapping[str, Leaf] = {}
        for leaves in moments:
            new = [
                self._leaf(path, leaf) for path, leaf in leaves.items() if _differs(leaf, before.get(path))
            ]
            gone = [self._number(self.paths, path) for path in before if path not in leaves]
            told.append({"new": new, "gone": gone} if gone else {"new": new})
            before = leaves
        return told

    def _leaf(self, path: str, leaf: Leaf) -> list[Any]:
        form = json.dumps([leaf.role, leaf.kind, leaf.meta])
        row = [self._number(self.paths, path), self._number(self.forms, form), leaf.digest.hex()]
        value = leaf.value
        if isinstance(value, np.ndarray):
            row.append([value.itemsize, base64.b64encode(value.tobytes()).decode()])
        elif value is not None:
            row.append(value)
        return row

    @staticmethod
    def _number(table: dict[str, int], key: str) -> int:
        return table.setdefault(key, len(table))


def _differs(leaf: Leaf, before: Leaf | None) -> bool:
    return before is None or leaf[:4] != before[:4]


def _followed(
    told: list[dict[str, Any]], paths: list[str], forms: list[tuple[Any, ...]]
) -> list[dict[str, Leaf]]:
    moments = []
    leaves: dict[str, Leaf] = {}
    for moment in told:
        leaves = dict(leaves)
        for number in moment.get("gone", ()):
            del leaves[paths[number]]
        for path, form, digest, *value in moment["new"]:
            role, kind, meta = forms[form]
            leaves[paths[path]] = Leaf(role, kind, meta, bytes.fromhex(digest), _read_value(*value))
        moments.append(leaves)
    return moments


def _read_value(value: Any = None) -> object:
    if value is None or isinstance(value, str):
        return value
    width, bits = value
    return np.frombuffer(base64.b64decode(bits), BITS[width])
