# SPDX-License-Identifier: MIT
"""Expected failures: what is known to be broken, each entry with its reason."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from verification.errors import UsageError
from verification.registry import all_checks, nearest

if TYPE_CHECKING:
    from os import PathLike

    from verification.adapter import Adapter


def load_expected(
    source: Mapping[str, str] | str | PathLike[str] | None, adapter: Adapter | None = None
) -> dict[str, str]:
    """The reasons by check name, from a mapping or a TOML file, over those that the adapter declares.

    The file has one table, ``[expected_failures]``, of ``check_name = "reason"``.

    Raises:
        UsageError: for a file that cannot be read, an unknown check, or a missing reason.
    """
    expected = dict(getattr(adapter, "expected_failures", None) or {})
    if isinstance(source, Mapping):
        expected |= source
    elif source is not None:
        expected |= _read(Path(source))
    for name, reason in expected.items():
        if name not in all_checks():
            raise UsageError(
                f"expected failures name {name!r}, which is no check; {nearest(name, all_checks())}"
                "`verify list` shows all of them"
            )
        if not isinstance(reason, str) or not reason.strip():
            raise UsageError(
                f"the expected failure of {name} has no reason; say in a few words why it is accepted"
            )
    return expected


def _read(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise UsageError(f"cannot read the expected failures in {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None
    table = content.get("expected_failures")
    if not isinstance(table, dict):
        raise UsageError(f"{path} has no table [expected_failures]")
    return table
