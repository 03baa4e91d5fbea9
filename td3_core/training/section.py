# SPDX-License-Identifier: MIT
"""The section ``run`` of a checkpoint: what a training run adds to its agent, and whether it can be one's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from td3_core.checkpoint.mismatches import config_of
from td3_core.errors import CheckpointError
from td3_core.quoting import quoted
from td3_core.training.episode import Episode
from td3_core.training.metrics import EpisodeSummary
from td3_core.training.segments import are_segments
from td3_core.validation import is_count

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from os import PathLike

    from td3_core.config import TD3Config

#: 1: with all finished episodes, and the answers of the running one in words. 2: with the last one, in bytes.
#: 3: with a replay buffer that may be in segments.
FORMAT_VERSION = 3

#: The settings of a run, and the least value of each.
SETTINGS = {"capacity": 1, "batch_size": 1, "learning_starts": 0, "seed": 0}

_LOSSES = frozenset({"critic_loss", "actor_loss"})
_LONGEST_WORD = 200


def section_of(contents: Mapping[str, Any], path: str | PathLike[str]) -> tuple[TD3Config, dict[str, Any]]:
    """The config and the section ``run`` of a checkpoint, in the form of this version.

    Raises:
        CheckpointError: There is none, or a part of it is missing or nothing that a training run writes.
    """
    config, problems = config_of(contents)
    section = contents.get("run")
    if config is None:
        raise CheckpointError(f"{path}: {'; '.join(problems)}")
    if not isinstance(section, dict):
        raise CheckpointError(
            f"{path} holds an agent but no training run to continue; TrainingRun.save and td3-train write one"
        )
    version = section.get("format_version")
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        raise CheckpointError(
            f"{path}: run['format_version'] is {quoted(version)}, and this version reads up to "
            f"{FORMAT_VERSION}"
        )
    if version == 1:
        section = _from_version_1(section)
    wrong = wrong_parts(section, config.action_size)
    if wrong:
        raise CheckpointError(
            f"{path}: missing or not as a training run writes it: "
            + ", ".join(f"run[{name!r}]" for name in wrong)
        )
    return config, section


def wrong_parts(section: Mapping[str, Any], action_size: int) -> list[str]:
    """The parts of a section that are missing, or that no training run with such actions can have."""
    checks: dict[str, Callable[[Any], bool]] = {
        "environment": _is_word,
        "settings": _are_settings,
        "steps": is_count,
        "losses": _are_losses,
        "episodes": is_count,
        "last_episode": lambda value: value is None or _is_summary(value),
        "episode": lambda value: Episode.is_recorded(value, action_size),
        "replay_buffer": _is_buffer,
        "made_with": lambda value: type(value) is dict and all(map(_is_word, (*value, *value.values()))),
    }
    return [name for name, check in checks.items() if not check(section.get(name, ...))]


def _from_version_1(section: Mapping[str, Any]) -> dict[str, Any]:
    """With the last of the finished episodes alone; what cannot be one stays, and is refused by its name."""
    history = section.get("history")
    if type(history) is not list or not all(map(_is_summary, history)):
        return {**section, "episodes": None}
    return {
        **section,
        "episodes": len(history),
        "last_episode": history[-1] if history else None,
        "episode": Episode.from_version_1(section.get("episode")),
    }


def _is_word(value: object) -> bool:
    """Whether a value may be printed: it is a line of ASCII without control characters."""
    return type(value) is str and len(value) <= _LONGEST_WORD and value.isascii() and value.isprintable()


def _are_settings(value: object) -> bool:
    return (
        type(value) is dict
        and set(value) == set(SETTINGS)
        and all(is_count(value[name]) and value[name] >= least for name, least in SETTINGS.items())
    )


def _are_losses(value: object) -> bool:
    return type(value) is dict and set(value) <= _LOSSES and all(type(one) is float for one in value.values())


def _is_buffer(value: object) -> bool:
    """Whether its place and its segments have their form; all else is the buffer's to compare with itself."""
    return (
        type(value) is dict
        and type(value.get("full")) is bool
        and is_count(value.get("position"))
        and ("segments" not in value or are_segments(value["segments"]))
    )


def _is_summary(value: object) -> bool:
    if type(value) is not dict or set(value) != set(EpisodeSummary.__dataclass_fields__):
        return False
    counts = all(is_count(value[name]) for name in ("number", "step", "length"))
    return counts and type(value["total_reward"]) is float and _are_losses(value["losses"])
