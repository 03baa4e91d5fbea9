# SPDX-License-Identifier: MIT
"""Configs that take fewer words: what has a default is left out, one piece after the other."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def simpler(config: Any) -> Iterator[Any]:
    """Every config that is like this one, but for one field that has its default, or one key that is missing.

    Some of them may be configs of no agent.
    """
    if isinstance(config, dict):
        for key, value in config.items():
            yield {name: one for name, one in config.items() if name != key}
            yield from ({**config, key: one} for one in simpler(value))
    elif type(config) in (tuple, list):
        for index, value in enumerate(config):
            for one in simpler(value):
                yield type(config)([*config[:index], one, *config[index + 1 :]])
    elif dataclasses.is_dataclass(config) and not isinstance(config, type):
        for field in dataclasses.fields(config):
            value = getattr(config, field.name)
            usual = field.default
            if field.default_factory is not dataclasses.MISSING:
                usual = field.default_factory()
            if usual is not dataclasses.MISSING and repr(usual) != repr(value):
                yield dataclasses.replace(config, **{field.name: usual})
            yield from (dataclasses.replace(config, **{field.name: one}) for one in simpler(value))
