# SPDX-License-Identifier: MIT
"""Public checkpoint bugs in exploration schedules, several environments, frame stacks and early stopping."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from verification.mutants.killers import (
    COUNTERS,
    GENERATORS,
    LEAVES,
    ONLINE_NETWORKS,
    RESUME,
    TARGET_NETWORKS,
)
from verification.mutants.model import plant as plant_into
from verification.mutants.pieces import changing, converting, copying, keeping, setting

if TYPE_CHECKING:
    from pathlib import Path

    from verification.mutants.model import Plant
    from verification.specimens.dqn import DQN

plant: Plant = partial(plant_into, "dqn")

# -- exploration --------------------------------------------------------------------------------------------

plant("EXP", "keon/deep-q-learning#16", LEAVES, "agent.epsilon", name="epsilon_lost")(setting("epsilon", 1.0))
plant("EXP", "tensorpack/tensorpack#1094", LEAVES, "agent.epsilon", name="epsilon_of_the_receiver_kept")(
    keeping("epsilon")
)
plant(
    "RNG",
    "DLR-RM/stable-baselines3#1526",
    GENERATORS,
    "agent.exploration",
    name="exploration_starts_again",
)(keeping("exploration"))


@plant("EXP", "tensorpack/tensorpack#1094", LEAVES, "agent.epsilon")
def epsilon_from_the_number_of_updates(agent: DQN, path: Path, correct: Any) -> DQN:
    """Computed anew by a power, the product of many factors has other bits."""
    agent = correct(agent, path)
    decayed = agent.config.first_epsilon * agent.config.epsilon_decay**agent.updates
    agent.epsilon = max(agent.config.last_epsilon, decayed)
    return agent


# -- target -------------------------------------------------------------------------------------------------


@plant("TGT", "rlcode/reinforcement-learning#86", TARGET_NETWORKS, "agent.target")
def target_copied_before_the_load(agent: DQN, path: Path, correct: Any) -> DQN:
    """The target becomes the network that the receiver had until then."""
    network = {name: value.clone() for name, value in agent.network.state_dict().items()}
    agent = correct(agent, path)
    agent.target.load_state_dict(network)
    return agent


plant("TGT", "sfujim/TD3#20", TARGET_NETWORKS, "agent.target", name="target_copied_after_the_load")(
    copying("network", "target")
)
plant("CNT", "pfnet/pfrl#183", COUNTERS, "agent.updates", name="next_copy_of_the_target_shifted")(
    keeping("updates")
)
plant("CNT", "pfnet/pfrl#184", LEAVES, "agent.environment_steps", name="learning_starts_again")(
    setting("environment_steps", 0)
)

# -- environments and frames --------------------------------------------------------------------------------


def _first_worker_only(contents: dict[str, Any], own: dict[str, Any]) -> None:
    contents["workers"][1:] = own["workers"][1:]


def _one_for_all(contents: dict[str, Any], _: dict[str, Any]) -> None:
    contents["workers"] = [contents["workers"][0]] * len(contents["workers"])


def _in_reverse(contents: dict[str, Any], _: dict[str, Any]) -> None:
    contents["workers"].reverse()


def _without_streams(contents: dict[str, Any], own: dict[str, Any]) -> None:
    for worker, kept in zip(contents["workers"], own["workers"], strict=True):
        worker["episode"]["env"]["generator"] = kept["episode"]["env"]["generator"]


def _last_frame_repeated(contents: dict[str, Any], _: dict[str, Any]) -> None:
    for worker in contents["workers"]:
        worker["frames"] = [worker["frames"][-1].clone() for _ in worker["frames"]]


plant(
    "ENV",
    "DLR-RM/stable-baselines3#1643",
    (GENERATORS, LEAVES, "resuming_leaves_no_residue"),
    "agent.workers[1]",
    name="only_the_first_environment_restored",
)(changing(_first_worker_only))
plant(
    "ENV",
    "leggedrobotics/rsl_rl#89",
    (GENERATORS, LEAVES),
    "agent.workers[1]",
    name="all_environments_get_the_first_ones_state",
)(changing(_one_for_all))
plant(
    "ORD",
    "pytorch/pytorch#1489",
    (GENERATORS, LEAVES, RESUME),
    "agent.workers[",
    name="environments_in_another_order",
)(changing(_in_reverse))
plant(
    "RNG",
    "DLR-RM/stable-baselines3#1526",
    GENERATORS,
    "agent.workers[0].episode.env",
    name="streams_of_the_environments_lost",
)(changing(_without_streams))
plant(
    "ENV", "DLR-RM/stable-baselines3#1643", LEAVES, "frames[", name="frame_stack_filled_with_the_last_frame"
)(changing(_last_frame_repeated))


@plant("ENV", "DLR-RM/stable-baselines3#1643", LEAVES, "frames[")
def frame_stack_in_reverse(agent: DQN, path: Path, correct: Any) -> DQN:
    """The newest frame comes first, as another wrapper would have it."""
    agent = correct(agent, path)
    for worker in agent.workers:
        worker.frames.reverse()
    return agent


# -- replay -------------------------------------------------------------------------------------------------

plant("BUF", "chainer/chainerrl#130", LEAVES, "agent.replay.full", name="full_replay_no_longer_full")(
    setting("replay.full", False)
)
plant("BUF", "pytorch/rl#3120", LEAVES, "agent.replay.cursor", name="cursor_of_the_replay_lost")(
    setting("replay.cursor", 0)
)
plant("BUF", "nicklashansen/tdmpc2#28", LEAVES, "agent.replay", name="network_without_its_replay")(
    keeping("replay")
)


def _until_the_cursor(contents: dict[str, Any], own: dict[str, Any]) -> None:
    cursor = contents["replay"]["cursor"]
    for name, array in contents["replay"]["arrays"].items():
        array[cursor:] = own["replay"]["arrays"][name][cursor:]


plant("BUF", "astooke/rlpyt#111", LEAVES, "agent.replay.arrays", name="replay_saved_up_to_the_cursor")(
    changing(_until_the_cursor)
)

# -- records and early stopping -----------------------------------------------------------------------------

plant("BST", "MIC-DKFZ/nnUNet#401", LEAVES, "agent.best_return", name="best_return_lost")(
    keeping("best_return")
)
plant(
    "BST",
    "Lightning-AI/pytorch-lightning#1463",
    LEAVES,
    "agent.episodes_without_record",
    name="patience_starts_again",
)(setting("episodes_without_record", 0))
plant("BST", "huggingface/transformers#28544", LEAVES, "agent.stopped", name="stopped_run_goes_on")(
    setting("stopped", False)
)

# -- errors that are hidden ---------------------------------------------------------------------------------


def _one_key_missing(contents: dict[str, Any], own: dict[str, Any]) -> None:
    contents["network"]["2.bias"] = own["network"]["2.bias"]


plant("STR", "PIQuIL/QuCumber#18", ONLINE_NETWORKS, "agent.network[2].bias", name="missing_key_tolerated")(
    changing(_one_key_missing)
)
plant(
    "DTY", "ultralytics/yolov5#1141", ONLINE_NETWORKS, "agent.network", name="network_saved_in_half_precision"
)(converting("network", lambda state: {name: value.half().float() for name, value in state.items()}))
