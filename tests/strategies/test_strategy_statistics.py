# SPDX-License-Identifier: MIT
"""What the strategies reach, and how little of what they draw is thrown away."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verification.strategies import agent_configs, agent_variants, observations, transition_batches
from verification.strategies.optimizers import OPTIMIZERS
from verification.strategies.schedules import SCHEDULES

pytest_plugins = ["pytester"]

# Hypothesis draws families of about six similar examples, so these are some hundred independent ones.
EXAMPLES = 400
FIXED = settings(max_examples=EXAMPLES, derandomize=True, deadline=None)
OFTEN = EXAMPLES // 100


@pytest.fixture(scope="module")
def counts():
    """How often each property of a config was drawn in a fixed run."""
    seen = Counter()

    @given(agent_configs())
    @FIXED
    def collect(config):
        optimizers = {
            spec.name: spec
            for spec in (
                config.actor_optimizer,
                config.critic_optimizer,
                config.actor_cnn_optimizer,
                config.critic_cnn_optimizer,
            )
            if spec is not None
        }
        seen["examples"] += 1
        seen["kind", config.observation_kind] += 1
        seen["policy_freq", config.policy_freq] += 1
        seen["schedule", config.schedule is not None] += 1
        seen["equal optimizers", len(optimizers) == 1] += 1
        seen["target moves far", config.tau >= 0.1] += 1
        seen.update((name, value) for name, value in vars(config.treatment).items())
        seen.update(("groups of parameters", 1 + len(spec.groups)) for spec in optimizers.values())
        seen.update(("optimizer", name) for name in optimizers)
        seen.update(
            (spec.name, flag) for spec in optimizers.values() for flag in spec.options if flag != "lr"
        )
        if config.schedule is not None:
            seen["schedule", config.schedule.name] += 1
        if config.actor_cnn is not None:
            seen["equal CNNs", config.actor_cnn == config.critic_cnn] += 1
            seen["normalization", config.actor_cnn.normalization] += 1
            seen["activation", config.actor_cnn.activation] += 1
            seen["depth", len(config.actor_cnn.layers)] += 1
            seen["frames", config.frame_stack] += 1
            for name in ("dilation", "groups", "pool"):
                seen.update(
                    (name, value) for value in {getattr(one, name) for one in config.actor_cnn.layers}
                )

    collect()
    assert seen["examples"] >= 0.95 * EXAMPLES
    return seen


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("kind", ("vector", "image", "dict")),
        ("policy_freq", (1, 2, 3)),
        ("optimizer", OPTIMIZERS),
        ("groups of parameters", (1, 2)),
        ("normalization", (None, "batch", "layer", "group", "cumulative_batch")),
        ("activation", ("relu", "tanh", "elu", "gelu", "leaky_relu", "silu")),
        ("frames", (1, 2, 4)),
        ("dilation", (1, 2)),
        ("groups", (1, 2)),
        ("pool", (None, "max", "avg")),
        ("shared", (None, "first_layer", "cnn")),
        ("frozen", (False, True)),
        ("unused", (False, True)),
        ("memory", ("contiguous", "channels_last", "transposed", "sliced")),
        ("dtype", ("float32", "float64", "bfloat16")),
        ("depth", (1, 2)),
        ("equal CNNs", (True, False)),
        ("equal optimizers", (True, False)),
        ("schedule", (True, False)),
        ("target moves far", (True, False)),
        ("Adam", ("amsgrad", "maximize", "foreach")),
        ("SGD", ("momentum", "nesterov")),
        ("RMSprop", ("centered",)),
    ],
)
def test_every_kind_of_agent_is_drawn_often(counts, name, values):
    rare = {value: counts[name, value] for value in values if counts[name, value] < OFTEN}
    assert not rare


def test_most_schedules_are_drawn(counts):
    assert sum(counts["schedule", name] > 0 for name in SCHEDULES) >= len(SCHEDULES) - 2


def test_fewer_than_one_draw_in_twenty_is_discarded():
    begun = ended = 0

    @st.composite
    def whole(draw):
        """Everything that an example needs; a discarded draw leaves this function by an exception."""
        nonlocal begun, ended
        begun += 1
        config = draw(agent_configs())
        draw(agent_variants(config))
        draw(observations(config.observation_space))
        batches = transition_batches(config.observation_space, config.action_space)
        for _ in range(4):
            draw(batches)
        ended += 1

    @given(whole())
    @settings(FIXED, max_examples=200)
    def draw_all(_):
        pass

    draw_all()
    assert ended >= 150
    assert begun - ended < 0.05 * begun


def test_statistics_show_what_was_drawn(pytester):
    pytester.makepyfile(
        """
        from hypothesis import given, settings
        from verification.strategies import agent_configs

        @given(agent_configs())
        @settings(max_examples=100, derandomize=True, deadline=None)
        def test_nothing(config):
            pass
        """
    )
    shown = pytester.runpytest_inprocess("--hypothesis-show-statistics", "-p", "no:xdist").stdout.str()
    assert re.search(r"\b100 passing", shown)
    assert re.search(r"\b[0-4] invalid", shown)
    events = ("observation kind: dict", "optimizer: SGD", "policy_freq: 3", "normalization: group")
    for event in (*events, "CNNs: equal", "CNNs: different", "schedule: None"):
        assert re.search(rf"\d%, {event}\b", shown), event
