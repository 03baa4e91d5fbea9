# SPDX-License-Identifier: MIT
"""Strategies for the hyper-parameters of a specimen: all that differ do differ in a receiver."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypothesis.strategies import SearchStrategy

Config = TypeVar("Config")


def drawn(kind: type[Config], choices: Mapping[str, Sequence[Any]]) -> SearchStrategy[Config]:
    """Configs of a kind with the named fields chosen from the given values."""
    return st.builds(kind, **{name: st.sampled_from(values) for name, values in choices.items()})


def varied(config: Any, choices: Mapping[str, Sequence[Any]]) -> SearchStrategy[Any]:
    """The same config with every named field at another one of the given values."""
    others = {
        name: st.sampled_from([value for value in values if value != getattr(config, name)])
        for name, values in choices.items()
    }
    return st.fixed_dictionaries(others).map(lambda fields: dataclasses.replace(config, **fields))
