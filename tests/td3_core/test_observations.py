# SPDX-License-Identifier: MIT
"""Drawn observations, actions and batches lie in their spaces and on their boundaries."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from drawn import FEW, SPACES, minimal
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from verification.strategies import (
    action_spaces,
    observation_spaces,
    observations,
    transition_batches,
)


class TestObservations:
    @pytest.mark.parametrize("space", SPACES.values(), ids=SPACES.keys())
    @given(data=st.data())
    @settings(max_examples=40, deadline=None)
    def test_lie_in_their_space(self, space, data):
        observation = data.draw(observations(space))
        assert isinstance(observation, np.ndarray)
        assert observation.dtype == space.dtype
        assert observation.flags.writeable
        assert space.contains(observation)
        assert np.isfinite(observation).all()
        assert np.abs(observation.astype(float)).max() <= 255

    @given(st.data())
    @FEW
    def test_dicts_keep_the_order_of_their_space(self, data):
        space = data.draw(observation_spaces(observation_kinds=("dict",)))
        observation = data.draw(observations(space))
        assert list(observation) == list(space.spaces)
        assert space.contains(observation)

    @pytest.mark.parametrize(
        ("space", "value"),
        [
            ("bounded", -2.0),
            ("bounded", 3.0),
            ("bounded", 0.0),
            ("bounded", np.finfo(np.float32).smallest_subnormal),
            ("bounded", -np.finfo(np.float32).smallest_subnormal),
            ("pixels", 0),
            ("pixels", 255),
            ("float pixels", 1.0),
            ("integers", 9),
        ],
    )
    def test_reach_the_edge_values(self, space, value):
        assert value in minimal(observations(SPACES[space]), lambda array: value in array)

    @pytest.mark.parametrize("space", ["bounded", "float pixels", "scalar"])
    def test_reach_negative_zero(self, space):
        minimal(observations(SPACES[space]), lambda array: (np.signbit(array) & (array == 0)).any())

    def test_bounds_may_differ_by_element(self):
        space = spaces.Box(np.array([0.0, 10.0], np.float32), np.array([1.0, 11.0], np.float32))
        assert minimal(observations(space), lambda array: array[1] == 11.0)[1] == 11.0
        assert minimal(observations(space), lambda array: array[0] == 1.0)[0] == 1.0

    def test_shrink_to_one_edge_value_in_the_simplest_noise(self):
        space, expected = SPACES["bounded"], [False, False, True, False]
        simplest = minimal(observations(space))
        assert simplest.tolist() == (5 * np.random.default_rng(0).random(4) - 2).astype(np.float32).tolist()

        def only_third_on_edge(array):
            return ((array == 3) | (array == -2) | (abs(array) < 1e-6)).tolist() == expected

        shrunk = minimal(observations(space), only_third_on_edge)
        assert (shrunk != simplest).tolist() == expected

    @pytest.mark.parametrize(
        "space", [spaces.Discrete(3), spaces.Dict({"a": spaces.MultiBinary(2)}), spaces.Box(0, 1, (2,), bool)]
    )
    def test_refuse_other_spaces(self, space):
        with pytest.raises(ValueError, match=r"cannot draw values of .*must be"):
            observations(space)


class TestTransitionBatches:
    @given(st.data())
    @FEW
    def test_lie_in_their_spaces(self, data):
        observation_space, action_space = data.draw(observation_spaces()), data.draw(action_spaces())
        batch = data.draw(transition_batches(observation_space, action_space))
        size = len(batch.action)
        assert 2 <= size <= 6
        for row in range(size):
            for observed in (batch.observation, batch.next_observation):
                is_dict = isinstance(observed, dict)
                one = {key: part[row] for key, part in observed.items()} if is_dict else observed[row]
                assert observation_space.contains(one)
            assert action_space.contains(batch.action[row])
        assert batch.reward.shape == batch.terminated.shape == (size, 1)
        assert batch.reward.dtype == batch.terminated.dtype == np.float32
        assert np.isfinite(batch.reward).all()
        assert np.abs(batch.reward).max() <= 1000
        assert np.isin(batch.terminated, (0, 1)).all()
        assert pickle.dumps(pickle.loads(pickle.dumps(batch))) == pickle.dumps(batch)

    @given(transition_batches(SPACES["pixels"], SPACES["bounded"], batch_sizes=(3,)))
    @FEW
    def test_images_tell_transitions_apart(self, batch):
        images = [*batch.observation, *batch.next_observation]
        assert len(images) == 6
        assert len({image.tobytes() for image in images}) == 6

    @pytest.mark.parametrize(
        "condition",
        [
            lambda batch: (batch.reward == 1000).any(),
            lambda batch: (np.signbit(batch.reward) & (batch.reward == 0)).any(),
            lambda batch: (batch.reward == -1).any(),
            lambda batch: batch.terminated.all(),
            lambda batch: not batch.terminated.any(),
            lambda batch: (batch.action == 3.0).any(),
            lambda batch: (batch.action == -2.0).any(),
            lambda batch: len(batch.action) == 6,
        ],
        ids=["large", "-0.0", "-1", "all end", "none ends", "highest action", "lowest action", "longest"],
    )
    def test_reach_what_hides_bugs(self, condition):
        minimal(transition_batches(SPACES["half"], SPACES["bounded"]), condition)

    def test_simplest_has_no_edge_values(self):
        batch = minimal(transition_batches(SPACES["bounded"], SPACES["bounded"]))
        assert len(batch.reward) == 2
        assert batch.terminated[0] == 0
        assert not np.isin(batch.observation, (-2, 3, 0)).any()
        assert not np.isin(batch.reward, (-1000, -1, 0, 1, 1000)).any()
