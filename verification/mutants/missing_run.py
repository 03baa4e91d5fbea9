# SPDX-License-Identifier: MIT
"""Counters, hyper-parameters and streams of ``td3_core``, and the run around it, that are not in the file."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from verification.mutants.killers import (
    COUNTERS,
    GENERATORS,
    HYPER_PARAMETERS,
    LEAVES,
    RESUME,
    STEPS,
)
from verification.mutants.td3_parts import (
    lose,
    plant,
    then,
)

if TYPE_CHECKING:
    from pathlib import Path

    from td3_core.training.run import TrainingRun
    from verification.mutants.model import Operation


lose("total_it_lost", "CNT", "pfnet/pfrl#183", COUNTERS, "agent.total_it", "total_it")
for _name in ("discount", "tau", "policy_noise", "noise_clip", "policy_freq"):
    lose(f"{_name}_lost", "HYP", "SforAiDl/genrl#37", HYPER_PARAMETERS, _name, _name)
# Only acting in closed loop uses it.
lose("exploration_noise_lost", "HYP", "SforAiDl/genrl#37", LEAVES, "exploration_noise", "exploration_noise")


# -- streams and the run around the agent -------------------------------------------------------------------

lose(
    "exploration_stream_lost",
    "RNG",
    "DLR-RM/stable-baselines3#1526",
    GENERATORS,
    "agent.exploration_generator",
    "exploration_generator",
)
lose(
    "replay_stream_lost",
    "RNG",
    "vllm-project/speculators#1027",
    GENERATORS,
    "agent.replay_generator",
    "replay_generator",
)
lose(
    "noise_stream_lost",
    "RNG",
    "AI-Hypercomputer/maxtext#276",
    STEPS,
    "agent.target_noise_generator",
    "target_noise_generator",
)


@plant("RNG", "Farama-Foundation/Gymnasium#185", GENERATORS, "agent.exploration_generator")
def stream_lost_during_warm_up(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """While actions are still random ones, their generator is not thought of."""
    own = run.agent.exploration_generator.get_state()
    run = correct(run, path)
    if run.steps <= run.learning_starts:
        run.agent.exploration_generator.set_state(own)
    return run


def _replay(run: TrainingRun, **changes: Any) -> None:
    vars(run.replay_buffer).update(changes)


@plant("BUF", "nicklashansen/tdmpc2#28", LEAVES, "run.replay_buffer")
def replay_lost(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """The replay buffer starts empty."""
    empty = copy.deepcopy(run.replay_buffer.state_dict())
    run = correct(run, path)
    run.replay_buffer.load_state_dict(empty)
    return run


@plant("BUF", "pytorch/rl#3120", LEAVES, "run.replay_buffer.position")
@then
def replay_cursor_lost(run: TrainingRun) -> None:
    """The transitions are back, the place where the next one goes is not."""
    _replay(run, position=0)


@plant("BUF", "chainer/chainerrl#130", LEAVES, "run.replay_buffer.full")
@then
def wrapped_flag_lost(run: TrainingRun) -> None:
    """A buffer that has wrapped around comes back as one that is filling."""
    _replay(run, full=False)


@plant("CNT", "ray-project/ray#29554", LEAVES, "run.steps")
def step_count_of_the_run_lost(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """Environment steps restart, updates do not."""
    own = run.steps
    run = correct(run, path)
    run.steps = own
    return run


@plant("ENV", "DLR-RM/stable-baselines3#1643", RESUME, "run.episode")
@then
def episode_starts_afresh(run: TrainingRun) -> None:
    """The environment is reset after the load."""
    if run.steps:
        run.episode = type(run.episode)(run.env)
