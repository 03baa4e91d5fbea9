# SPDX-License-Identifier: MIT
"""The toy environment is a valid environment, repeats bit for bit, and hides no luck."""

from __future__ import annotations

import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from verification.environments import ToyEnv

ACTIONS = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
UINT8_IMAGE = gym.spaces.Box(0, 255, (1, 8, 8), np.uint8)
FLOAT_IMAGE = gym.spaces.Box(0.0, 1.0, (3, 8, 8), np.float32)
VECTOR = gym.spaces.Box(-np.inf, np.inf, (3,), np.float32)
HALF_BOUNDED = gym.spaces.Box(
    np.array([-np.inf, 5.0, -2.0], np.float32), np.array([-9.0, np.inf, -2.0], np.float32)
)
SPACES = {
    "vector": VECTOR,
    "half_bounded": HALF_BOUNDED,
    "uint8_image": UINT8_IMAGE,
    "float_image": FLOAT_IMAGE,
    "dict": gym.spaces.Dict({"image": UINT8_IMAGE, "vector": VECTOR}),
    "nested": gym.spaces.Dict({"inner": gym.spaces.Dict({"image": FLOAT_IMAGE}), "vector": VECTOR}),
}
by_space = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES.keys())


def leaves(value: object) -> list[bytes]:
    """Every number of an observation or a step as bytes."""
    if isinstance(value, dict):
        return [leaf for key in sorted(value) for leaf in leaves(value[key])]
    if isinstance(value, tuple):
        return [leaf for item in value for leaf in leaves(item)]
    return [np.asarray(value).dtype.str.encode(), np.asarray(value).tobytes()]


def episode(env: ToyEnv, actions: np.random.Generator) -> list[bytes]:
    """The bytes of one whole episode."""
    seen = leaves(env.reset())
    ended = False
    while not ended:
        step = env.step(actions.uniform(-1, 1, 2).astype(np.float32))
        seen += leaves(step)
        ended = step[2] or step[3]
    return seen


@by_space
@pytest.mark.filterwarnings("ignore:.*A Box observation space")  # advice on bounds
def test_follows_the_interface(space: gym.Space) -> None:
    check_env(ToyEnv(space, ACTIONS), skip_render_check=True)


@by_space
def test_restoring_the_generator_before_reset_repeats_the_episode(space: gym.Space) -> None:
    env = ToyEnv(space, ACTIONS)
    env.reset(seed=3)
    before = copy.deepcopy(env.np_random.bit_generator.state)
    first = episode(env, np.random.default_rng(1))
    assert episode(env, np.random.default_rng(1)) != first  # the next episode is another one
    env.np_random.bit_generator.state = before
    assert episode(env, np.random.default_rng(1)) == first


@by_space
def test_a_pickled_environment_goes_on_as_the_original(space: gym.Space) -> None:
    env = ToyEnv(space, ACTIONS)
    env.reset(seed=3)
    env.step(np.zeros(2, np.float32))
    copied = pickle.loads(pickle.dumps(env))
    action = np.array([0.5, -0.25], np.float32)
    assert leaves(env.step(action)) == leaves(copied.step(action))
    assert episode(env, np.random.default_rng(1)) == episode(copied, np.random.default_rng(1))


@by_space
def test_observation_and_reward_depend_on_one_bit_of_an_earlier_action(space: gym.Space) -> None:
    action = np.array([0.5, 0.5], np.float32)
    nearly = np.array([np.nextafter(np.float32(0.5), np.float32(1)), 0.5], np.float32)
    rewards = []
    for first in (action, nearly):
        env = ToyEnv(space, ACTIONS)
        env.reset(seed=0)
        rewards += [env.step(first)[1], env.step(action)[1]]
    assert rewards[0] != rewards[2]
    assert rewards[1] != rewards[3]


@by_space
def test_observations_depend_on_the_actions(space: gym.Space) -> None:
    seen = []
    for action in (np.zeros(2, np.float32), np.ones(2, np.float32)):
        env = ToyEnv(space, ACTIONS)
        env.reset(seed=0)
        seen.append(leaves(env.step(action)[0]))
    assert seen[0] != seen[1]


@by_space
def test_rewards_depend_on_the_generator(space: gym.Space) -> None:
    rewards = set()
    for seed in range(3):
        env = ToyEnv(space, ACTIONS)
        env.reset(seed=seed)
        rewards.add(env.step(np.zeros(2, np.float32))[1])
    assert len(rewards) == 3


def test_episodes_end_in_both_ways_within_their_bounds() -> None:
    env = ToyEnv(VECTOR, ACTIONS, max_steps=4)
    env.reset(seed=0)
    ends = set()
    for _ in range(60):
        env.reset()
        length, terminated, truncated = 0, False, False
        while not (terminated or truncated):
            _, _, terminated, truncated, _ = env.step(np.zeros(2, np.float32))
            length += 1
        ends.add((length, terminated, truncated))
    assert ends == {(length, ended, not ended) for length in (2, 3, 4) for ended in (True, False)}


def test_environments_do_not_share_the_generators_of_their_spaces() -> None:
    one, other = ToyEnv(VECTOR, ACTIONS), ToyEnv(VECTOR, ACTIONS)
    one.action_space.seed(1)
    other.action_space.seed(1)
    one.action_space.sample()
    assert one.action_space.sample().tobytes() != other.action_space.sample().tobytes()
    assert ACTIONS._np_random is None


@pytest.mark.parametrize("space", [HALF_BOUNDED, UINT8_IMAGE, FLOAT_IMAGE], ids=["half", "uint8", "float"])
def test_observations_fill_their_bounds(space: gym.spaces.Box) -> None:
    env = ToyEnv(space, ACTIONS)
    env.reset(seed=0)
    seen = np.stack([env.reset()[0] for _ in range(200)])
    assert seen.dtype == space.dtype
    assert (seen >= space.low).all()
    assert (seen <= space.high).all()
    assert ((seen.max(axis=0) > seen.min(axis=0)) == (space.high > space.low)).all()
    if space is UINT8_IMAGE:
        assert (seen.min(), seen.max()) == (0, 255)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((VECTOR, gym.spaces.Text(3)), TypeError, "action_space must be one of Box, Discrete, MultiDiscrete"),
        ((gym.spaces.Discrete(3), ACTIONS), TypeError, "observation_space must be a Box or a Dict"),
        ((gym.spaces.Dict({"n": gym.spaces.Discrete(3)}), ACTIONS), TypeError, "observation_space must be"),
    ],
)
def test_other_spaces_are_refused(arguments: tuple, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        ToyEnv(*arguments)


def test_episodes_of_one_step_are_refused() -> None:
    with pytest.raises(ValueError, match="max_steps must be at least 2, not 1"):
        ToyEnv(VECTOR, ACTIONS, max_steps=1)
