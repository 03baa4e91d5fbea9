# SPDX-License-Identifier: MIT
"""Environments reach the agent in its own shapes, or are refused in one sentence."""

from __future__ import annotations

import sys
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from td3_core.training.environments import AgentObservations, EnvError, UnitActions, make_env, spaces_of


class Fixed(gym.Env[Any, Any]):
    """An environment with the given spaces that always observes ``value`` and remembers its last action."""

    def __init__(self, observation_space: Any, value: Any = None, action_space: Any = None) -> None:
        self.observation_space = observation_space
        self.action_space = action_space or spaces.Box(-1, 1, (1,), np.float32)
        self.value = value
        self.taken: Any = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return self.value, {}

    def step(self, action: Any) -> Any:
        self.taken = action
        return self.value, 0.0, False, False, {}


def test_pendulum_gives_vectors_and_takes_unit_actions() -> None:
    env = make_env("Pendulum-v1")
    assert spaces_of(env) == {
        "image_shape": None,
        "vector_size": 3,
        "action_size": 1,
        "max_action": 1.0,
    }
    observation, _ = env.reset(seed=0)
    assert observation.dtype == np.float32
    assert env.observation_space.contains(observation)
    assert isinstance(env, AgentObservations)
    scaled = env.env.action(np.array([0.5], np.float32))
    assert scaled == np.array([1.0], np.float32)
    env.close()


def test_car_racing_gives_an_image_and_the_cars_state() -> None:
    env = make_env("CarRacing-v3")
    first, _ = env.reset(seed=3)
    assert env.observation_space.contains(first)
    assert (first["image"].shape, first["image"].dtype) == ((3, 42, 42), np.uint8)
    assert first["vector"].shape == (7,)
    for _ in range(20):
        after, *_ = env.step(np.array([0.5, 1.0, -1.0], np.float32))
    assert env.observation_space.contains(after)
    assert after["vector"][0] > first["vector"][0]
    assert (after["vector"][5] != 0.0, after["vector"][6] != 0.0) == (True, True)
    assert not np.array_equal(first["image"], after["image"])
    env.close()


def test_car_racing_image_is_the_mean_of_blocks_above_the_panel() -> None:
    env = make_env("CarRacing-v3")
    observation, _ = env.reset(seed=3)
    full = env.unwrapped.state  # type: ignore[attr-defined]
    block = full[20:22, 46:48].astype(int).sum(axis=(0, 1)) // 4
    assert observation["image"][:, 10, 20].tolist() == block.tolist()
    env.close()


@pytest.mark.parametrize(("unit", "expected"), [(-1.0, 2.0), (0.0, 3.0), (1.0, 4.0), (9.0, 4.0)])
def test_actions_are_mapped_to_the_bounds_and_shape_of_the_box(unit: float, expected: float) -> None:
    low = np.full((2, 2), 2.0)
    inner = Fixed(spaces.Box(0, 1, (1,)), np.zeros(1), spaces.Box(low, low + 2.0, dtype=np.float64))
    env = UnitActions(inner)
    assert env.action_space.shape == (4,)
    env.step(np.full(4, unit, np.float32))
    assert (inner.taken.shape, inner.taken.dtype) == ((2, 2), np.float64)
    assert inner.taken.tolist() == np.full((2, 2), expected).tolist()


OBSERVATIONS = {
    "vector of doubles": (spaces.Box(-1, 1, (3,), np.float64), (3,), np.float32),
    "scalar": (spaces.Box(-1, 1, (), np.float32), (1,), np.float32),
    "grey image": (spaces.Box(0, 255, (5, 6), np.uint8), (1, 5, 6), np.uint8),
    "channels last": (spaces.Box(0, 255, (5, 6, 3), np.uint8), (3, 5, 6), np.uint8),
    "channels first": (spaces.Box(0, 255, (3, 5, 6), np.uint8), (3, 5, 6), np.uint8),
    "stacked frames": (spaces.Box(0, 255, (9, 5, 6), np.uint8), (9, 5, 6), np.uint8),
    "float image": (spaces.Box(0, 1, (5, 6, 1), np.float64), (1, 5, 6), np.float32),
}


