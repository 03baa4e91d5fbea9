# SPDX-License-Identifier: MIT
"""Values as Python source: what a drawn config, batch or observation looks like in a script."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import enum
import importlib
import math
import struct
import sys
import types
from pathlib import PurePath
from typing import Any

import gymnasium as gym
import numpy as np
import torch

# Longer arrays are for machines to read: their bytes take a fraction of the space.
_LISTED = 64


class NoSource(Exception):  # noqa: N818 - an answer, not a mistake
    """A value has no form as source; the message names its type."""


class Source:
    """Writes values as source, and remembers the imports that they need."""

    def __init__(self) -> None:
        self.imports: set[str] = set()

    def of(self, value: object) -> str:
        """An expression that evaluates to an equal value, bit for bit.

        Raises:
            NoSource: if there is none.
        """
        writer, again = Source(), Source()
        text = writer._write(value)
        namespace: dict[str, Any] = {}
        exec("\n".join(writer.imports), namespace)  # noqa: S102 - our own lines
        if again._write(eval(text, namespace)) != text:  # noqa: S307
            raise NoSource(f"{type(value).__qualname__} changes when it is made anew")
        self.imports |= writer.imports
        return text

    def name(self, value: Any) -> str:
        """The name of a class or function, imported."""
        module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "<")
        if not module or module == "__main__" or "<" in name:
            raise NoSource(f"{value!r} is not at the top level of a module")
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is not value:
            raise NoSource(f"{module}.{name} is another object")
        if module != "builtins":
            first = name.partition(".")[0]
            self.imports.add(f"from {_public(module, first)} import {first}")
        return str(name)

    def _write(self, value: Any) -> str:
        match value:
            case enum.Enum():
                return f"{self.name(type(value))}.{value.name}"
            case np.generic():
                self.imports.add("import numpy as np")
                return f"np.{type(value).__name__}({self._write(value.item())})"
            case np.ndarray():
                return self._array(value)
            case torch.Tensor():
                return self._tensor(value)
            case torch.dtype():
                self.imports.add("import torch")
                return str(value)
            case gym.Space():
                return self._space(value)
            case type() | types.FunctionType() | types.BuiltinFunctionType():
                return self.name(value)
            case types.SimpleNamespace() | collections.OrderedDict() | PurePath():
                return self._built(value)
            case _ if dataclasses.is_dataclass(value):
                if not getattr(value, "__dict__", {}).keys() <= {
                    one.name for one in dataclasses.fields(value)
                }:
                    raise NoSource(f"{type(value).__qualname__} holds more than its fields")
                return self._call(type(value), **self._stated(value))
            case tuple() if hasattr(value, "_fields"):
                return self._call(type(value), **dict(zip(value._fields, value, strict=True)))
        return self._plain(value)

    def _stated(self, value: Any) -> dict[str, Any]:
        """The fields of a dataclass that are not what they are by default."""
        stated = {}
        for one in dataclasses.fields(value):
            given = getattr(value, one.name, None)
            usual = one.default if one.default_factory is dataclasses.MISSING else one.default_factory()
            same = usual is not dataclasses.MISSING and _alike(given, usual)
            if one.init and not same:
                stated[one.name] = given
        return stated

    def _plain(self, value: Any) -> str:
        # Exactly these types: a subclass may hold more than its base shows.
        kind = type(value)
        if kind in (type(None), bool, int, str, bytes, type(...)):
            return repr(value)
        if kind is float:
            if math.isnan(value) and struct.pack("d", value) != struct.pack("d", math.nan):
                raise NoSource("a NaN of another kind has no form as source")
            return repr(value) if math.isfinite(value) else f'float("{value}")'
        if kind is complex:
            return f"complex({self._write(value.real)}, {self._write(value.imag)})"
        items = [self._write(item) for item in value] if kind in (tuple, list, set, frozenset) else []
        if kind is tuple:
            return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
        if kind is list:
            return f"[{', '.join(items)}]"
        if kind in (set, frozenset):
            return f"{kind.__name__}([{', '.join(sorted(items))}])"
        if kind is dict:
            return f"{{{', '.join(f'{self._write(key)}: {self._write(one)}' for key, one in value.items())}}}"
        raise NoSource(f"{kind.__qualname__} has no form as source")

    def _built(self, value: Any) -> str:
        if isinstance(value, types.SimpleNamespace):
            self.imports.add("from types import SimpleNamespace")
            return f"SimpleNamespace({self._keywords(vars(value))})"
        if isinstance(value, PurePath):
            self.imports.add("from pathlib import Path")
            return f"Path({str(value)!r})"
        self.imports.add("from collections import OrderedDict")
        return f"OrderedDict({self._write(list(value.items()))})"

    def _call(self, function: Any, **keywords: Any) -> str:
        return f"{self.name(function)}({self._keywords(keywords)})"

    def _keywords(self, keywords: dict[str, Any]) -> str:
        return ", ".join(f"{name}={self._write(value)}" for name, value in keywords.items())

    def _array(self, array: np.ndarray[Any, Any]) -> str:
        if type(array) is not np.ndarray or array.dtype.hasobject or array.dtype.names:
            raise NoSource(f"{type(array).__name__} of {array.dtype} has no form as source")
        self.imports.add("import numpy as np")
        dtype = repr(
            array.dtype.name if array.dtype.isnative and array.dtype.kind in "biufc" else array.dtype.str
        )
        if array.size <= _LISTED:
            with contextlib.suppress(NoSource):  # of a NaN of another kind
                shape = "" if array.size else f".reshape({array.shape})"
                return f"np.array({self._write(array.tolist())}, dtype={dtype}){shape}"
        raw = array.tobytes().hex()
        return f"np.frombuffer(bytes.fromhex({raw!r}), {dtype}).reshape({array.shape}).copy()"

    def _tensor(self, tensor: torch.Tensor) -> str:
        if type(tensor) is not torch.Tensor or tensor.requires_grad or tensor.layout is not torch.strided:
            raise NoSource(f"{type(tensor).__name__} with gradients or gaps has no form as source")
        self.imports.add("import torch")
        raw = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""
        if not raw:
            return f"torch.empty({tuple(tensor.shape)}, dtype={tensor.dtype})"
        if tensor.numel() <= _LISTED:
            with contextlib.suppress(NoSource):
                return f"torch.tensor({self._write(tensor.tolist())}, dtype={tensor.dtype})"
        return (
            f"torch.frombuffer(bytearray.fromhex({raw.hex()!r}), dtype={tensor.dtype})"
            f".reshape({tuple(tensor.shape)})"
        )

    def _space(self, space: gym.Space[Any]) -> str:
        spaces = gym.spaces
        if getattr(space, "_np_random", None) is not None:  # its property would make one
            raise NoSource("a space that has been sampled has no form as source")
        if type(space) is spaces.Dict:
            # Items in a list keep their order; a dict would be sorted.
            return f"{self.name(spaces.Dict)}({self._write(list(space.spaces.items()))})"
        if type(space) is spaces.Tuple:
            return f"{self.name(spaces.Tuple)}({self._write(space.spaces)})"
        if type(space) is spaces.Discrete:
            return self._call(spaces.Discrete, n=int(space.n), start=int(space.start))
        if type(space) is not spaces.Box or space.dtype is None:
            raise NoSource(f"the space {type(space).__name__} has no form as source")
        self.imports.add("import numpy as np")
        bounds: list[str] = []
        for bound in (space.low, space.high):
            same = bound.size > 0 and bound.tobytes() == bound.ravel()[:1].tobytes() * bound.size
            bounds.append(self._write(bound.ravel()[0].item() if same else bound))
        low, high = bounds
        return f"{self.name(spaces.Box)}({low}, {high}, {space.shape}, np.{space.dtype.name})"


def _public(module: str, name: str) -> str:
    """The shortest package that has what ``module`` calls ``name``, too."""
    parts = module.split(".")
    packages = [".".join(parts[:length]) for length in range(1, len(parts))]
    value = getattr(sys.modules[module], name)
    return next((one for one in packages if getattr(sys.modules.get(one), name, None) is value), module)


def _alike(value: Any, other: Any) -> bool:
    """Whether two values have the same form as source; without one they are taken to differ."""
    try:
        return type(value) is type(other) and Source()._write(value) == Source()._write(other)  # noqa: SLF001
    except NoSource:
        return False
