# SPDX-License-Identifier: MIT
"""Takes what there is from checkpoints that lack pieces, among them those from before there was a format.

The first version of this agent wrote dicts of state dicts: without targets, without generators, without
``policy_noise``, and, in the version whose bug this project began with, without the CNNs.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from td3_core.checkpoint import contents as state
from td3_core.config import HYPER_PARAMETERS
from td3_core.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from td3_core.agent import TD3


class PartialCheckpointWarning(UserWarning):
    """A checkpoint was loaded that lacks pieces; the message says which of them start fresh."""


def lacking(agent: TD3, contents: Mapping[str, Any]) -> list[str]:
    """The sections of the agent's own checkpoint that ``contents`` do not have."""
    own = state.capture(agent)
    return [
        key for key, value in own.items() if key not in contents or (contents[key] is None) > (value is None)
    ]


def completed(agent: TD3, contents: Mapping[str, Any], source: str | os.PathLike[str]) -> dict[str, Any]:
    """``contents`` with everything that they lack, as it is in ``agent``.

    A missing target becomes a copy of its online network, as the first version of this agent did on load.

    Raises:
        CheckpointError: there is no network in ``contents``.
    """
    if not any(f"{name}_state_dict" in contents for name in state.TRAINED_NETWORKS):
        raise CheckpointError(f"{source} holds no network of TD3: nothing of it can be loaded")
    own = state.capture(agent)
    missing = lacking(agent, contents)
    result = {key: own[key] if key in missing else contents[key] for key in own}
    result |= {key: contents[key] for key in contents if key not in own}
    result["format_version"] = contents.get("format_version", 0)
    derived = ("torch_version", "config", "use_dict_buffer")
    fresh = [key for key in missing if key not in derived and own[key] is not None]
    for name in state.TRAINED_NETWORKS:
        target = f"{name}_target_state_dict"
        if target in missing and result[target] is not None:
            result[target] = result[f"{name}_state_dict"]
            fresh[fresh.index(target)] = f"{target} (a copy of {name}_state_dict)"
        optimizer = f"{name}_optimizer_state_dict"
        if "config" in missing and optimizer not in missing:
            result[optimizer] = _with_todays_options(result[optimizer], own[optimizer])
    if "config" in missing:
        given = {name: contents[name] for name in HYPER_PARAMETERS if name in contents}
        try:
            result["config"] = replace(agent.config, **given).to_dict()
        except (ConfigError, TypeError) as error:
            raise CheckpointError(f"{source}: {error}") from error
    if fresh:
        warnings.warn(
            f"{source} lacks pieces, which start fresh: {', '.join(fresh)}",
            PartialCheckpointWarning,
            stacklevel=3,
        )
    return result


def _with_todays_options(saved: Any, own: Mapping[str, Any] | None) -> Any:
    """A ``state_dict`` of any torch with the options and the entries that the agent's optimizers have."""
    kinds = {"param_groups": list, "state": dict}
    if (
        own is None
        or not isinstance(saved, dict)
        or {key: type(value) for key, value in saved.items()} != kinds
    ):
        return saved
    groups = [
        {key: group.get(key, value) for key, value in mine.items()} if isinstance(group, dict) else group
        for group, mine in zip(saved["param_groups"], own["param_groups"], strict=False)
    ]
    return {"state": {**{key: {} for key in own["state"]}, **saved["state"]}, "param_groups": groups}
