# SPDX-License-Identifier: MIT
"""What became of every leaf of an agent in one load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.losses import DIFFERS, OPAQUE, RESTORED, SAME, Piece, overlap

if TYPE_CHECKING:
    from verification.engine.experiment import Experiment
    from verification.state import Leaf

_SHOWN = 60  # characters of a value


def fates(experiment: Experiment, cut: int, *, used: bool) -> tuple[Piece, ...]:
    """Every leaf of the state saved at ``cut``, in the order of discovery, and what cannot be seen."""
    leaves = experiment.moment(cut).snapshot.leaves
    before = experiment.cold(used=used).leaves
    differing = [change.path for change in experiment.after_load(cut, used=used)]
    pieces = [
        Piece(path, _fate(leaf, before.get(path)), _what(leaf))
        for path, leaf in leaves.items()
        if leaf.role not in {"context", "shared"} and leaf.kind in {"tensor", "array", "scalar", "generator"}
    ]
    seen = {piece.path for piece in pieces}
    lost = set(differing) | {one for one in seen if any(overlap(one, path) for path in differing)}
    fates = [Piece(one.path, DIFFERS, one.what) if one.path in lost else one for one in pieces]
    missing = [Piece(path, DIFFERS) for path in differing if path not in seen and path in leaves]
    closed = [Piece(path, OPAQUE, kind) for path, kind in experiment.driver.opaque.items()]
    return (*fates, *missing, *closed)


def _fate(leaf: Leaf, before: Leaf | None) -> str:
    return SAME if before is not None and before.digest == leaf.digest else RESTORED


def _what(leaf: Leaf) -> str:
    meta = dict(leaf.meta)
    if leaf.kind in {"tensor", "array"}:
        return f"{str(meta['dtype']).removeprefix('torch.')} {meta['shape']}"
    if leaf.kind == "generator":
        return "random generator"
    text = repr(leaf.value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
