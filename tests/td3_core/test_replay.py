# SPDX-License-Identifier: MIT
"""The replay buffer stores, wraps around, samples, and comes back exactly."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from td3_agents import OBSERVATIONS, observation

from td3_core import CheckpointError, ReplayBuffer, TD3Config

if TYPE_CHECKING:
    from collections.abc import Callable


def filled(config: TD3Config, capacity: int, count: int) -> ReplayBuffer:
    """A buffer to which ``count`` transitions were added; the number of each is its reward."""
    buffer = ReplayBuffer(config, capacity)
    for number in range(count):
        action = np.full(config.action_size, number, np.float32)
        buffer.add(
            observation(config, number), action, observation(config, number + 1), number, number % 3 == 0
        )
    return buffer


def contents(buffer: ReplayBuffer) -> tuple[Any, ...]:
    """Everything in a buffer, unfilled rows included, comparable with ``==``."""
    arrays = {key: (array.dtype.str, array.shape, array.tobytes()) for key, array in buffer._arrays.items()}
    return buffer.capacity, buffer.position, buffer.full, arrays


def rewards(buffer: ReplayBuffer) -> list[float]:
    return [float(value) for value in buffer.state_dict()["arrays"]["reward"]]


@pytest.mark.parametrize("kind", OBSERVATIONS)
def test_samples_are_whole_transitions(kind: str) -> None:
    config = TD3Config.tiny(kind)
    batch = filled(config, 8, 6).sample(32, torch.Generator().manual_seed(0))
    for row in range(32):
        number = int(batch.reward[row])
        parts, next_parts = observation(config, number), observation(config, number + 1)
        for sampled, stored in ((batch.observation, parts), (batch.next_observation, next_parts)):
            for key, value in stored.items() if kind == "dict" else [(None, stored)]:
                drawn = sampled[row] if key is None else sampled[key][row]
                assert drawn.numpy().tobytes() == value.tobytes()
        assert batch.action[row].tolist() == [number, number]
        assert batch.not_done[row].item() == (number % 3 != 0)
    assert batch.reward.shape == batch.not_done.shape == (32, 1)
    assert set(batch.reward.flatten().tolist()) == set(range(6))


@pytest.mark.parametrize(
    ("count", "kept"),
    [(0, []), (3, [0, 1, 2]), (4, [0, 1, 2, 3]), (5, [4, 1, 2, 3]), (9, [8, 5, 6, 7])],
)
def test_the_oldest_is_replaced(count: int, kept: list[int]) -> None:
    buffer = filled(TD3Config.tiny("vector"), 4, count)
    assert rewards(buffer) == kept
    assert len(buffer) == len(kept)
    assert buffer.full == (count >= 4)


def test_images_are_stored_as_bytes() -> None:
    buffer = ReplayBuffer(TD3Config.tiny("dict"), 4)
    assert buffer._arrays["observation_image"].dtype == np.uint8
    assert (
        ReplayBuffer(TD3Config.tiny(image_dtype="float32"), 4)._arrays["observation_image"].dtype
        == np.float32
    )


def test_samples_share_no_memory_with_the_buffer() -> None:
    buffer = filled(TD3Config.tiny("dict"), 4, 4)
    before = contents(buffer)
    batch = buffer.sample(4, torch.Generator())
    batch.reward.zero_()
    batch.observation["image"].zero_()
    assert contents(buffer) == before


def test_sampling_draws_from_the_given_generator_only() -> None:
    buffer, state = filled(TD3Config.tiny("vector"), 8, 8), torch.get_rng_state()
    first = buffer.sample(16, torch.Generator().manual_seed(1))
    again = buffer.sample(16, torch.Generator().manual_seed(1))
    other = buffer.sample(16, torch.Generator().manual_seed(2))
    assert torch.equal(first.reward, again.reward)
    assert not torch.equal(first.reward, other.reward)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("count", [0, 3, 4, 5, 9])
@pytest.mark.parametrize("kind", OBSERVATIONS)
def test_state_survives_a_round_trip_and_goes_on_the_same(kind: str, count: int) -> None:
    config = TD3Config.tiny(kind)
    buffer, receiver = filled(config, 4, count), filled(config, 4, 7)
    state = buffer.state_dict()
    assert len(state["arrays"]["reward"]) == min(count, 4)
    receiver.load_state_dict(state)
    assert contents(receiver) == contents(buffer)
    for each in (buffer, receiver):
        each.add(observation(config, 77), np.zeros(2), observation(config, 78), 77.0, terminated=True)
    assert contents(receiver) == contents(buffer)


def test_state_is_a_snapshot_and_loading_shares_nothing() -> None:
    config = TD3Config.tiny("dict")
    buffer = filled(config, 4, 4)
    state, receiver = buffer.state_dict(), ReplayBuffer(config, 4)
    reference = copy.deepcopy(state)
    buffer.add(observation(config, 9), np.zeros(2), observation(config, 9), 9.0, terminated=False)
    assert all(torch.equal(state["arrays"][key], reference["arrays"][key]) for key in reference["arrays"])
    receiver.load_state_dict(state)
    before = contents(receiver)
    for value in state["arrays"].values():
        value.fill_(3)
    assert contents(receiver) == before


def _drop(state: dict[str, Any]) -> None:
    del state["arrays"]["reward"]
    state["arrays"]["rewards"] = torch.zeros(3, 1)
    state["arrays"]["action"] = state["arrays"]["action"].double()


@pytest.mark.parametrize(
    ("damage", "messages"),
    [
        (lambda state: state.update(capacity=5), ["capacity is 5 in the checkpoint and 4 here"]),
        (lambda state: state.update(position=4), ["position is 4"]),
        (lambda state: state.update(position=-1), ["position is -1"]),
        (lambda state: state.update(position=2), ["action is", "not_done is", "next_observation_image is"]),
        (lambda state: state.update(full=1), ["must hold"]),
        (lambda state: state.pop("full"), ["must hold"]),
        (lambda state: state.update(extra=1), ["must hold"]),
        (_drop, ["reward is missing", "rewards is unexpected", "action is (3, 2) torch.float64"]),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(
    damage: Callable[[dict[str, Any]], Any], messages: list[str]
) -> None:
    config = TD3Config.tiny("dict")
    state, receiver = filled(config, 4, 3).state_dict(), filled(config, 4, 6)
    before = contents(receiver)
    damage(state)
    with pytest.raises(CheckpointError) as error:
        receiver.load_state_dict(state)
    assert all(message in str(error.value) for message in messages)
    assert contents(receiver) == before


def test_a_state_of_another_kind_of_observation_is_refused() -> None:
    state = filled(TD3Config.tiny("dict"), 4, 3).state_dict()
    with pytest.raises(CheckpointError, match="observation_image is unexpected"):
        ReplayBuffer(TD3Config.tiny("vector"), 4).load_state_dict(state)


def test_what_does_not_fit_is_not_added() -> None:
    config = TD3Config.tiny("dict")
    buffer, good, action = ReplayBuffer(config, 4), observation(config, 0), np.zeros(2)
    wrong: list[tuple[Any, Any, str]] = [
        ({"image": good["image"]}, action, r"keys \['image', 'vector'\], not \['image'\]"),
        (good["vector"], action, "must be a mapping"),
        ({**good, "image": good["image"] / 255}, action, "observed image must have .* uint8, not .* float"),
        ({**good, "vector": np.zeros(4)}, action, r"observed vector must have shape \(5,\)"),
        (good, np.zeros(3), r"action must have shape \(2,\), not \(3,\)"),
    ]
    for observed, taken, message in wrong:
        with pytest.raises(ValueError, match=message):
            buffer.add(good, taken, observed, 0.0, terminated=False)
    assert contents(buffer) == contents(ReplayBuffer(config, 4))


def test_misuse_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity = 0 is not allowed"):
        ReplayBuffer(TD3Config.tiny(), 0)
    with pytest.raises(ValueError, match="replay buffer is empty"):
        ReplayBuffer(TD3Config.tiny(), 4).sample(2, torch.Generator())
