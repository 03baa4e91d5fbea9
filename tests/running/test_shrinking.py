# SPDX-License-Identifier: MIT
"""Shrinking ends in simple values."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from drawn import SPACES, minimal
from gymnasium import spaces

from verification.strategies import (
    CNN,
    AgentConfig,
    Conv,
    OptimizerSpec,
    ScheduleSpec,
    Treatment,
    agent_configs,
    cnns,
    hidden_layers,
    optimizer_specs,
    schedule_specs,
)
from verification.strategies.optimizers import _OPTIMIZERS, OPTIMIZERS
from verification.strategies.schedules import SCHEDULES


class TestMinimalExamples:
    ADAM = OptimizerSpec("Adam", {"lr": 1e-3})
    SIMPLEST = AgentConfig(
        observation_space=spaces.Box(-1.0, 1.0, (1,), np.float32),
        action_space=spaces.Box(-1.0, 1.0, (1,), np.float32),
        actor_hidden=(4,),
        critic_hidden=(4,),
        actor_cnn=None,
        critic_cnn=None,
        actor_optimizer=ADAM,
        critic_optimizer=ADAM,
        actor_cnn_optimizer=None,
        critic_cnn_optimizer=None,
        policy_freq=1,
    )
    SMALLEST_CNN = CNN((Conv(2, 1),), 4)
    SIMPLEST_IMAGE = dataclasses.replace(
        SIMPLEST,
        observation_space=spaces.Box(0, 255, (1, 6, 6), np.uint8),
        actor_cnn=SMALLEST_CNN,
        critic_cnn=SMALLEST_CNN,
        actor_cnn_optimizer=ADAM,
        critic_cnn_optimizer=ADAM,
    )

    def test_agent(self):
        assert minimal(agent_configs()) == self.SIMPLEST

    def test_agent_of_images(self):
        assert minimal(agent_configs(), lambda c: c.observation_kind == "image") == self.SIMPLEST_IMAGE

    def test_agent_of_dicts(self):
        image, vector = self.SIMPLEST_IMAGE.observation_space, self.SIMPLEST.observation_space
        expected = dataclasses.replace(
            self.SIMPLEST_IMAGE, observation_space=spaces.Dict({"image": image, "vector": vector})
        )
        assert minimal(agent_configs(), lambda c: c.observation_kind == "dict") == expected

    def test_agent_with_different_cnns(self):
        expected = dataclasses.replace(self.SIMPLEST_IMAGE, critic_cnn=CNN((Conv(2, 1),), 5))
        assert minimal(agent_configs(), lambda c: c.actor_cnn != c.critic_cnn) == expected

    def test_agent_with_a_schedule(self):
        expected = dataclasses.replace(
            self.SIMPLEST, schedule=ScheduleSpec("StepLR", {"step_size": 2, "gamma": 0.5})
        )
        assert minimal(agent_configs(), lambda c: c.schedule is not None) == expected

    def test_agent_with_normalisation(self):
        cnn = dataclasses.replace(self.SMALLEST_CNN, normalization="group")
        expected = dataclasses.replace(self.SIMPLEST_IMAGE, actor_cnn=cnn, critic_cnn=cnn)
        found = minimal(agent_configs(), lambda c: c.actor_cnn and c.actor_cnn.normalization == "group")
        assert found == expected

    @pytest.mark.parametrize(
        ("name", "flag", "options"),
        [
            ("Adam", "amsgrad", {"lr": 1e-3, "amsgrad": True}),
            ("AdamW", "maximize", {"lr": 1e-3, "maximize": True}),
            ("SGD", "nesterov", {"lr": 1e-3, "momentum": 0.9, "nesterov": True}),
            ("SGD", "dampening", {"lr": 1e-3, "momentum": 0.9, "dampening": 0.1}),
            ("RMSprop", "centered", {"lr": 1e-2, "centered": True}),
        ],
    )
    def test_optimizer(self, name, flag, options):
        found = minimal(optimizer_specs(optimizers=(name,)), lambda spec: flag in spec.options)
        assert found == OptimizerSpec(name, options)

    @pytest.mark.parametrize(
        ("field", "value", "image"),
        [
            ("shared", "cnn", True),
            ("memory", "sliced", False),
        ],
    )
    def test_agent_with_unusual_parameters(self, field, value, image):
        simplest = self.SIMPLEST_IMAGE if image else self.SIMPLEST
        found = minimal(agent_configs(), lambda c: getattr(c.treatment, field) == value)
        assert found == dataclasses.replace(simplest, treatment=Treatment(**{field: value}))

    def test_agent_with_stacked_frames(self):
        found = minimal(agent_configs(observation_kinds=("image",)), lambda c: c.frame_stack == 2)
        space = spaces.Box(0, 255, (2, 6, 6), np.uint8)
        assert found == dataclasses.replace(self.SIMPLEST_IMAGE, observation_space=space, frame_stack=2)

    @pytest.mark.parametrize(("option", "value"), [("dilation", 2), ("groups", 2), ("pool", "avg")])
    def test_cnn_with_an_unusual_convolution(self, option, value):
        found = minimal(
            cnns(spaces.Box(0, 255, (2, 6, 6), np.uint8)),
            lambda cnn: any(getattr(layer, option) == value for layer in cnn.layers),
        )
        (layer,) = found.layers
        changed = {
            field.name
            for field in dataclasses.fields(Conv)
            if getattr(layer, field.name) != getattr(Conv(2, 1), field.name)
        }
        assert changed <= {option, "kernel_size"}

    @pytest.mark.parametrize("name", OPTIMIZERS)
    def test_optimizer_with_two_groups(self, name):
        found = minimal(optimizer_specs(optimizers=(name,)), lambda spec: spec.groups)
        numbers = _OPTIMIZERS[name].numbers
        assert found.options == {"lr": numbers["lr"][0]}
        assert found.groups == ({key: numbers[key][1] for key in ("lr", "weight_decay") if key in numbers},)

    @pytest.mark.parametrize("name", SCHEDULES)
    def test_every_schedule_is_reached(self, name):
        minimal(schedule_specs(), lambda spec: spec.name == name)

    def test_architectures(self):
        assert minimal(cnns(SPACES["pixels"])) == self.SMALLEST_CNN
        assert minimal(hidden_layers(), lambda widths: len(widths) == 2) == (4, 4)
        assert minimal(schedule_specs()) == ScheduleSpec("StepLR", {"step_size": 2, "gamma": 0.5})
