# SPDX-License-Identifier: MIT
"""A training run that can be saved after any step and continued, in another process, bit for bit."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from td3_core.agent import TD3
from td3_core.checkpoint import turns
from td3_core.checkpoint.architecture import refuse_other_networks
from td3_core.checkpoint.format import parse_checkpoint
from td3_core.checkpoint.restoring import prepared
from td3_core.errors import CheckpointError
from td3_core.quoting import quoted, shortened
from td3_core.replay import ReplayBuffer
from td3_core.training.conditions import changed_conditions, conditions
from td3_core.training.environments import is_registered, make_env, name_of, spaces_of
from td3_core.training.episode import Episode, ReplayMismatchError
from td3_core.training.metrics import EpisodeSummary
from td3_core.training.section import FORMAT_VERSION, SETTINGS, section_of, wrong_parts
from td3_core.training.segment_files import load as load_buffer
from td3_core.training.segment_files import stored
from td3_core.training.segment_folder import undisturbed

if TYPE_CHECKING:
    from os import PathLike

    from td3_core.config import TD3Config
    from td3_core.training.environments import Env


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
        episodes: How many episodes are finished.
        last_episode: The one that was finished last, or None.
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
        for name, value in zip(SETTINGS, (capacity, batch_size, learning_starts, seed), strict=True):
            if value < SETTINGS[name]:
                raise ValueError(f"{name} is {value}, but must be at least {SETTINGS[name]}")
        misfits = _misfits(agent.config, env)
        if misfits:
            raise ValueError(f"the agent does not fit environment {name_of(env)!r}: {misfits}")
        self.agent = agent
        self.env = env
        self.batch_size = batch_size
        self.learning_starts = learning_starts
        self.seed = seed
        self.replay_buffer: ReplayBuffer = ReplayBuffer(agent.config, capacity)
        self.steps: int = 0
        self.losses: dict[str, float] = {}
        self.episodes: int = 0
        self.last_episode: EpisodeSummary | None = None
        # This reset only seeds: an episode can be played again if its own reset takes no seed.
        env.reset(seed=seed)
        self.episode: Episode = Episode(env)

    def step(self) -> EpisodeSummary | None:
        """Take one environment step and, after ``learning_starts`` steps, one update.

        Ctrl-C takes effect once the step is whole. After one that ended in an exception, such as the
        environment's, the run is not saved any more: the environment, the buffer and the agent may be at
        different steps.

        Returns:
            The episode that this step finished, or None.
        """
        with turns.changing(self.agent, tears=self):
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
        self.episodes += 1
        summary = EpisodeSummary(
            number=self.episodes,
            step=self.steps,
            total_reward=self.episode.total_reward,
            length=len(self.episode.actions),
            losses=dict(self.losses),
        )
        self.last_episode = summary
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
            CheckpointError: The file cannot be written, or a step is going on in this thread or was
                interrupted half-way.
        """
        with (
            turns.reading(self.agent, path, run=self),
            stored(self.replay_buffer, path) as replay_buffer,
        ):
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
                "episodes": self.episodes,
                "last_episode": None if self.last_episode is None else asdict(self.last_episode),
                "replay_buffer": replay_buffer,
                "made_with": conditions(),
            }
            wrong = wrong_parts(section, self.agent.config.action_size)
            if wrong:
                raise CheckpointError(
                    f"{path} is not written: run[{wrong[0]!r}] holds what no run can continue from, such as "
                    "an action that is not finite"
                )
            self.agent.save_checkpoint(path, extra={"run": section})

    def load(self, path: str | PathLike[str]) -> None:
        """Continue from a file that `save` wrote: agent, buffer, settings, counters and episode.

        The environment is led back to where it was by playing the current episode again. If it answers
        differently, the run starts a fresh episode and says so with an `InexactResumeWarning`; the same
        warning tells of conditions that change bits, such as another version of torch. Ctrl-C takes effect
        before the first change or once the episode has been played.

        Raises:
            CheckpointError: The file cannot be read, holds no run, or one that does not fit this agent and
                environment. The run is then as it was before.
        """
        with undisturbed(path):
            self._restore(parse_checkpoint(path), path)

    @classmethod
    def resume(cls, path: str | PathLike[str], *, env: str | None = None) -> TrainingRun:
        """The run in a file that `save` wrote, with an environment and an agent made for it; see `load`.

        Args:
            path: What to read.
            env: The name of its environment, for `make_env`. Without it, only one that is registered is made
                from the file: the name of another would import what the file says.

        Raises:
            CheckpointError: The file cannot be read, holds no run, or one in another environment.
            EnvError: The environment cannot be made here.
        """
        with undisturbed(path):
            contents = parse_checkpoint(path)
            config, section = section_of(contents, path)
            name = section["environment"]
            if env is not None and env != name:
                raise CheckpointError(f"{path} is a run in {name!r}, not in {env!r}")
            if env is None and not is_registered(name):
                raise CheckpointError(
                    f"{path} is a run in {name!r}, which is not registered, and no file is trusted to import "
                    "it; give it yourself: td3-train ENV --resume FILE, or TrainingRun.resume(FILE, env=ENV)"
                )
            refuse_other_networks(config, contents, source=path)
            made = make_env(name)
            try:
                run = cls(TD3(config, seed=section["settings"]["seed"]), made, **section["settings"])
                run._restore(contents, path)
            except (ValueError, MemoryError) as error:
                made.close()
                raise CheckpointError(f"{path} cannot be continued here: {shortened(error)}") from error
            except BaseException:
                made.close()
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
        try:
            buffer = ReplayBuffer(config, settings["capacity"])
            load_buffer(buffer, section["replay_buffer"], path)
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error
        except (ValueError, MemoryError) as error:
            raise CheckpointError(f"{path}: its replay buffer does not fit into memory") from error
        last = section["last_episode"]
        remarks: dict[str, None] = dict.fromkeys(changed_conditions(section["made_with"]))
        with turns.changing(self.agent):
            # The agent is the last that can refuse the file: until here, nothing has changed.
            restore_agent = prepared(self.agent, contents, source=path)

            def restore() -> None:
                restore_agent()
                self.replay_buffer = buffer
                self.batch_size = settings["batch_size"]
                self.learning_starts = settings["learning_starts"]
                self.seed = settings["seed"]
                self.steps = section["steps"]
                self.losses = dict(section["losses"])
                self.episodes = section["episodes"]
                self.last_episode = None if last is None else EpisodeSummary(**last)
                try:
                    self.episode = Episode.replay(self.env, section["episode"])
                except ReplayMismatchError as mismatch:
                    remarks[
                        f"environment {name!r} could not be led back to where it was, so a fresh episode "
                        f"starts: {mismatch}"
                    ] = None
                    self.episode = Episode(self.env)

            turns.renew([self.agent, self], restore)
        for remark in remarks:
            warnings.warn(remark, InexactResumeWarning, stacklevel=3)


def _misfits(config: TD3Config, env: Env) -> str:
    differing = [
        f"{name} is {quoted(getattr(config, name))} in the agent and {quoted(value)} in the environment"
        for name, value in spaces_of(env).items()
        # A space holds its bounds in the precision of its actions.
        if (np.float32(config.max_action) if name == "max_action" else getattr(config, name)) != value
    ]
    return "; ".join(differing)
