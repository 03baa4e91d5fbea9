# SPDX-License-Identifier: MIT
"""Adapters of libraries that few have installed: exact configurations are cleared, and losses are named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from verification import Report, check_agent
from verification.adapters.find import load_adapter

if TYPE_CHECKING:
    from collections.abc import Callable

QUICK = {"level": "training", "examples": 2, "seed": 1, "shrink": False}


def check(name: str, library: str, narrow: Callable[[Any], Any] = lambda config: config) -> Report:
    """Check an adapter whose configs are narrowed to what is looked at."""
    pytest.importorskip(library)
    adapter: Any = load_adapter(name)
    drawn = adapter.configs()
    adapter.configs = lambda: drawn.map(narrow)
    return check_agent(adapter, **QUICK)


def with_options(**options: Any) -> Callable[[Any], Any]:
    """An skrl config with some of its options fixed."""

    def narrow(config: Any) -> Any:
        return type(config)(config.hidden, {**config.options, **options})

    return narrow


def lost(report: Report) -> set[str]:
    return {loss.path for loss in report.lost}


def test_a_plain_loop_resumes_exactly() -> None:
    report = check_agent(load_adapter("torch_loop"), level="resume", examples=2, seed=1, shrink=False)
    assert report.ok, report.summary()
    report.require(20)


EXACT = [
    ("lightning_fabric", "lightning", None),
    ("torchrl", "torchrl", None),
    ("d3rlpy_sac", "d3rlpy", None),
    ("rsl_rl", "rsl_rl", lambda config: {**config, "rnd": None}),
    ("agilerl", "agilerl", lambda config: {**config, "share_encoders": False}),
    ("skrl_td3", "skrl", with_options(policy_delay=1, learning_rate_scheduler=None)),
    ("skrl_sac", "skrl", with_options(learn_entropy=False, learning_rate_scheduler=None)),
]


@pytest.mark.parametrize(("name", "library", "narrow"), EXACT)
def test_an_exact_configuration_is_cleared(name: str, library: str, narrow: Any) -> None:
    report = check(name, library, narrow or (lambda config: config))
    assert report.ok, report.summary()
    assert lost(report) == set()


DELAYED = with_options(policy_delay=2, learning_rate_scheduler=None)
LEARNED = with_options(learn_entropy=True, learning_rate_scheduler=None)
LOSSES = [
    ("d3rlpy_td3", "d3rlpy", lambda one: {**one, "options": {"update_actor_interval": 2}}, "_grad_step"),
    ("agilerl", "agilerl", lambda one: {**one, "share_encoders": True}, "critic_1.encoder"),
    ("xuance", "xuance", lambda one: {**one, "actor_update_delay": 2}, "learner.iterations"),
    ("skrl_td3", "skrl", DELAYED, "_update_counter"),
    ("skrl_sac", "skrl", LEARNED, "log_entropy_coefficient"),
]


@pytest.mark.parametrize(("name", "library", "narrow", "piece"), LOSSES)
def test_a_loss_is_named(name: str, library: str, narrow: Any, piece: str) -> None:
    assert f"agent.{piece}" in lost(check(name, library, narrow))
