# SPDX-License-Identifier: MIT
"""Validation of the fields of frozen configs, with errors that name field, value and what is allowed."""

from __future__ import annotations

import contextlib
import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from itertools import islice
from typing import Any, TypeGuard

import numpy as np

from td3_core.errors import ConfigError
from td3_core.quoting import listed, quoted

#: How long a string or a tuple among the options of an optimizer or a schedule may be.
_MAX_OPTION = 1000
#: No name that anybody means is longer.
_LONGEST_NAME = 100
#: Unknown keys that a message tells of.
_MAX_UNKNOWN = 10


class Options(Mapping[str, Any]):
    """Keyword arguments as plain data: an immutable, hashable mapping, ordered by name.

    Values are ``None``, booleans, integers of 64 bits, finite floats, strings and tuples of these, at most
    1,000 long. Lists become tuples and numpy scalars become Python's, so that options which mean the same
    compare equal.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        if not isinstance(values, Mapping) or not all(type(name) is str for name in values):
            raise ConfigError(f"options must be a mapping with strings as keys, not {quoted(values)}")
        self._values = {name: _plain_option(name, values[name]) for name in sorted(values)}

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))

    def __repr__(self) -> str:
        return repr(self._values)


def _plain_option(name: str, value: Any, *, nested: bool = False) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if type(value) in (list, tuple) and len(value) <= _MAX_OPTION and not nested:
        return tuple(_plain_option(name, item, nested=True) for item in value)
    if value is None or type(value) is bool:
        return value
    if type(value) is str and len(value) <= _MAX_OPTION:
        return value
    if type(value) in (int, float) and is_plain_number(value):
        return value
    raise ConfigError(
        f"option {quoted(name)} = {quoted(value)} is not plain data: allowed are None, booleans, integers of "
        f"64 bits, finite numbers, strings and tuples of these, at most {_MAX_OPTION:,} long"
    )


def is_plain_number(value: object) -> bool:
    """Whether this is a finite float or an integer of 64 bits."""
    if type(value) is int:
        return -(2**63) <= value < 2**63
    return type(value) is float and math.isfinite(value)


def is_count(value: object) -> TypeGuard[int]:
    """Whether this is an integer of 64 bits that is not negative."""
    return type(value) is int and 0 <= value < 2**63


def _is_size(value: object, minimum: int) -> bool:
    if type(value) is bool or not isinstance(value, int | np.integer):
        return False
    return minimum <= int(value) < 2**63


def integer(owner: object, field: str, *, minimum: int) -> None:
    """Make the field of a frozen dataclass a Python integer of at least ``minimum``, or raise."""
    value = getattr(owner, field)
    if not _is_size(value, minimum):
        raise refusal(owner, field, value, f"an integer of at least {minimum}")
    object.__setattr__(owner, field, int(value))


def number(
    owner: object, field: str, *, minimum: float, maximum: float = math.inf, above: bool = False
) -> None:
    """Make the field a finite float in the range (``above``: without ``minimum`` itself), or raise."""
    value = getattr(owner, field)
    low = f"above {minimum:g}" if above else f"of at least {minimum:g}"
    allowed = f"a finite number {low}" if maximum == math.inf else f"a number from {minimum:g} to {maximum:g}"
    result = math.nan
    if type(value) is not bool and isinstance(value, int | float | np.integer | np.floating):
        with contextlib.suppress(OverflowError):
            result = float(value)
    if not (math.isfinite(result) and minimum <= result <= maximum and (result > minimum or not above)):
        raise refusal(owner, field, value, allowed)
    object.__setattr__(owner, field, result)


def choice(owner: object, field: str, allowed: Iterable[Any]) -> None:
    """Raise unless the field has one of the allowed values."""
    value, allowed = getattr(owner, field), tuple(allowed)
    if not isinstance(value, str | None) or value not in allowed:
        raise refusal(
            owner, field, value, "one of " + ", ".join(map(repr, allowed)) + nearest(value, allowed)
        )


def flag(owner: object, field: str) -> None:
    """Raise unless the field is True or False."""
    if type(getattr(owner, field)) is not bool:
        raise refusal(owner, field, getattr(owner, field), "True or False")


def sizes(owner: object, field: str, *, length: int | None = None) -> None:
    """Make the field a tuple of positive Python integers, of the given length if there is one, or raise."""
    value = getattr(owner, field)
    allowed = "a tuple of " + ("" if length is None else f"{length} ") + "positive integers"
    good = isinstance(value, list | tuple) and (length is None or len(value) == length)
    if not good or not all(_is_size(item, 1) for item in value):
        raise refusal(owner, field, value, allowed)
    object.__setattr__(owner, field, tuple(int(item) for item in value))


def refusal(owner: object, field: str, value: object, allowed: str) -> ConfigError:
    """The error for a value that a field may not have."""
    return ConfigError(
        f"{type(owner).__name__}.{field} = {quoted(value)} is not allowed: it must be {allowed}"
    )


def nearest(name: object, allowed: Iterable[object]) -> str:
    """``"; did you mean 'x'?"`` for the allowed name that is most like this one, or nothing."""
    if type(name) is not str or len(name) > _LONGEST_NAME:
        return ""
    found = difflib.get_close_matches(name, [str(item) for item in allowed], n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


def checked_fields(cls: type[Any], data: Any) -> dict[str, Any]:
    """The arguments for the dataclass ``cls``; ``data`` must have each of its fields and no other key."""
    if not isinstance(data, Mapping):
        raise ConfigError(f"{cls.__name__} must be given as a mapping of its fields, not {quoted(data)}")
    names = [field.name for field in fields(cls)]
    unknown = list(islice((key for key in data if key not in names), _MAX_UNKNOWN))
    problems = [f"unknown key {quoted(key)}{nearest(key, names)}" for key in unknown]
    problems += [f"missing key {name!r}" for name in names if name not in data]
    if problems:
        raise ConfigError(f"{cls.__name__}: " + listed(problems, ", "))
    return dict(data)


def plain(value: Any) -> Any:
    """A config as dicts, lists, strings, numbers, booleans and ``None``."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value
