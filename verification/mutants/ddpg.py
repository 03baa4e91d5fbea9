# SPDX-License-Identifier: MIT
"""Public checkpoint bugs in normalisation, exploration noise, n-step returns and episodes."""

from __future__ import annotations

import collections
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from verification.mutants.killers import ACTIONS, COUNTERS, GENERATORS, HYPER_PARAMETERS, LEAVES
from verification.mutants.model import plant as plant_into
from verification.mutants.pieces import converting, keeping, setting

if TYPE_CHECKING:
    from pathlib import Path

    from verification.mutants.model import Plant
    from verification.specimens.ddpg import DDPG

plant: Plant = partial(plant_into, "ddpg")


def _initial(statistics: dict[str, Any]) -> dict[str, Any]:
    """Statistics of nothing."""
    mean, var = torch.zeros_like(statistics["mean"]), torch.ones_like(statistics["var"])
    return {"mean": mean, "var": var, "count": 0}


# -- normalisation ------------------------------------------------------------------------------------------

plant(
    "NRM",
    "hill-a/stable-baselines#910",
    (ACTIONS, COUNTERS),
    "agent.observation_statistics",
    name="observation_statistics_lost",
)(keeping("observation_statistics"))
plant(
    "NRM",
    "leggedrobotics/rsl_rl#30",
    COUNTERS,
    "agent.observation_statistics.count",
    name="number_of_observations_lost",
)(keeping("observation_statistics.count"))
plant(
    "BNS",
    "facebookresearch/habitat-lab#570",
    COUNTERS,
    "agent.observation_statistics.count",
    name="statistics_with_a_count_of_zero",
)(setting("observation_statistics.count", 0))
plant(
    "NRM",
    "kuds/mesozoic-labs#131",
    ACTIONS,
    "agent.observation_statistics",
    name="statistics_of_a_new_wrapper",
)(keeping("observation_statistics.mean", "observation_statistics.var"))
plant(
    "VER",
    "Denys88/rl_games#121",
    (ACTIONS, COUNTERS),
    "agent.observation_statistics",
    name="statistics_kept_elsewhere_in_older_files",
)(converting("observation_statistics", _initial))
plant(
    "NRM",
    "isaac-sim/IsaacLab#2635",
    LEAVES,
    "agent.return_statistics",
    name="return_statistics_lost",
)(keeping("return_statistics"))


def _load_shared_statistics(agent: DDPG, path: Path, correct: Any) -> DDPG:
    agent = correct(agent, path)
    agent.observation_statistics.restore(torch.load(path.parent.parent / "statistics", weights_only=True))
    return agent


@plant(
    "NRM",
    "DLR-RM/rl-baselines3-zoo#278",
    "a_checkpoint_is_a_snapshot",
    "agent.observation_statistics",
    on="save",
    load=_load_shared_statistics,
)
def all_checkpoints_share_the_last_statistics(agent: DDPG, path: Path, correct: Any) -> None:
    """Statistics go into one file beside the checkpoints, which every save writes again."""
    correct(agent, path)
    torch.save(agent.observation_statistics.capture(), path.parent.parent / "statistics")


# -- exploration --------------------------------------------------------------------------------------------


def _restarted(state: torch.Tensor) -> torch.Tensor:
    """The state of a generator that begins again from the seed of another one."""
    generator = torch.Generator()
    generator.set_state(state)
    return torch.Generator().manual_seed(generator.initial_seed()).get_state()


plant("EXP", "ray-project/ray#22245", LEAVES, "agent.noise.state", name="noise_state_lost")(
    keeping("noise.state")
)
plant("EXP", "ray-project/ray#22245", LEAVES, "agent.noise.state", name="noise_state_is_a_list")(
    converting("noise.state", lambda state: state.tolist())
)
plant(
    "RNG",
    "cselab/korali#341",
    GENERATORS,
    "agent.noise.generator",
    name="only_the_seed_of_the_noise_saved",
)(converting("noise.generator", _restarted))
plant(
    "RNG",
    "Farama-Foundation/Gymnasium#185",
    GENERATORS,
    "action_space",
    name="generator_of_the_action_space_lost",
)(keeping("episode.action_generator"))
plant("CNT", "mujocolab/mjlab#484", LEAVES, "agent.environment_steps", name="environment_steps_lost")(
    keeping("environment_steps")
)


# -- episodes and n-step returns ----------------------------------------------------------------------------

plant("BUF", "chainer/chainerrl#130", LEAVES, "agent.pending", name="pending_steps_lost")(keeping("pending"))
plant(
    "ENV",
    "DLR-RM/stable-baselines3#1643",
    (GENERATORS, LEAVES, "resuming_leaves_no_residue"),
    "agent.episode",
    name="episode_lost",
)(keeping("episode"))
plant(
    "ENV", "leggedrobotics/rsl_rl#89", LEAVES, "agent.episode.env._step", name="length_of_the_episode_lost"
)(setting("episode.env.step", 0))
plant(
    "ENV",
    "DLR-RM/stable-baselines3#1643",
    LEAVES,
    "agent.episode.observation",
    name="observation_of_the_receiver_kept",
)(keeping("episode.observation"))


@plant("ENC", "google/flax#1550", LEAVES, "agent.pending", on="load")
def pending_steps_without_limit(agent: DDPG, path: Path, correct: Any) -> DDPG:
    """The deque comes back without its ``maxlen``."""
    agent = correct(agent, path)
    agent.pending = collections.deque(agent.pending)
    return agent


# -- replay and hyper-parameters ----------------------------------------------------------------------------

plant(
    "BUF", "Unity-Technologies/ml-agents#5781", LEAVES, "agent.replay", name="replay_saved_only_on_request"
)(keeping("replay"))
plant("BUF", "DLR-RM/stable-baselines3#484", LEAVES, "agent.replay.arrays", name="replay_in_another_dtype")(
    converting("replay.arrays", lambda arrays: {name: array.double() for name, array in arrays.items()})
)
plant("HYP", "SforAiDl/genrl#37", (HYPER_PARAMETERS, LEAVES), "agent.config", name="constructor_wins")(
    keeping("config")
)
