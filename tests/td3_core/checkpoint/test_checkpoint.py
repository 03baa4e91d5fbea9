# SPDX-License-Identifier: MIT
"""Saving and loading resume training exactly, whatever the agent is made of and whatever received it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from td3_agents import (
    OBSERVATIONS,
    OPTIMIZERS,
    SCHEDULES,
    batch,
    differences,
    global_generators,
    learn,
    observation,
    with_normalization,
    with_optimizer,
)

from td3_core import TD3, CheckpointError, ReplayBuffer, TD3Config, read_checkpoint
from td3_core.checkpoint.contents import GENERATORS, NETWORKS, TRAINED_NETWORKS
from td3_core.config import OptimizerConfig, ScheduleConfig
from verification.state.compare import compare
from verification.state.walk import take

if TYPE_CHECKING:
    from pathlib import Path

SCHEDULED = OptimizerConfig("Adam", {"lr": 1e-3, "amsgrad": True}, SCHEDULES["StepLR"])

OTHER_VALUES = {
    "discount": 0.5,
    "tau": 0.5,
    "policy_noise": 0.9,
    "noise_clip": 0.9,
    "policy_freq": 3,
    "max_action": 2.0,
    "exploration_noise": 0.9,
}


def trained(config: TD3Config, steps: int, seed: int = 1) -> TD3:
    """An agent that has learned, acted and sampled, so that every stream has moved."""
    agent = learn(TD3(config, seed), steps)
    agent.select_action(observation(config, 1), explore=True)
    torch.randint(9, (3,), generator=agent.replay_generator)
    return agent


def receiver(config: TD3Config, steps: int = 3) -> TD3:
    """An agent of the same architecture with another seed, other hyper-parameters and another past."""
    other = replace(config, **OTHER_VALUES)
    for name in TRAINED_NETWORKS:
        optimizer: OptimizerConfig | None = getattr(config, f"{name}_optimizer")
        if optimizer is not None:
            changed = replace(optimizer, options={**optimizer.options, "lr": 0.05, "weight_decay": 0.3})
            other = replace(other, **{f"{name}_optimizer": changed})
    agent = TD3(other, seed=9)
    for number in range(50, 50 + steps):
        agent.update(batch(config, number))
    return agent


def resumes_exactly(config: TD3Config, path: Path, cut: int, receiver_steps: int = 3, steps: int = 3) -> None:
    """Assert that an agent saved after ``cut`` steps goes on in a receiver as if nothing had happened."""
    reference = trained(config, cut)
    trained(config, cut).save_checkpoint(path)
    resumed = receiver(config, receiver_steps)
    assert differences(reference, resumed) != []
    resumed.load_checkpoint(path)
    assert differences(reference, resumed) == []
    for number in range(cut, cut + steps):
        learn(reference, 1, first=number)
        learn(resumed, 1, first=number)
        assert differences(reference, resumed) == []


# -- exact resume --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("receiver_steps", [0, 3])
@pytest.mark.parametrize("cut", [0, 1, 2, 5])
@pytest.mark.parametrize("kind", OBSERVATIONS)
def test_resume_is_exact_at_any_cut(tmp_path: Path, kind: str, cut: int, receiver_steps: int) -> None:
    config = with_optimizer(TD3Config.tiny(kind), SCHEDULED)
    resumes_exactly(config, tmp_path / "agent.pth", cut, receiver_steps)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_resume_is_exact_with_every_optimizer(tmp_path: Path, name: str) -> None:
    resumes_exactly(with_optimizer(TD3Config.tiny(), OPTIMIZERS[name]), tmp_path / "agent.pth", 3)


@pytest.mark.parametrize("optimizer", ["Adam", "SGD-momentum"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_resume_is_exact_with_every_schedule(tmp_path: Path, name: str, optimizer: str) -> None:
    scheduled = replace(OPTIMIZERS[optimizer], schedule=SCHEDULES[name])
    resumes_exactly(with_optimizer(TD3Config.tiny("vector"), scheduled), tmp_path / "agent.pth", 2, steps=4)


@pytest.mark.parametrize("name", [None, "batch", "layer", "group"])
def test_resume_is_exact_with_every_normalisation(tmp_path: Path, name: str | None) -> None:
    resumes_exactly(with_normalization(TD3Config.tiny("image"), name), tmp_path / "agent.pth", 3)


def test_resume_is_exact_in_a_receiver_with_another_schedule_of_the_same_kind(tmp_path: Path) -> None:
    saved = replace(SCHEDULED, schedule=ScheduleConfig("MultiStepLR", {"milestones": (2, 4)}))
    other = replace(
        SCHEDULED, schedule=ScheduleConfig("MultiStepLR", {"milestones": (1, 7, 9), "gamma": 0.9})
    )
    reference = trained(with_optimizer(TD3Config.tiny(), saved), 3)
    reference.save_checkpoint(tmp_path / "agent.pth")
    resumed = trained(with_optimizer(TD3Config.tiny(), other), 6, seed=2)
    resumed.load_checkpoint(tmp_path / "agent.pth")
    assert differences(reference, resumed) == []
    assert differences(learn(reference, 3, first=3), learn(resumed, 3, first=3)) == []


def test_many_cycles_are_as_good_as_none(tmp_path: Path) -> None:
    config = with_optimizer(TD3Config.tiny(), SCHEDULED)
    reference, resumed = TD3(config, seed=1), TD3(config, seed=1)
    for number in range(5):
        learn(reference, 1, first=number)
        learn(resumed, 1, first=number).save_checkpoint(tmp_path / "agent.pth")
        resumed = receiver(config, steps=1)
        resumed.load_checkpoint(tmp_path / "agent.pth")
        assert differences(reference, resumed) == []


def test_what_a_user_changed_comes_back(tmp_path: Path) -> None:
    config = with_normalization(TD3Config.tiny("dict"), "batch")
    reference = trained(config, 3)
    for name, value in OTHER_VALUES.items():
        setattr(reference, name, value)
    assert reference.critic_cnn is not None
    reference.critic_optimizer.param_groups[0]["lr"] = 0.25
    reference.critic_cnn.conv0.requires_grad_(False)
    reference.actor.eval()
    reference.critic_cnn.to(memory_format=torch.channels_last)
    reference.save_checkpoint(tmp_path / "agent.pth")
    resumed = TD3(config, seed=2)
    resumed.load_checkpoint(tmp_path / "agent.pth")
    assert differences(reference, resumed) == []
    assert resumed.config == replace(config, **OTHER_VALUES)
    assert resumed.actor_target.max_action == 2.0
    assert differences(learn(reference, 3, first=3), learn(resumed, 3, first=3)) == []


def test_optimizer_defaults_and_bookkeeping_come_back(tmp_path: Path) -> None:
    """The walk leaves these out, because other agents cannot restore them."""
    config = with_optimizer(TD3Config.tiny("vector"), SCHEDULED)
    reference, resumed = TD3(config, seed=1), receiver(config)
    for agent, stepped in ((reference, False), (trained(config, 2), True)):
        agent.save_checkpoint(tmp_path / "agent.pth")
        resumed.load_checkpoint(tmp_path / "agent.pth")
        for name in ("actor", "critic"):
            mine, other = getattr(resumed, f"{name}_optimizer"), getattr(agent, f"{name}_optimizer")
            assert mine.defaults == other.defaults
            assert vars(mine).keys() == vars(other).keys()
            assert list(mine.param_groups[0]) == list(other.param_groups[0])
            assert hasattr(mine, "_opt_called") == stepped
            scheduler = vars(getattr(resumed, f"{name}_scheduler"))
            assert list(scheduler) == list(vars(getattr(agent, f"{name}_scheduler")))


def test_a_parameter_frozen_for_a_while_keeps_its_place(tmp_path: Path) -> None:
    config = TD3Config.tiny("vector")
    reference = TD3(config, seed=1)
    reference.critic.q1[0].weight.requires_grad_(False)
    learn(reference, 2)
    reference.save_checkpoint(tmp_path / "agent.pth")  # one parameter has no optimizer state yet
    resumed = receiver(config)
    resumed.load_checkpoint(tmp_path / "agent.pth")
    assert differences(reference, resumed) == []
    for agent in (reference, resumed):
        agent.critic.q1[0].weight.requires_grad_(True)
        learn(agent, 2, first=2)
    reference.save_checkpoint(tmp_path / "agent.pth")
    resumed.load_checkpoint(tmp_path / "agent.pth")
    assert differences(reference, resumed) == []


# -- what a file is ------------------------------------------------------------------------------------------


def test_a_file_has_the_documented_keys_and_needs_no_code(tmp_path: Path) -> None:
    agent = trained(TD3Config.tiny(), 2)
    agent.save_checkpoint(tmp_path / "agent.pth")
    contents = torch.load(tmp_path / "agent.pth", weights_only=True)
    keys = {"format_version", "torch_version", "config", "use_dict_buffer", "total_it", "max_action"}
    keys |= {"discount", "tau", "policy_noise", "noise_clip", "policy_freq", "exploration_noise"}
    keys |= {"training_modes", "requires_grad"}
    keys |= {f"{name}_state_dict" for name in NETWORKS} | {f"{name}_state" for name in GENERATORS}
    keys |= {f"{name}_{kind}_state_dict" for name in TRAINED_NETWORKS for kind in ("optimizer", "scheduler")}
    assert set(contents) == keys
    assert contents["total_it"] == 2
    assert TD3Config.from_dict(contents["config"]) == agent.config


def test_torch_itself_can_load_the_parts(tmp_path: Path) -> None:
    agent = trained(TD3Config.tiny(), 2)
    agent.save_checkpoint(tmp_path / "agent.pth")
    contents = torch.load(tmp_path / "agent.pth", weights_only=True)
    other = TD3(agent.config, seed=5)
    for name in TRAINED_NETWORKS:
        getattr(other, name).load_state_dict(contents[f"{name}_state_dict"])
        getattr(other, f"{name}_optimizer").load_state_dict(contents[f"{name}_optimizer_state_dict"])
    assert other.critic_optimizer.state_dict()["state"][0]["step"] == 2


def test_saving_changes_nothing_and_repeats_byte_for_byte(tmp_path: Path) -> None:
    agent = trained(with_optimizer(TD3Config.tiny(), SCHEDULED), 3)
    before, generators = take({"agent": agent}), global_generators()
    agent.save_checkpoint(tmp_path / "one.pth")
    agent.save_checkpoint(tmp_path / "two.pth")
    assert compare(before, take({"agent": agent})) == []
    assert global_generators() == generators
    assert (tmp_path / "one.pth").read_bytes() == (tmp_path / "two.pth").read_bytes()


@pytest.mark.parametrize("kind", OBSERVATIONS)
def test_a_loaded_agent_saves_the_same_bytes(tmp_path: Path, kind: str) -> None:
    config = with_optimizer(TD3Config.tiny(kind), SCHEDULED)
    trained(config, 3).save_checkpoint(tmp_path / "one.pth")
    resumed = receiver(config)
    resumed.load_checkpoint(tmp_path / "one.pth")
    resumed.save_checkpoint(tmp_path / "two.pth")
    assert (tmp_path / "one.pth").read_bytes() == (tmp_path / "two.pth").read_bytes()


def test_a_file_is_a_snapshot_and_loading_leaves_it_alone(tmp_path: Path) -> None:
    agent = trained(TD3Config.tiny(), 3)
    agent.save_checkpoint(tmp_path / "agent.pth")
    saved = (tmp_path / "agent.pth").read_bytes()
    learn(agent, 2)
    generators = global_generators()
    agent.load_checkpoint(tmp_path / "agent.pth")
    read_checkpoint(tmp_path / "agent.pth")
    assert global_generators() == generators
    assert (tmp_path / "agent.pth").read_bytes() == saved
    assert [path.name for path in tmp_path.iterdir()] == ["agent.pth"]


def test_a_view_is_saved_without_the_tensor_it_is_a_view_of(tmp_path: Path) -> None:
    agent, other = trained(TD3Config.tiny("vector"), 1), trained(TD3Config.tiny("vector"), 1)
    weight = agent.actor[0].weight
    weight.data = torch.cat([weight.data, torch.zeros(100_000, weight.shape[1])])[: len(weight)]
    agent.save_checkpoint(tmp_path / "agent.pth")
    other.save_checkpoint(tmp_path / "other.pth")
    assert (tmp_path / "agent.pth").read_bytes() == (tmp_path / "other.pth").read_bytes()


def test_objects_stay_the_same_and_share_nothing_with_the_contents(tmp_path: Path) -> None:
    config = with_optimizer(TD3Config.tiny(), SCHEDULED)
    agent = trained(config, 3)
    agent.save_checkpoint(tmp_path / "agent.pth")
    resumed = receiver(config)
    names = [*NETWORKS, *GENERATORS]
    names += [f"{name}_{kind}" for name in TRAINED_NETWORKS for kind in ("optimizer", "scheduler")]
    objects = {name: getattr(resumed, name) for name in names}
    parameters = [p for name in NETWORKS for p in getattr(resumed, name).parameters()]
    contents = resumed.load_checkpoint(tmp_path / "agent.pth")
    assert all(getattr(resumed, name) is value for name, value in objects.items())
    after = [p for name in NETWORKS for p in getattr(resumed, name).parameters()]
    assert all(mine is other for mine, other in zip(after, parameters, strict=True))
    for name in TRAINED_NETWORKS:
        bound = getattr(resumed, f"{name}_optimizer").param_groups[0]["params"]
        assert all(a is b for a, b in zip(bound, getattr(resumed, name).parameters(), strict=True))
        assert getattr(resumed, f"{name}_scheduler").optimizer is getattr(resumed, f"{name}_optimizer")
    _spoil(contents)
    assert differences(agent, resumed) == []


def _spoil(value: Any) -> None:
    if isinstance(value, torch.Tensor):
        value.fill_(1)
    elif isinstance(value, dict):
        for item in value.values():
            _spoil(item)
        value.clear()
    elif isinstance(value, list):
        value.clear()


def test_leftover_gradients_of_a_receiver_are_dropped(tmp_path: Path) -> None:
    agent, resumed = trained(TD3Config.tiny("vector"), 2), receiver(TD3Config.tiny("vector"))
    agent.save_checkpoint(tmp_path / "agent.pth")
    for parameter in resumed.actor.parameters():
        parameter.grad = torch.ones_like(parameter)
    resumed.load_checkpoint(tmp_path / "agent.pth")
    assert all(parameter.grad is None for parameter in resumed.actor.parameters())


# -- sections around the agent, reading without one ----------------------------------------------------------


def test_a_run_is_kept_beside_the_agent(tmp_path: Path) -> None:
    config = TD3Config.tiny()
    agent, buffer = trained(config, 2), ReplayBuffer(config, 4)
    buffer.add(observation(config, 1), np.zeros(2), observation(config, 2), 1.5, terminated=True)
    run = {"steps": np.int64(7), "returns": [1.5, np.float64(2.5)], "replay_buffer": buffer.state_dict()}
    run |= {"generator": np.random.default_rng(0).bit_generator.state, "name": "a", "none": None}
    agent.save_checkpoint(tmp_path / "agent.pth", extra={"run": run})
    for contents in (read_checkpoint(tmp_path / "agent.pth"), agent.load_checkpoint(tmp_path / "agent.pth")):
        assert contents["run"]["steps"] == 7
        assert contents["run"]["returns"] == [1.5, 2.5]
        assert contents["run"]["generator"] == run["generator"]
        restored = ReplayBuffer(config, 4)
        restored.load_state_dict(contents["run"]["replay_buffer"])
        assert restored.state_dict()["arrays"]["reward"].tolist() == [[1.5]]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"runs": {}}, "'runs' is not a section of a checkpoint: allowed are 'run'"),
        (
            {"run": {"a": [1, {"b": np.zeros(2)}]}},
            r"checkpoint\['run'\]\['a'\]\[1\]\['b'\] is a numpy.ndarray, which is not plain data",
        ),
        ({"run": {(1, 2): 3}}, r"\['run'\] has the key \(1, 2\): keys are strings or integers"),
    ],
)
def test_sections_that_could_not_be_read_back_are_refused(
    tmp_path: Path, extra: dict[str, Any], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        TD3(TD3Config.tiny(), seed=1).save_checkpoint(tmp_path / "agent.pth", extra=extra)
    assert list(tmp_path.iterdir()) == []


def test_reading_needs_no_agent(tmp_path: Path) -> None:
    agent = trained(TD3Config.tiny("image"), 3)
    agent.save_checkpoint(tmp_path / "agent.pth")
    contents = read_checkpoint(str(tmp_path / "agent.pth"))
    assert contents["total_it"] == 3
    restored = TD3(TD3Config.from_dict(contents["config"]), seed=0)
    restored.load_checkpoint(tmp_path / "agent.pth")
    assert differences(agent, restored) == []


def test_equal_contents_give_equal_bytes(tmp_path: Path) -> None:
    """However the objects in them are shared, which pickle would write down."""
    agent, word, pair = TD3(TD3Config.tiny("vector"), seed=1), "episode", (1, 2)
    shared = {"a": word, "b": word, "c": [pair, pair]}
    apart = {"a": "episode", "b": "".join(["epi", "sode"]), "c": [(1, 2), tuple(range(1, 3))]}
    agent.save_checkpoint(tmp_path / "shared.pth", extra={"run": shared})
    agent.save_checkpoint(tmp_path / "apart.pth", extra={"run": apart})
    assert (tmp_path / "shared.pth").read_bytes() == (tmp_path / "apart.pth").read_bytes()
