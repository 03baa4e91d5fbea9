# SPDX-License-Identifier: MIT
"""Takes what there is from checkpoints that lack pieces, among them those from before there was a format.

The first version of this agent wrote dicts of state dicts: without targets, without generators, without
``policy_noise``, and, in the version whose bug this project began with, without the CNNs.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

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
        for name in state.NETWORKS:
            key = f"{name}_state_dict"
            result[key] = _laid_out(result[key], own[key])
    for name in state.TRAINED_NETWORKS:
        _lay_out_moments(result, name, getattr(agent, name))
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


def _laid_out(saved: Any, own: Mapping[str, torch.Tensor] | None) -> Any:
    """Tensors by name as they lie in the agent, whose config says how, and the file has none."""
    if own is None or not isinstance(saved, dict):
        return saved
    return {key: _like(value, own.get(key)) for key, value in saved.items()}


def _lay_out_moments(contents: dict[str, Any], name: str, network: torch.nn.Module | None) -> None:
    """Let an optimizer's state lie as the parameters do, in case that only one of them is the file's.

    torch's fused optimizers go through both in the order of memory, and never compare it.
    """
    weights, saved = contents[f"{name}_state_dict"], contents[f"{name}_optimizer_state_dict"]
    if network is None or not isinstance(weights, dict) or not isinstance(saved, dict):
        return
    entries = saved.get("state")
    if isinstance(entries, dict):
        names = [parameter for parameter, _ in network.named_parameters()]
        relaid = {
            index: {key: _like(value, weights.get(names[index])) for key, value in entry.items()}
            if index in range(len(names)) and isinstance(entry, dict)
            else entry
            for index, entry in entries.items()
        }
        contents[f"{name}_optimizer_state_dict"] = {**saved, "state": relaid}


def _like(value: Any, model: Any) -> Any:
    if not isinstance(value, torch.Tensor) or not isinstance(model, torch.Tensor):
        return value
    if value.shape != model.shape or value.stride() == model.stride():
        return value
    return torch.empty_like(model, dtype=value.dtype).copy_(value)
