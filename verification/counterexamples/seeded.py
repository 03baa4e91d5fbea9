# SPDX-License-Identifier: MIT
"""Batches like a given one, as Python source that draws them anew: short, and another one for every step."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from verification.counterexamples.source import Source

_FLOATS = {"float32": "", "float64": ".double()"}
_DRAWN = frozenset(
    {torch.float32, torch.float64, torch.int64, torch.int32, torch.uint8, torch.bool, torch.int16}
)


def seeded(value: Any, source: Source, *, plain: bool) -> str:
    """An expression that draws a value of the same structure from torch's global generator.

    Numbers stay in the range of those that are given.

    Args:
        value: a batch.
        source: writes what is not drawn, and remembers the imports that are needed.
        plain: let a ``SimpleNamespace`` stand for a class of the batch's own.

    Raises:
        NoSource: if there is none.
    """

    def inner(one: Any) -> str:
        return seeded(one, source, plain=plain)

    if isinstance(value, torch.Tensor) and value.numel() and value.dtype in _DRAWN:
        return _tensor(value.detach().numpy())
    if type(value) is np.ndarray and value.size and value.dtype.kind in "fiub" and value.dtype.isnative:
        return f"{_tensor(value)}.numpy()"
    if type(value) is dict:
        return f"{{{', '.join(f'{source.of(key)}: {inner(one)}' for key, one in value.items())}}}"
    if type(value) in (tuple, list):
        items = ", ".join(map(inner, value))
        return f"[{items}]" if type(value) is list else f"({items}{',' if len(value) == 1 else ''})"
    fields = _fields(value)
    if fields is None:
        return source.of(value)
    name = "types.SimpleNamespace" if plain else source.name(type(value))
    if plain:
        source.imports.add("import types")
    return f"{name}({', '.join(f'{key}={inner(one)}' for key, one in fields.items())})"


def _fields(value: Any) -> dict[str, Any] | None:
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(value._fields, value, strict=True))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: getattr(value, one.name) for one in dataclasses.fields(value) if one.init}
    return None


def _tensor(array: np.ndarray[Any, Any]) -> str:
    """Numbers of the range that the given ones are of, as a tensor."""
    shape = ", ".join(map(str, array.shape)) or "()"
    whole = f"({shape},)" if array.ndim == 1 else f"({shape})" if array.ndim else "()"
    low, high, name = array.min(), array.max(), array.dtype.name
    flags = {0, 1}.issuperset(np.unique(array).tolist())
    if array.dtype.kind in "iub":
        start, end = (0, 2) if flags else (0, 256) if name == "uint8" else (int(low), int(high) + 1)
        bounds = f"{start}, {end}" if start else str(end)
        kind = "" if name == "int64" else f", dtype=torch.{name}"
        return f"torch.randint({bounds}, {whole}{kind})"
    cast = _FLOATS.get(name, f".to(torch.{name})")
    if flags:
        return f"torch.randint(2, {whole}){cast or '.float()'}"
    if np.isfinite(low) and np.isfinite(high) and (low < -1 or high > 1) and high > low:
        return f"torch.empty({shape}).uniform_({float(low):.2g}, {float(high):.2g}){cast}"
    return f"torch.rand({shape}){cast}"