@pytest.mark.parametrize("case", OBSERVATIONS)
def test_single_observations_become_images_or_vectors(case: str) -> None:
    space, shape, dtype = OBSERVATIONS[case]
    value = np.ones(space.shape, space.dtype)
    env = AgentObservations(Fixed(space, value))
    observation, _ = env.reset(seed=0)
    assert isinstance(observation, np.ndarray)
    assert (observation.shape, observation.dtype) == (shape, dtype)
    assert env.observation_space.contains(observation)
    assert not np.shares_memory(observation, np.asarray(value))


def test_dict_observations_become_one_image_and_one_vector() -> None:
    space = spaces.Dict(
        {
            "goal": spaces.Box(-1, 1, (2,), np.float32),
            "camera": spaces.Box(0, 255, (6, 5, 3), np.uint8),
            "arm": spaces.Box(-1, 1, (3,), np.float64),
        }
    )
    value = {
        "goal": np.array([1, 2], np.float32),
        "camera": np.zeros((6, 5, 3), np.uint8),
        "arm": np.arange(3.0),
    }
    env = AgentObservations(Fixed(space, value))
    observation, _ = env.reset(seed=0)
    assert set(observation) == {"image", "vector"}
    assert observation["image"].shape == (3, 6, 5)
    in_order = np.concatenate([value[name] for name in space.spaces if name != "camera"])
    assert observation["vector"].tolist() == in_order.tolist()
    assert spaces_of(env)["vector_size"] == 5


def test_dict_of_vectors_becomes_one_vector() -> None:
    space = spaces.Dict({"a": spaces.Box(-1, 1, (2,)), "b": spaces.Box(-1, 1, (1,))})
    env = AgentObservations(Fixed(space, {"a": np.zeros(2), "b": np.ones(1)}))
    observation, _ = env.reset(seed=0)
    assert isinstance(observation, np.ndarray)
    assert observation.tolist() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Pendulm-v1", "there is no environment 'Pendulm-v1'; did you mean 'Pendulum-v1'?"),
        ("CarRacing", "there is no environment 'CarRacing'; did you mean 'CarRacing-v3'?"),
        ("@", "there is no environment '@'; gymnasium.pprint_registry() lists the names"),
        ("no_such_module:Thing-v0", "environment 'no_such_module:Thing-v0' cannot be made"),
        (
            "CartPole-v1",
            "environment 'CartPole-v1' has the action space Discrete(2), but TD3 needs continuous",
        ),
    ],
)
def test_unusable_environments_are_refused_in_one_sentence(name: str, message: str) -> None:
    with pytest.raises(EnvError) as raised:
        make_env(name)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


def test_missing_extra_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "gymnasium.envs.box2d.car_racing", raising=False)
    monkeypatch.delitem(sys.modules, "gymnasium.envs.box2d", raising=False)
    monkeypatch.setitem(sys.modules, "Box2D", None)
    with pytest.raises(EnvError, match=r"needs Box2D.*pip install 'td3-verification\[train\]'"):
        make_env("CarRacing-v3")


def test_unbounded_actions_are_refused() -> None:
    env = Fixed(spaces.Box(0, 1, (1,)), action_space=spaces.Box(-np.inf, np.inf, (1,)))
    with pytest.raises(EnvError, match="environment 'Fixed' has an action space without finite bounds"):
        UnitActions(env)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (spaces.Discrete(4), r"has the observation space Discrete\(4\); supported are"),
        (spaces.Dict({"a": spaces.MultiBinary(2)}), "in its entry 'a'"),
        (spaces.Box(0, 1, (2, 3, 4, 5)), "at most three dimensions"),
        (
            spaces.Dict({"a": spaces.Box(0, 1, (2, 3)), "b": spaces.Box(0, 1, (2, 3))}),
            r"observes more than one image \(a, b\)",
        ),
    ],
)
def test_unsupported_observations_are_refused(space: Any, message: str) -> None:
    with pytest.raises(EnvError, match=message):
        AgentObservations(Fixed(space))
