# SPDX-License-Identifier: MIT
"""Drawn agents are valid and buildable, and their variants differ in everything that may."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest
import torch
from drawn import FEW, minimal, optimizer_of, step
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from verification.strategies import (
    OptimizerSpec,
    agent_configs,
    agent_variants,
    build_schedule,
)

NUMBERS = ("discount", "tau", "policy_noise", "noise_clip", "policy_freq", "exploration_noise")
OPTIMIZER_FIELDS = ("actor_optimizer", "critic_optimizer", "actor_cnn_optimizer", "critic_cnn_optimizer")


def image_shape(config):
    space = config.observation_space
    return (space["image"] if config.observation_kind == "dict" else space).shape


def convolutions(cnn, shape):
    """The output of every convolution, and pooling behind it, for one image of ``shape``."""
    image, outputs = torch.zeros(2, *shape), []
    pools = {None: torch.nn.Identity(), "max": torch.nn.MaxPool2d(2), "avg": torch.nn.AvgPool2d(2)}
    for layer in cnn.layers:
        sizes = (layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.groups)
        conv = torch.nn.Conv2d(image.shape[1], layer.out_channels, *sizes)
        image = pools[layer.pool](conv(image))
        outputs.append(image)
    return outputs


def normalization(cnn, output):
    channels = output.shape[1]
    return {
        None: torch.nn.Identity,
        "batch": lambda: torch.nn.BatchNorm2d(channels),
        "cumulative_batch": lambda: torch.nn.BatchNorm2d(channels, momentum=None),
        "layer": lambda: torch.nn.LayerNorm(output.shape[1:]),
        "group": lambda: torch.nn.GroupNorm(2, channels),
    }[cnn.normalization]()


def optimizers_of(config):
    return [getattr(config, name) for name in OPTIMIZER_FIELDS if getattr(config, name) is not None]


class TestAgentConfigs:
    @given(agent_configs())
    @FEW
    def test_networks_fit_their_images(self, config):
        has_image = config.observation_kind != "vector"
        for name in ("actor_cnn", "critic_cnn", "actor_cnn_optimizer", "critic_cnn_optimizer"):
            assert (getattr(config, name) is not None) == has_image
        for cnn in filter(None, (config.actor_cnn, config.critic_cnn)):
            for output in convolutions(cnn, image_shape(config)):
                assert min(output.shape[2:]) >= 2
                assert normalization(cnn, output)(output).shape == output.shape

    @given(agent_configs())
    @FEW
    def test_optimizers_and_schedules_build_and_step(self, config):
        for spec in optimizers_of(config):
            optimizer = optimizer_of(spec)
            before = optimizer.param_groups[0]["params"][0].detach().clone()
            step(optimizer)
            assert not torch.equal(before, optimizer.param_groups[0]["params"][0])
            if config.schedule is not None:
                optimizer = optimizer_of(spec)
                scheduler = build_schedule(config.schedule, optimizer)
                metric = [1.0] if config.schedule.name == "ReduceLROnPlateau" else []
                rates = []
                for _ in range(8):
                    rates.append(optimizer.param_groups[0]["lr"])
                    step(optimizer)
                    scheduler.step(*metric)
                assert len(set(rates)) > 1

    @given(agent_configs())
    @FEW
    def test_are_plain_data(self, config):
        assert pickle.loads(pickle.dumps(config)) == config
        assert copy.deepcopy(config) == config

    @given(agent_configs())
    @FEW
    def test_actions_are_symmetric(self, config):
        assert config.action_space.dtype == np.float32
        assert len(set(config.action_space.high)) == 1
        assert (config.action_space.low == -config.action_space.high).all()

    @given(st.data())
    @FEW
    def test_bounds_are_kept(self, data):
        config = data.draw(
            agent_configs(
                observation_kinds=("image",),
                image_sizes=(8,),
                image_channels=(3,),
                image_dtypes=("float32",),
                frame_stacks=(1,),
                action_sizes=(2,),
                max_actions=(3.0,),
                hidden_depths=(3,),
                hidden_sizes=(5,),
                conv_depths=(1,),
                conv_channels=(4,),
                features=(7,),
                activations=("tanh",),
                normalizations=("group",),
                equal_cnns=(True,),
                optimizers=("SGD",),
                equal_optimizers=(True,),
                schedules=("StepLR",),
                policy_freqs=(5,),
            )
        )
        assert config.observation_space == spaces.Box(0.0, 1.0, (3, 8, 8), np.float32)
        assert config.action_space == spaces.Box(-3.0, 3.0, (2,), np.float32)
        assert config.actor_hidden == config.critic_hidden == (5, 5, 5)
        assert config.actor_cnn == config.critic_cnn
        assert [layer.out_channels for layer in config.actor_cnn.layers] == [4]
        cnn = config.actor_cnn
        assert (cnn.features, cnn.activation, cnn.normalization) == (7, "tanh", "group")
        assert all(spec == config.actor_optimizer for spec in optimizers_of(config))
        assert config.actor_optimizer.name == "SGD"
        assert config.schedule.name == "StepLR"
        assert config.policy_freq == 5

    @given(
        agent_configs(
            observation_kinds=("image", "dict"),
            equal_cnns=(False,),
            shared_cnns=(None,),
            schedules=(None,),
        )
    )
    @FEW
    def test_unequal_cnns_differ(self, config):
        assert config.actor_cnn != config.critic_cnn
        assert config.schedule is None

    @given(agent_configs(observation_kinds=("image",), image_sizes=(36, 84)))
    @FEW
    def test_large_images_leave_small_features(self, config):
        for cnn in (config.actor_cnn, config.critic_cnn):
            for output in convolutions(cnn, image_shape(config)):
                assert min(output.shape[2:]) <= 14

    @FEW
    @given(agent_configs(observation_kinds=("image",), normalizations=("layer", "group")))
    def test_layouts_of_which_torch_crashes_are_not_drawn(self, config):
        grouped = "group" in (config.actor_cnn.normalization, config.critic_cnn.normalization)
        assert not (grouped and config.treatment.memory == "channels_last")


class TestAgentVariants:
    @given(st.data())
    @FEW
    def test_every_hyper_parameter_differs_and_nothing_else(self, data):
        config = data.draw(agent_configs())
        variant = data.draw(agent_variants(config))
        for name in NUMBERS:
            assert getattr(variant, name) != getattr(config, name)
        same = {"schedule": config.schedule} | {
            name: getattr(config, name) for name in (*NUMBERS, *OPTIMIZER_FIELDS)
        }
        assert dataclasses.replace(variant, **same) == config
        if config.schedule is None:
            assert variant.schedule is None
        else:
            assert variant.schedule.name == config.schedule.name
            assert variant.schedule.options.keys() == config.schedule.options.keys()
            for name, value in config.schedule.options.items():
                assert isinstance(value, bool) or variant.schedule.options[name] != value

    @given(st.data())
    @FEW
    def test_optimizers_differ_in_every_number_and_keep_their_layout(self, data):
        config = data.draw(agent_configs())
        variant = data.draw(agent_variants(config))
        for spec, other in zip(optimizers_of(config), optimizers_of(variant), strict=True):
            assert other.name == spec.name
            optimizer, another = optimizer_of(spec), optimizer_of(other)
            step(optimizer)
            step(another)
            layouts = [o.state_dict()["state"].get(0, {}) for o in (optimizer, another)]
            assert layouts[0].keys() == layouts[1].keys()
            groups = zip(optimizer.param_groups, another.param_groups, strict=True)
            for group, new_group in groups:
                for name in group.keys() - {"params"}:
                    self.assert_differs(name, group, new_group)

    def assert_differs(self, name, group, new_group):
        value = group[name]
        number = isinstance(value, (int, float, tuple)) and not isinstance(value, bool)
        idle = name in ("momentum", "dampening") and not value and new_group[name] == value
        dampens = group.get("momentum") and not group.get("nesterov")
        if idle:
            assert name == "momentum" or not dampens
        elif number:
            assert new_group[name] != value, name
        else:
            assert new_group[name] == value, name

    @given(st.data())
    @FEW
    def test_equal_optimizers_stay_equal(self, data):
        config = data.draw(agent_configs(equal_optimizers=(True,)))
        variant = data.draw(agent_variants(config))
        assert all(spec == variant.actor_optimizer for spec in optimizers_of(variant))

    @given(st.data())
    @FEW
    def test_varies_only_what_is_asked_for(self, data):
        config = data.draw(agent_configs())
        variant = data.draw(agent_variants(config, hyper_parameters=("tau",)))
        assert variant.tau != config.tau
        assert dataclasses.replace(variant, tau=config.tau) == config

    def test_needs_another_policy_freq(self):
        config = minimal(agent_configs(policy_freqs=(2,)))
        with pytest.raises(ValueError, match=r"policy_freqs is \(2,\); .* other than the config's"):
            agent_variants(config, policy_freqs=(2,))

    def test_refuses_an_optimizer_whose_numbers_it_does_not_know(self):
        config = dataclasses.replace(minimal(agent_configs()), actor_optimizer=OptimizerSpec("LBFGS"))
        with pytest.raises(ValueError, match="'LBFGS', which is not one of 'Adam'"):
            agent_variants(config)
        agent_variants(config, hyper_parameters=("discount",))
