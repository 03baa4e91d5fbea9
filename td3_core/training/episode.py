# SPDX-License-Identifier: MIT
"""The current episode of an environment, written down so that another process can play it again exactly.

A simulator cannot be saved, but it can be led back to where it was: give its generator the state it had
before the episode's reset, reset, and repeat the actions. Whether that really led back is checked, not
assumed: a fingerprint of everything the environment answered is compared step by step.
"""

from __future__ import annotations

import copy
import hashlib
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from td3_core.quoting import shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from td3_core.training.environments import Env, Observation

_PART = 8  # bytes of each part of a fingerprint


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
        answers: By name, fingerprints of eight bytes of each part of the reset's answer and of every step's,
            one more than there are actions.
        generator_state: The state of the environment's generator before the reset.
    """

    def __init__(self, env: Env) -> None:
        self._env = env
        self.generator_state: dict[str, Any] = copy.deepcopy(dict(_generator(env).state))
        observation, _ = env.reset()
        self.observation: Observation = copy.deepcopy(observation)
        self.total_reward: float = 0.0
        self.actions: list[NDArray[Any]] = []
        answer = _fingerprint(self.observation, 0.0, ended=False)
        self.answers: dict[str, bytearray] = {name: bytearray(part) for name, part in answer.items()}

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
        for name, part in _fingerprint(self.observation, transition.reward, ended=ended).items():
            self.answers[name] += part
        return transition

    def state_dict(self) -> dict[str, Any]:
        """The episode as tensors and plain values, in memory of its own."""
        actions = np.array(self.actions, np.float32).reshape(len(self.actions), *_action_shape(self._env))
        return {
            "generator": copy.deepcopy(self.generator_state),
            "actions": torch.from_numpy(actions),
            "answers": {
                name: torch.frombuffer(bytearray(parts), dtype=torch.uint8).reshape(-1, _PART)
                for name, parts in self.answers.items()
            },
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
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise ReplayMismatchError(
                f"its generator does not accept the recorded state ({shortened(error)})"
            ) from None
        episode = cls(env)
        actions = state["actions"].numpy()
        recorded = {name: parts.numpy().tobytes() for name, parts in state["answers"].items()}
        _compare(episode.answers, recorded, 0, "after the reset")
        for index, action in enumerate(actions, start=1):
            try:
                episode.step(action)
            except Exception as error:
                raise ReplayMismatchError(
                    f"step {index} of the episode raised {shortened(repr(error))}"
                ) from error
            _compare(episode.answers, recorded, index, f"after step {index} of {len(actions)}")
        return episode

    @staticmethod
    def is_recorded(state: Any, action_size: int) -> bool:
        """Whether ``state`` has the form of a `state_dict` of an episode with such actions, all finite."""
        if type(state) is not dict or set(state) != {"generator", "actions", "answers"}:
            return False
        actions, answers = state["actions"], state["answers"]
        if not isinstance(actions, torch.Tensor) or actions.dtype != torch.float32:
            return False
        if actions.dim() != 2 or actions.shape[1] != action_size or not actions.isfinite().all():
            return False
        return (
            type(answers) is dict
            and _is_generator_state(state["generator"])
            and all(
                type(name) is str
                and isinstance(parts, torch.Tensor)
                and parts.dtype == torch.uint8
                and parts.shape == (len(actions) + 1, _PART)
                for name, parts in answers.items()
            )
        )

    @staticmethod
    def from_version_1(state: Any) -> Any:
        """The `state_dict` of an episode whose answers are dicts of words, in today's form; else nothing."""
        try:
            rows = [_part_of_version_1(answer) for answer in state["answers"]]
            answers = {name: b"".join(row[name] for row in rows) for name in rows[0]}
            tensors = {
                name: torch.frombuffer(bytearray(parts), dtype=torch.uint8).reshape(len(rows), _PART)
                for name, parts in answers.items()
            }
            return {**state, "answers": tensors}
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, RuntimeError, OverflowError):
            return None


def _compare(answers: Mapping[str, bytearray], recorded: Mapping[str, bytes], index: int, when: str) -> None:
    place = slice(index * _PART, (index + 1) * _PART)
    differing = sorted(
        name
        for name in answers.keys() | recorded.keys()
        if answers.get(name, bytearray())[place] != recorded.get(name, b"")[place]
    )
    if differing:
        raise ReplayMismatchError(f"{when} of the episode, its {' and '.join(differing)} differed")


def _fingerprint(observation: Observation, reward: float, *, ended: bool) -> dict[str, bytes]:
    entries = observation if isinstance(observation, dict) else {"observation": observation}
    answer = {name: _digest(np.asarray(value)) for name, value in entries.items()}
    return {**answer, "reward": struct.pack("<d", reward), "end": struct.pack("<q", ended)}


def _part_of_version_1(answer: Mapping[str, str]) -> dict[str, bytes]:
    reward, end = float.fromhex(answer["reward"]), ("False", "True").index(answer["end"])
    digests = {
        name: bytes.fromhex(digest) for name, digest in answer.items() if name not in ("reward", "end")
    }
    return {**digests, "reward": struct.pack("<d", reward), "end": struct.pack("<q", end)}


def _is_generator_state(state: Any, depth: int = 0) -> bool:
    """Whether this can be the state of a generator of numpy: words and numbers, and a dict of these."""
    return type(state) is dict and all(
        type(key) is str
        and (
            type(value) is str
            or (type(value) is int and 0 <= value < 2**128)
            or (depth == 0 and _is_generator_state(value, 1))
        )
        for key, value in state.items()
    )


def _digest(array: NDArray[Any]) -> bytes:
    content = f"{array.dtype.str}{array.shape}".encode() + array.tobytes()
    return hashlib.sha256(content).digest()[:_PART]


def _generator(env: Env) -> np.random.BitGenerator:
    return env.unwrapped.np_random.bit_generator


def _action_shape(env: Env) -> tuple[int, ...]:
    return env.action_space.shape or ()
