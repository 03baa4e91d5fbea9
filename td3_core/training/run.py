# SPDX-License-Identifier: MIT
"""A training run that can be saved after any step and continued, in another process, bit for bit."""

from __future__ import annotations

import warnings
from dataclasses import asdict, fields
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from td3_core.agent import TD3
from td3_core.checkpoint import turns
from td3_core.checkpoint.format import parse_checkpoint
from td3_core.checkpoint.limits import refuse_oversized
from td3_core.checkpoint.mismatches import config_of
from td3_core.checkpoint.restoring import restore
from td3_core.errors import CheckpointError
from td3_core.replay import ReplayBuffer
from td3_core.training import segments
from td3_core.training.environments import make_env, name_of, spaces_of
from td3_core.training.episode import Episode, ReplayMismatchError
from td3_core.training.metrics import EpisodeSummary

if TYPE_CHECKING:
    from os import PathLike

    from td3_core.config import TD3Config
    from td3_core.training.environments import Env

FORMAT_VERSION = 1

_PARTS = {
    "environment": str,
    "settings": dict,
    "steps": int,
    "losses": dict,
    "episode": dict,
    "history": list,
    "replay_buffer": dict,
    "made_with": dict,
}
#: The settings of a run, and the least value of each.
_SETTINGS = {"capacity": 1, "batch_size": 1, "learning_starts": 0, "seed": 0}


class InexactResumeWarning(UserWarning):
    """A run was loaded but will not continue bit for bit; the message says what differs and what follows."""


class TrainingRun:
    """An agent learning in an environment: one environment step, then one update, again and again.

    The run owns everything that decides how it goes on: the agent, the replay buffer, the counters and
    the place in the current episode. It draws from the agent's generators and the environment's, never
    from a global one, and holds no wall-clock time.

    Args:
        agent: The agent that acts and learns.
        env: An environment whose spaces are those of ``agent.config``, such as `make_env` gives.
        capacity: Transitions that the replay buffer holds before it overwrites the oldest.
        batch_size: Transitions per update.
        learning_starts: Steps at the beginning that take uniformly random actions and do not learn.
        seed: Seeds the environment.

    Attributes:
        steps: Environment steps taken so far.
        episode: The running episode.
        history: The finished episodes.
        losses: The newest value of each loss that an update reported.

    Raises:
        ValueError: A number is out of range, or the agent does not fit the environment.
    """

    def __init__(
        self,
        agent: TD3,
        env: Env,
        *,
        capacity: int = 50_000,
        batch_size: int = 64,
        learning_starts: int = 500,
        seed: int = 0,
    ) -> None:
        for name, value in zip(_SETTINGS, (capacity, batch_size, learning_starts, seed), strict=True):
            if value < _SETTINGS[name]:
                raise ValueError(f"{name} is {value}, but must be at least {_SETTINGS[name]}")
        misfits = _misfits(agent.config, env)
        if misfits:
            raise ValueError(f"the agent does not fit environment {name_of(env)!r}: {misfits}")
        self.agent = agent
        self.env = env
        self.batch_size = batch_size
        self.learning_starts = learning_starts
        self.seed = seed
        self.replay_buffer = ReplayBuffer(agent.config, capacity)
        self.steps = 0
        self.losses: dict[str, float] = {}
        self.history: list[EpisodeSummary] = []
        # This reset only seeds: an episode can be played again if its own reset takes no seed.
        env.reset(seed=seed)
        self.episode = Episode(env)

    def step(self) -> EpisodeSummary | None:
        """Take one environment step and, after ``learning_starts`` steps, one update.

        Returns:
            The episode that this step finished, or None.
        """
        with turns.changing(self.agent):
            return self._step()

    def _step(self) -> EpisodeSummary | None:
        learning = self.steps >= self.learning_starts
        if learning:
            action = self.agent.select_action(self.episode.observation, explore=True)
        else:
            action = self.agent.sample_random_action()
        transition = self.episode.step(action)
        self.replay_buffer.add(
            transition.observation,
            transition.action,
            transition.next_observation,
            transition.reward,
            transition.terminated,
        )
        self.steps += 1
        if learning:
            batch = self.replay_buffer.sample(self.batch_size, self.agent.replay_generator)
            for name, loss in self.agent.update(batch).items():
                self.losses[name] = loss.item()
        if not (transition.terminated or transition.truncated):
            return None
        summary = EpisodeSummary(
            number=len(self.history) + 1,
            step=self.steps,
            total_reward=self.episode.total_reward,
            length=len(self.episode.actions),
            losses=dict(self.losses),
        )
        self.history.append(summary)
        self.episode = Episode(self.env)
        return summary

    def run(self, steps: int) -> None:
        """Take ``steps`` environment steps."""
        for _ in range(steps):
            self.step()

    def save(self, path: str | PathLike[str]) -> None:
        """Write the whole run: the agent's checkpoint, with what the run adds as section ``run``.

        A large replay buffer is in files of its own, in the folder ``replay`` beside ``path``, of which only
        those are written that have changed since an earlier save; see `td3_core.training.segments`.

        A step in another thread is waited for.

        Raises:
            CheckpointError: The file cannot be written, or a step is going on in this thread.
        """
        with turns.reading(self.agent, path), segments.stored(self.replay_buffer, path) as replay_buffer:
            section = {
                "format_version": FORMAT_VERSION,
                "environment": name_of(self.env),
                "settings": {
                    "capacity": self.replay_buffer.capacity,
                    "batch_size": self.batch_size,
                    "learning_starts": self.learning_starts,
                    "seed": self.seed,
                },
                "steps": self.steps,
                "losses": self.losses,
                "episode": self.episode.state_dict(),
                "history": [asdict(summary) for summary in self.history],
                "replay_buffer": replay_buffer,
                "made_with": _conditions(),
            }
            self.agent.save_checkpoint(path, extra={"run": section})

    def load(self, path: str | PathLike[str]) -> None:
        """Continue from a file that `save` wrote: agent, buffer, settings, counters and episode.

        The environment is led back to where it was by playing the current episode again. If it answers
        differently, the run starts a fresh episode and says so with an `InexactResumeWarning`; the same
        warning tells of conditions that change bits, such as another version of torch.

        Raises:
            CheckpointError: The file cannot be read, holds no run, or one that does not fit this agent and
                environment. The run is then as it was before.
        """
        with segments.undisturbed(segments.folder_of(path)):
            self._restore(parse_checkpoint(path), path)

    @classmethod
    def resume(cls, path: str | PathLike[str]) -> TrainingRun:
        """The run in a file that `save` wrote, with an environment and an agent made for it; see `load`.

        Raises:
            CheckpointError: The file cannot be read or holds no run.
            EnvError: The environment cannot be made here.
        """
        with segments.undisturbed(segments.folder_of(path)):
            contents = parse_checkpoint(path)
            config, section = section_of(contents, path)
            refuse_oversized(config, contents, source=path)
            env = make_env(section["environment"])
            try:
                run = cls(TD3(config, seed=section["settings"]["seed"]), env, **section["settings"])
                run._restore(contents, path)
            except (ValueError, MemoryError) as error:
                env.close()
                raise CheckpointError(f"{path} cannot be continued here: {error}") from error
            except BaseException:
                env.close()
                raise
            return run

    def _restore(self, contents: dict[str, Any], path: str | PathLike[str]) -> None:
        config, section = section_of(contents, path)
        name = name_of(self.env)
        if section["environment"] != name:
            raise CheckpointError(
                f"{path} is a run in environment {section['environment']!r}, and this one is in {name!r}; "
                "continue it in its own"
            )
        misfits = _misfits(config, self.env)
        if misfits:
            raise CheckpointError(f"{path} does not fit environment {name!r}: {misfits}")
        settings = section["settings"]
        buffer = ReplayBuffer(config, settings["capacity"])
        segments.load(buffer, section["replay_buffer"], path)
        # The agent is the last that can refuse the file: until here, nothing has changed.
        restore(self.agent, contents, source=path)
        self.replay_buffer = buffer
        self.batch_size = settings["batch_size"]
        self.learning_starts = settings["learning_starts"]
        self.seed = settings["seed"]
        self.steps = section["steps"]
        self.losses = dict(section["losses"])
        self.history = [EpisodeSummary(**summary) for summary in section["history"]]
        remarks = _changed_conditions(section["made_with"])
        try:
            self.episode = Episode.replay(self.env, section["episode"])
        except ReplayMismatchError as mismatch:
            remarks.append(
                f"environment {name!r} could not be led back to where it was, so a fresh episode starts: "
                f"{mismatch}"
            )
            self.episode = Episode(self.env)
        for remark in remarks:
            warnings.warn(remark, InexactResumeWarning, stacklevel=3)


