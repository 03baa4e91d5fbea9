# SPDX-License-Identifier: MIT
"""Bounds are checked, schedules drive optimizers, and what the package exports is there."""

from __future__ import annotations

import inspect
import io
import pickle
import pkgutil
import re
import subprocess
import sys

import pytest
import torch
from drawn import SPACES, minimal, optimizer_of, step
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from verification import strategies
from verification.strategies import (
    OptimizerSpec,
    ScheduleSpec,
    action_spaces,
    agent_configs,
    agent_variants,
    build_schedule,
    cnns,
    hidden_layers,
    lay_out,
    observation_spaces,
    optimizer_specs,
    schedule_specs,
    transition_batches,
)
from verification.strategies.optimizers import _OPTIMIZERS, OPTIMIZERS
from verification.strategies.schedules import SCHEDULES, fitting_schedule


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
