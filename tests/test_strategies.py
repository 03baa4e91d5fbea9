# SPDX-License-Identifier: MIT
"""Drawn agents are valid and buildable, arrays lie in their spaces, and shrinking ends in simple values."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import io
import pickle
import pkgutil
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from verification import strategies
from verification.strategies import (
    CNN,
    AgentConfig,
    Conv,
    OptimizerSpec,
    ScheduleSpec,
    Treatment,
    action_spaces,
    agent_configs,
    agent_variants,
    build_optimizer,
    build_schedule,
    cnns,
    hidden_layers,
    lay_out,
    observation_spaces,
    observations,
    optimizer_specs,
    schedule_specs,
    transition_batches,
)
from verification.strategies.optimizers import _OPTIMIZERS, OPTIMIZERS
from verification.strategies.schedules import SCHEDULES, fitting_schedule

torch.set_num_threads(1)

NUMBERS = ("discount", "tau", "policy_noise", "noise_clip", "policy_freq", "exploration_noise")
OPTIMIZER_FIELDS = ("actor_optimizer", "critic_optimizer", "actor_cnn_optimizer", "critic_cnn_optimizer")
# Without the explain phase, whose random examples `find` would return where every example satisfies.
MINIMAL = settings(phases=[Phase.generate, Phase.shrink], database=None, max_examples=2000, deadline=None)
FEW = settings(max_examples=60, deadline=None)


def minimal(strategy, condition=lambda _: True):
    return find(strategy, condition, settings=MINIMAL)


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


def optimizer_of(spec):
    return build_optimizer(spec, [torch.nn.Parameter(torch.ones(3)) for _ in range(3)])


def step(optimizer):
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.ones_like(parameter)
    optimizer.step()


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


SPACES = {
    "bounded": spaces.Box(-2.0, 3.0, (4,), np.float32),
    "unbounded": spaces.Box(-np.inf, np.inf, (4,), np.float32),
    "half": spaces.Box(np.array([5.0, -np.inf], np.float32), np.array([np.inf, -5.0], np.float32)),
    "huge": spaces.Box(-3.4e38, 3.4e38, (2,), np.float32),
    "double": spaces.Box(-1.0, 1.0, (2, 2), np.float64),
    "scalar": spaces.Box(-1.0, 1.0, (), np.float32),
    "pixels": spaces.Box(0, 255, (3, 6, 7), np.uint8),
    "float pixels": spaces.Box(0.0, 1.0, (1, 6, 6), np.float32),
    "integers": spaces.Box(-5, 9, (2,), np.int64),
    "integer": spaces.Box(-5, 9, (), np.int64),
}


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


@pytest.mark.parametrize(
    ("make", "bounds", "error", "message"),
    [
        (agent_configs, {"optimizers": "Adam"}, TypeError, r"optimizers is 'Adam'; .* \('Adam',\)"),
        (agent_configs, {"image_sizes": 8}, TypeError, r"image_sizes is 8; .* \(8,\)"),
        (agent_configs, {"optimizers": ("LBFGS",)}, ValueError, "'LBFGS', which is not one of 'Adam'"),
        (agent_configs, {"observation_kinds": ("text",)}, ValueError, "observation_kinds has 'text'"),
        (agent_configs, {"normalizations": ("weight",)}, ValueError, "normalizations has 'weight'"),
        (agent_configs, {"schedules": ("NoamLR",)}, ValueError, "schedules has 'NoamLR'"),
        (agent_configs, {"shared_cnns": ("critic",)}, ValueError, "shared_cnns has 'critic'"),
        (agent_configs, {"memories": "sliced"}, TypeError, "memories is 'sliced'"),
        (agent_configs, {"dtypes": ("float16",)}, ValueError, "dtypes has 'float16'"),
        (agent_configs, {"frame_stacks": (0,)}, ValueError, "frame_stacks has 0"),
        (agent_configs, {"poolings": ("min",)}, ValueError, "poolings has 'min'"),
        (agent_configs, {"conv_groups": (0,)}, ValueError, "conv_groups has 0"),
        (optimizer_specs, {"optimizer_groups": (3,)}, ValueError, "optimizer_groups has 3"),
        (agent_configs, {"schedules": ()}, ValueError, "schedules is empty"),
        (agent_configs, {"image_sizes": (1,)}, ValueError, "image_sizes has 1; .* at least 2"),
        (agent_configs, {"features": (2.5,)}, ValueError, "features has 2.5; .* integers"),
        (agent_configs, {"conv_channels": (3,)}, ValueError, r"conv_channels is \(3,\); .* even"),
        (agent_configs, {"policy_freqs": (0,)}, ValueError, "policy_freqs has 0; .* at least 1"),
        (action_spaces, {"max_actions": (0.0,)}, ValueError, "max_actions is .* positive"),
        (observation_spaces, {"image_dtypes": ("int8",)}, ValueError, "image_dtypes has 'int8'"),
        (hidden_layers, {"hidden_sizes": (0,)}, ValueError, "hidden_sizes has 0"),
        (optimizer_specs, {"optimizers": ()}, ValueError, "optimizers is empty"),
        (schedule_specs, {"schedules": (None,)}, ValueError, "schedules has None"),
    ],
)
def test_bounds_are_checked_before_anything_is_drawn(make, bounds, error, message):
    with pytest.raises(error, match=message):
        make(**bounds)


def test_other_arguments_are_checked_before_anything_is_drawn():
    with pytest.raises(ValueError, match=r"image_space has shape \(4,\)"):
        cnns(SPACES["bounded"])
    with pytest.raises(ValueError, match="batch_sizes has 0"):
        transition_batches(SPACES["pixels"], SPACES["bounded"], batch_sizes=(0,))


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_drives_every_optimizer_and_pickles_as_plain_data(name):
    drawn = minimal(schedule_specs(schedules=(name,)))
    cycling = ScheduleSpec(name, {key: value is False or value for key, value in drawn.options.items()})
    for optimizer in OPTIMIZERS:
        spec = OptimizerSpec(optimizer, {"lr": 1e-3}, ({"lr": 1e-2},))
        built = optimizer_of(spec)
        schedule = build_schedule(fitting_schedule(cycling, [spec]), built)
        for _ in range(3):
            step(built)
            schedule.step(*[1.0] if name == "ReduceLROnPlateau" else [])
        file = io.BytesIO()
        torch.save([built.state_dict(), schedule.state_dict()], file)
        file.seek(0)
        torch.load(file, weights_only=True)


def test_a_schedule_does_not_share_what_its_spec_holds():
    spec = minimal(schedule_specs(schedules=("LambdaLR",)))
    schedule = build_schedule(spec, optimizer_of(OptimizerSpec("SGD", {"lr": 1.0})))
    schedule.load_state_dict({**schedule.state_dict(), "lr_lambdas": [{"low": 0.125, "period": 7}] * 1})
    assert schedule.lr_lambdas[0].low == 0.125
    assert spec == minimal(schedule_specs(schedules=("LambdaLR",)))


@pytest.mark.parametrize("memory", ["channels_last", "transposed", "sliced"])
def test_weights_are_laid_out_and_stay_what_they_are(memory):
    network = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.Flatten(), torch.nn.Linear(12, 5))
    before = {name: (parameter, parameter.detach().clone()) for name, parameter in network.named_parameters()}
    lay_out(network, memory)
    changed = "0.weight" if memory == "channels_last" else "2.weight"
    for name, parameter in network.named_parameters():
        assert parameter is before[name][0]
        assert torch.equal(parameter, before[name][1])
        assert parameter.is_contiguous() == (name != changed)


@pytest.mark.parametrize("name", _OPTIMIZERS)
def test_what_a_spec_leaves_out_is_torchs_default(name):
    signature = inspect.signature(getattr(torch.optim, name)).parameters
    for option, values in _OPTIMIZERS[name].numbers.items():
        assert signature[option].default == values[0]
    for flag in _OPTIMIZERS[name].flags:
        assert not signature[flag].default


def test_a_failure_reports_data_that_can_be_pasted():
    @given(agent_configs(), st.data())
    @settings(database=None, deadline=None, max_examples=300, derandomize=True, phases=[Phase.generate])
    def fail(config, data):
        variant = data.draw(agent_variants(config))
        assert not (config.observation_kind == "dict" and variant.schedule)

    with pytest.raises(AssertionError) as caught:
        fail()
    report = "".join(caught.value.__notes__)
    assert "OptimizerSpec(" in report
    assert "action_space=Box(" in report
    assert "actor_hidden=(" in report
    assert not re.search(r"\b_\w+\(|lambda", report)


def test_draws_are_reproducible():
    def draws():
        drawn = []

        @given(agent_configs().flatmap(lambda c: transition_batches(c.observation_space, c.action_space)))
        @settings(max_examples=30, derandomize=True, deadline=None)
        def collect(batch):
            drawn.append(pickle.dumps(batch))

        collect()
        return drawn

    assert draws() == draws()


def test_no_module_is_named_like_an_export():
    modules = {module.name for module in pkgutil.iter_modules(strategies.__path__)}
    assert not modules & set(strategies.__all__)


def test_exports_are_loaded_on_first_use():
    code = (
        "import sys, verification.strategies as s\n"
        "heavy = {'torch', 'gymnasium', 'hypothesis', 'numpy'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
        "assert set(s.__all__) <= set(dir(s))\n"
        "assert all(getattr(s, name) for name in s.__all__)\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'agent_config'"):
        strategies.agent_config  # noqa: B018