def section_of(contents: dict[str, Any], path: str | PathLike[str]) -> tuple[TD3Config, dict[str, Any]]:
    """The config and the section ``run`` of a checkpoint, the latter with all of its parts."""
    config, problems = config_of(contents)
    section = contents.get("run")
    if config is None:
        raise CheckpointError(f"{path}: {'; '.join(problems)}")
    if not isinstance(section, dict):
        raise CheckpointError(
            f"{path} holds an agent but no training run to continue; TrainingRun.save and td3-train write one"
        )
    if section.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(
            f"{path}: run['format_version'] is {section.get('format_version')!r}, and this version reads "
            f"{FORMAT_VERSION}"
        )
    wrong = [name for name, kind in _PARTS.items() if type(section.get(name)) is not kind]
    if "settings" not in wrong:
        settings = section["settings"]
        good = set(settings) == set(_SETTINGS) and all(
            type(settings[name]) is int and settings[name] >= least for name, least in _SETTINGS.items()
        )
        wrong += [] if good else ["settings"]
    if not Episode.is_recorded(section.get("episode"), config.action_size):
        wrong.append("episode")
    columns = {field.name for field in fields(EpisodeSummary)}
    if not all(isinstance(row, dict) and set(row) == columns for row in section.get("history") or ()):
        wrong.append("history")
    if wrong:
        parts = ", ".join(f"run[{name!r}]" for name in dict.fromkeys(wrong))
        raise CheckpointError(f"{path}: missing or not as a training run writes it: {parts}")
    return config, section


def _misfits(config: TD3Config, env: Env) -> str:
    differing = [
        f"{name} is {getattr(config, name)!r} in the agent and {value!r} in the environment"
        for name, value in spaces_of(env).items()
        # A space holds its bounds in the precision of its actions.
        if (np.float32(config.max_action) if name == "max_action" else getattr(config, name)) != value
    ]
    return "; ".join(differing)


def _conditions() -> dict[str, str]:
    """What decides the bits of a step besides the run's own state."""
    return {
        "torch": str(torch.__version__),
        "numpy": metadata.version("numpy"),
        "gymnasium": metadata.version("gymnasium"),
        "torch threads": str(torch.get_num_threads()),
        "CPU capability": torch.backends.cpu.get_cpu_capability(),
    }


def _changed_conditions(made_with: dict[str, str]) -> list[str]:
    return [
        f"the run was saved with {name} {made_with.get(name)} and continues with {now}, "
        "so its steps may differ in their last bits"
        for name, now in _conditions().items()
        if made_with.get(name) != now
    ]
