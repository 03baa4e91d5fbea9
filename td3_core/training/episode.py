# SPDX-License-Identifier: MIT
"""The current episode of an environment, written down so that another process can play it again exactly.

A simulator cannot be saved, but it can be led back to where it was: give its generator the state it had
before the episode's reset, reset, and repeat the actions. Whether that really led back is checked, not
assumed: a fingerprint of everything the environment answered is compared step by step.
"""

from __future__ import annotations

import copy
import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from td3_core.training.environments import Env, Observation


class ReplayMismatchError(Exception):
    """The environment answered something else than it did when the episode was recorded."""


class Transition(NamedTuple):
    """What one step of an environment led from and to; `terminated` excludes mere time limits."""

    observation: Observation
    action: NDArray[Any]
    next_observation: Observation
    reward: float
    terminated: bool
    truncated: bool


class Episode:
    """One running episode: resets the environment when built, and records what is needed to play it again.

    Attributes:
        observation: What the environment showed last.
        total_reward: Sum of the rewards so far.
        actions: The agent's actions so far, one vector each.
        answers: Fingerprints of the reset's answer and of each step's, one more than there are actions.
        generator_state: The state of the environment's generator before the reset.
    """

    def __init__(self, env: Env) -> None:
        self._env = env
        self.generator_state: dict[str, Any] = copy.deepcopy(dict(_generator(env).state))
        observation, _ = env.reset()
        self.observation: Observation = copy.deepcopy(observation)
        self.total_reward = 0.0
        self.actions: list[NDArray[Any]] = []
        self.answers: list[dict[str, str]] = [_fingerprint(self.observation, 0.0, ended=False)]

    def step(self, action: NDArray[Any]) -> Transition:
        """Take one step in the environment with the agent's ``action``, shape (action_size,)."""
        before, action = self.observation, np.array(action)
        observation, reward, terminated, truncated, _ = self._env.step(action.copy())
        # Copies, because an environment may write its next observation into the array it returned.
        self.observation = copy.deepcopy(observation)
        transition = Transition(
            before, action, self.observation, float(reward), bool(terminated), bool(truncated)
        )
        self.total_reward += transition.reward
        self.actions.append(action)
        ended = transition.terminated or transition.truncated
        self.answers.append(_fingerprint(self.observation, transition.reward, ended=ended))
        return transition

    def state_dict(self) -> dict[str, Any]:
        """The episode as tensors and plain values, in memory of its own."""
        actions = np.array(self.actions, np.float32).reshape(len(self.actions), *_action_shape(self._env))
        return {
            "generator": copy.deepcopy(self.generator_state),
            "actions": torch.from_numpy(actions),
            "answers": copy.deepcopy(self.answers),
        }

    @classmethod
    def replay(cls, env: Env, state: dict[str, Any]) -> Episode:
        """Lead ``env`` to the point at which ``state`` was taken by `state_dict`.

        Raises:
            ReplayMismatchError: The environment answered differently; the message names the step and
                what differed. The environment is then somewhere in that other episode.
        """
        try:
            _generator(env).state = state["generator"]
        except (TypeError, ValueError, KeyError) as error:
            raise ReplayMismatchError(f"its generator does not accept the recorded state ({error})") from None
        episode = cls(env)
        actions, answers = state["actions"].numpy(), state["answers"]
        _compare(episode.answers[0], answers[0], "after the reset")
        for index, action in enumerate(actions, start=1):
            try:
                episode.step(action)
            except Exception as error:
                raise ReplayMismatchError(f"step {index} of the episode raised {error!r}") from error
            _compare(episode.answers[index], answers[index], f"after step {index} of {len(actions)}")
        return episode

    @staticmethod
    def is_recorded(state: Any, action_size: int) -> bool:
        """Whether ``state`` has the form of a `state_dict` of an episode with such actions."""
        if not isinstance(state, dict) or set(state) != {"generator", "actions", "answers"}:
            return False
        actions, answers = state["actions"], state["answers"]
        return (
            isinstance(actions, torch.Tensor)
            and actions.dtype == torch.float32
            and actions.shape[1:] == (action_size,)
            and isinstance(answers, list)
            and len(answers) == len(actions) + 1
            and all(isinstance(answer, dict) for answer in answers)
        )


def _compare(answer: dict[str, str], recorded: dict[str, str], when: str) -> None:
    differing = sorted(
        name for name in answer.keys() | recorded.keys() if answer.get(name) != recorded.get(name)
    )
    if differing:
        raise ReplayMismatchError(f"{when} of the episode, its {' and '.join(differing)} differed")


def _fingerprint(observation: Observation, reward: float, *, ended: bool) -> dict[str, str]:
    entries = observation if isinstance(observation, dict) else {"observation": observation}
    answer = {name: _digest(np.asarray(value)) for name, value in entries.items()}
    return {**answer, "reward": reward.hex(), "end": str(ended)}


def _digest(array: NDArray[Any]) -> str:
    content = f"{array.dtype.str}{array.shape}".encode() + array.tobytes()
    return hashlib.sha256(content).hexdigest()[:16]


def _generator(env: Env) -> np.random.BitGenerator:
    return env.unwrapped.np_random.bit_generator


def _action_shape(env: Env) -> tuple[int, ...]:
    return env.action_space.shape or ()
