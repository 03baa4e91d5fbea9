# SPDX-License-Identifier: MIT
"""The agent trains as TD3 is defined, acts as documented, and keeps to its own random streams."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from interrupting import interrupted_at
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

from td3_core import TD3, TD3Config
from td3_core import agent as agent_module
from td3_core.checkpoint.contents import GENERATORS, NETWORKS, TRAINED_NETWORKS
from td3_core.config import OptimizerConfig
from td3_core.errors import ConfigError
from td3_core.networks import features_of
from verification.state.compare import compare
from verification.state.walk import take

SGD = OptimizerConfig("SGD", {"lr": 0.05})


def weights(agent: TD3, name: str) -> list[bytes]:
    network = getattr(agent, name)
    return [] if network is None else [value.numpy().tobytes() for value in network.state_dict().values()]


# -- randomness ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OBSERVATIONS)
def test_global_generators_are_never_touched(kind: str) -> None:
    config = TD3Config.tiny(kind)
    before = global_generators()
    agent = learn(TD3(config, seed=3), 3)
    agent.select_action(observation(config, 1), explore=True)
    agent.sample_random_action()
    assert global_generators() == before


def test_building_does_not_seed_accelerators(monkeypatch: pytest.MonkeyPatch) -> None:
    # torch.manual_seed seeds every device, and would do so behind the back of whoever owns their streams.
    def refuse(seed: int) -> None:
        raise AssertionError("a global generator was seeded")

    monkeypatch.setattr(torch, "manual_seed", refuse)
    monkeypatch.setattr(torch.cuda, "manual_seed_all", refuse)
    TD3(TD3Config.tiny(), seed=0)


def test_the_seed_decides_everything() -> None:
    config = TD3Config.tiny()
    torch.manual_seed(1)
    one = TD3(config, seed=5)
    torch.manual_seed(2)
    assert differences(one, TD3(config, seed=5)) == []
    other = TD3(config, seed=6)
    for name in NETWORKS:
        assert weights(one, name) != weights(other, name)
    for name in GENERATORS:
        assert not torch.equal(getattr(one, name).get_state(), getattr(other, name).get_state())


def test_the_streams_of_one_agent_differ() -> None:
    agent = TD3(TD3Config.tiny(), seed=0)
    assert len({torch.rand(3, generator=getattr(agent, name)).numpy().tobytes() for name in GENERATORS}) == 3


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="non-negative"):
        TD3(TD3Config.tiny(), seed=-1)


def test_two_agents_in_one_process_do_not_disturb_each_other() -> None:
    config = TD3Config.tiny()

    def live(agent: TD3, step: int) -> None:
        agent.update(batch(config, step))
        agent.select_action(observation(config, step), explore=True)
        torch.randint(9, (4,), generator=agent.replay_generator)

    alone = [TD3(config, seed) for seed in (1, 2)]
    for agent in alone:
        for step in range(5):
            live(agent, step)
    together = [TD3(config, seed) for seed in (1, 2)]
    for step in range(5):
        for agent in together:
            live(agent, step)
            torch.rand(1)
    for mine, other in zip(together, alone, strict=True):
        assert differences(mine, other) == []


# -- training ------------------------------------------------------------------------------------------------


def expected_step(agent: TD3, data: Any) -> tuple[torch.Tensor, torch.Tensor, TD3]:
    """Both losses of one step with an actor update, and the agent after it: the paper, with plain SGD."""
    after = deepcopy_of(agent)
    cnn, critic_cnn = agent.actor_cnn_target, agent.critic_cnn_target
    with torch.no_grad():
        noise = torch.randn(data.action.shape, generator=after.target_noise_generator)
        bound = agent.noise_clip * agent.max_action
        noise = (noise * (agent.policy_noise * agent.max_action)).clamp(-bound, bound)
        action = agent.actor_target(features_of(cnn, data.next_observation)) + noise
        action = action.clamp(-agent.max_action, agent.max_action)
        values = agent.critic_target(features_of(critic_cnn, data.next_observation), action)
        target = data.reward + data.not_done * agent.discount * torch.minimum(*values)
    q1, q2 = after.critic(features_of(after.critic_cnn, data.observation), data.action)
    critic_loss = F.mse_loss(q1, target) + F.mse_loss(q2, target)
    descend(critic_loss, after.critic, after.critic_cnn)
    features = features_of(after.critic_cnn, data.observation).detach()
    actor_loss = -after.critic.q1(
        features, after.actor(features_of(after.actor_cnn, data.observation))
    ).mean()
    descend(actor_loss, after.actor, after.actor_cnn)
    return critic_loss.detach(), actor_loss.detach(), after


def deepcopy_of(agent: TD3) -> TD3:
    copy = TD3(agent.config, seed=0)
    for name in TRAINED_NETWORKS:
        setattr(copy, name, deepcopy(getattr(agent, name)))
    copy.target_noise_generator.set_state(agent.target_noise_generator.get_state())
    return copy


def descend(loss: torch.Tensor, *networks: torch.nn.Module | None) -> None:
    parameters = [p for network in networks if network is not None for p in network.parameters()]
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.data.add_(gradient, alpha=-0.05)


@pytest.mark.parametrize("kind", OBSERVATIONS)
def test_a_step_is_the_one_of_the_paper(kind: str) -> None:
    config = with_optimizer(TD3Config.tiny(kind, policy_freq=2, max_action=1.5, policy_noise=0.6), SGD)
    agent = learn(TD3(config, seed=1), 3)
    data = batch(config, 3)
    critic_loss, actor_loss, after = expected_step(agent, data)
    losses = agent.update(data)
    assert torch.equal(losses["critic_loss"], critic_loss)
    assert torch.equal(losses["actor_loss"], actor_loss)
    for name in TRAINED_NETWORKS:
        assert weights(agent, name) == weights(after, name)
    assert torch.equal(agent.target_noise_generator.get_state(), after.target_noise_generator.get_state())


@pytest.mark.parametrize("policy_freq", [1, 2, 3])
def test_actor_and_targets_wait_for_the_policy_delay(policy_freq: int) -> None:
    agent = TD3(TD3Config.tiny("dict", policy_freq=policy_freq), seed=1)
    delayed = [name for name in NETWORKS if name not in ("critic", "critic_cnn")]
    for step in range(1, 7):
        before = {name: weights(agent, name) for name in NETWORKS}
        losses = agent.update(batch(agent.config, step))
        assert agent.total_it == step
        changed = {name for name in NETWORKS if weights(agent, name) != before[name]}
        due = step % policy_freq == 0
        assert changed == {"critic", "critic_cnn"} | (set(delayed) if due else set())
        assert set(losses) == ({"critic_loss", "actor_loss"} if due else {"critic_loss"})


@pytest.mark.parametrize("tau", [0.0, 0.005, 0.3, 1.0])
def test_targets_average_parameters(tau: float) -> None:
    agent = learn(TD3(TD3Config.tiny("dict", tau=tau), seed=1), 3)
    before = {name: deepcopy(getattr(agent, f"{name}_target")) for name in TRAINED_NETWORKS}
    learn(agent, 1, first=3)
    for name in TRAINED_NETWORKS:
        online, target = getattr(agent, name), getattr(agent, f"{name}_target")
        triples = zip(before[name].parameters(), online.parameters(), target.parameters(), strict=True)
        for old, new, mine in triples:
            assert torch.equal(mine, torch.lerp(old, new, tau))
            assert torch.equal(mine, new) == (tau == 1.0)


def test_targets_copy_normalisation_statistics() -> None:
    config = with_normalization(TD3Config.tiny("image", tau=0.005), "batch")
    agent = learn(TD3(config, seed=1), 4)
    for name in ("actor_cnn", "critic_cnn"):
        online, target = dict(getattr(agent, name).named_buffers()), getattr(agent, f"{name}_target")
        assert any("num_batches_tracked" in key for key in online)
        for key, value in target.named_buffers():
            assert value.numpy().tobytes() == online[key].numpy().tobytes()
    assert agent.critic_cnn is not None
    assert agent.critic_cnn.norm0.running_mean.abs().sum() > 0


def test_a_step_counts_once_in_normalisation_statistics() -> None:
    agent = learn(TD3(with_normalization(TD3Config.tiny("dict"), "batch"), seed=1), 6)
    assert agent.actor_cnn is not None
    assert agent.critic_cnn is not None
    assert int(agent.critic_cnn.norm0.num_batches_tracked) == 6
    assert int(agent.actor_cnn.norm0.num_batches_tracked) == 3


@pytest.mark.parametrize("normalization", [None, "batch"])
def test_the_actor_loss_does_not_train_the_critic(normalization: str | None) -> None:
    config = with_normalization(TD3Config.tiny("dict", policy_freq=1), normalization)
    with_actor = learn(TD3(config, seed=1), 1)
    without = learn(TD3(replace(config, policy_freq=99), seed=1), 1)
    assert weights(with_actor, "actor_cnn") != weights(without, "actor_cnn")
    for name in ("critic", "critic_cnn"):
        assert weights(with_actor, name) == weights(without, name)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_trains_every_network(optimizer: str) -> None:
    config = with_optimizer(TD3Config.tiny(), OPTIMIZERS[optimizer])
    before, agent = TD3(config, seed=1), learn(TD3(config, seed=1), 2)
    for name in NETWORKS:
        assert weights(agent, name) != weights(before, name)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_step_with_their_optimizers(schedule: str) -> None:
    config = with_optimizer(TD3Config.tiny("dict"), OptimizerConfig(schedule=SCHEDULES[schedule]))
    agent = TD3(config, seed=1)
    first = agent.critic_optimizer.param_groups[0]["lr"]
    learn(agent, 5)
    for name, steps in {"critic": 5, "critic_cnn": 5, "actor": 2, "actor_cnn": 2}.items():
        assert getattr(agent, f"{name}_scheduler").last_epoch == steps
    assert agent.critic_optimizer.param_groups[0]["lr"] != first


def test_no_gradient_outlives_an_update_or_matters_to_one() -> None:
    config = TD3Config.tiny("dict")
    agent, other = learn(TD3(config, seed=1), 2), learn(TD3(config, seed=1), 2)
    networks = [getattr(agent, name) for name in NETWORKS]
    assert all(parameter.grad is None for network in networks for parameter in network.parameters())
    for network in networks:
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter.grad = torch.ones_like(parameter)
    assert differences(learn(agent, 2, first=2), learn(other, 2, first=2)) == []


def test_online_networks_train_and_targets_evaluate() -> None:
    agent = TD3(with_normalization(TD3Config.tiny(), "batch"), seed=1)
    assert agent.actor_cnn is not None
    agent.actor_cnn.eval()
    learn(agent, 1)
    for name in NETWORKS:
        modes = {module.training for module in getattr(agent, name).modules()}
        assert modes == {not name.endswith("_target")}


def test_frozen_parameters_stay() -> None:
    agent = TD3(TD3Config.tiny("dict"), seed=1)
    assert agent.critic_cnn is not None
    agent.critic_cnn.requires_grad_(False)
    agent.actor[0].weight.requires_grad_(False)
    cnn, first = weights(agent, "critic_cnn"), agent.actor[0].weight.clone()
    learn(agent, 4)
    assert weights(agent, "critic_cnn") == cnn
    assert torch.equal(agent.actor[0].weight, first)


def test_without_images_there_are_no_cnns() -> None:
    agent = TD3(TD3Config.tiny("vector"), seed=1)
    for part in ("", "_target", "_optimizer", "_scheduler"):
        assert getattr(agent, f"actor_cnn{part}") is None
        assert getattr(agent, f"critic_cnn{part}") is None
    assert agent.use_dict_buffer is False
    assert TD3(TD3Config.tiny("dict"), seed=1).use_dict_buffer is True


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reward": torch.zeros(6)}, r"batch.reward must have shape \(6, 1\), not \(6,\)"),
        ({"not_done": torch.zeros(5, 1)}, r"batch.not_done must have shape \(6, 1\), not \(5, 1\)"),
        ({"action": torch.zeros(6, 3)}, r"batch.action must have shape \(6, 2\), not \(6, 3\)"),
        ({"observation": torch.zeros(6, 5)}, "batch.observation must be a mapping"),
        (
            {"next_observation": {"image": torch.zeros(6, 3, 12, 12)}},
            "batch.next_observation must be a mapping",
        ),
        (
            {"observation": {"image": torch.zeros(6, 3, 12, 12), "vector": torch.zeros(6, 5)}},
            "image of batch.observation must have .* torch.uint8, not .* torch.float32",
        ),
    ],
)
def test_a_batch_that_does_not_fit_is_refused_and_changes_nothing(change: Any, message: str) -> None:
    agent, other = (learn(TD3(TD3Config.tiny("dict"), seed=1), 2) for _ in range(2))
    with pytest.raises(ValueError, match=message):
        agent.update(batch(agent.config, 2)._replace(**change))
    assert differences(agent, other) == []


def test_floating_images_are_trained_on_as_they_are() -> None:
    config = TD3Config.tiny("dict")
    as_bytes, as_floats = TD3(config, seed=1), TD3(replace(config, image_dtype="float32"), seed=1)
    learn(as_bytes, 3)
    learn(as_floats, 3)
    assert weights(as_bytes, "critic_cnn") == weights(as_floats, "critic_cnn")


# -- acting --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OBSERVATIONS)
def test_actions_are_the_actors_and_acting_changes_nothing(kind: str) -> None:
    config = TD3Config.tiny(kind, max_action=2.0)
    if kind != "vector":
        config = with_normalization(config, "batch")
    agent = learn(TD3(config, seed=1), 3)
    before = take({"agent": agent})
    action = agent.select_action(observation(config, 7))
    assert action.shape == (2,)
    assert action.dtype == np.float32
    assert agent.select_action(observation(config, 7)).tobytes() == action.tobytes()
    assert compare(before, take({"agent": agent})) == []
    for name in ("actor", "actor_cnn"):
        if getattr(agent, name) is not None:
            getattr(agent, name).eval()
    with torch.no_grad():
        expected = agent.actor(features_of(agent.actor_cnn, batch(config, 7, size=1).observation))[0]
    assert action.tobytes() == expected.numpy().tobytes()


def test_exploration_adds_clipped_noise_from_its_own_stream() -> None:
    config = TD3Config.tiny("vector", max_action=2.0, exploration_noise=0.3)
    agent, observed = TD3(config, seed=1), observation(TD3Config.tiny("vector"), 0)
    greedy, state = agent.select_action(observed), agent.exploration_generator.get_state()
    noise = torch.randn(2, generator=torch.Generator().set_state(state)) * (0.3 * 2.0)
    expected = (torch.from_numpy(greedy) + noise).clamp(-2, 2)
    others = [getattr(agent, name).get_state() for name in GENERATORS if name != "exploration_generator"]
    assert agent.select_action(observed, explore=True).tobytes() == expected.numpy().tobytes()
    assert not torch.equal(agent.exploration_generator.get_state(), state)
    after = [getattr(agent, name).get_state() for name in GENERATORS if name != "exploration_generator"]
    assert all(map(torch.equal, others, after))
    agent.exploration_noise = 50.0
    assert {abs(value) for value in agent.select_action(observed, explore=True).tolist()} == {2.0}


def test_random_actions_fill_the_range() -> None:
    agent = TD3(TD3Config.tiny("vector", max_action=3.0), seed=1)
    drawn = np.stack([agent.sample_random_action() for _ in range(200)])
    assert drawn.shape == (200, 2)
    assert drawn.dtype == np.float32
    assert -3.0 <= drawn.min() < -2.5
    assert 2.5 < drawn.max() <= 3.0


def test_observations_may_be_double_and_read_only() -> None:
    agent = TD3(TD3Config.tiny("vector"), seed=1)
    observed = observation(agent.config, 1).astype(np.float64)
    observed.flags.writeable = False
    assert (
        agent.select_action(observed).tobytes() == agent.select_action(observation(agent.config, 1)).tobytes()
    )


def test_observations_that_do_not_fit_are_refused() -> None:
    agent = TD3(TD3Config.tiny("image"), seed=1)
    with pytest.raises(ValueError, match=r"observed image must have shape \(3, 12, 12\) and dtype uint8"):
        agent.select_action(np.zeros((3, 12, 12), np.float32))
    with pytest.raises(ValueError, match="observed image must have shape"):
        agent.select_action(np.zeros((12, 12, 3), np.uint8))


# -- hyper-parameters ----------------------------------------------------------------------------------------


CHANGES = {
    "discount": 0.5,
    "tau": 0.4,
    "policy_noise": 0.7,
    "noise_clip": 0.01,
    "policy_freq": 3,
    "max_action": 0.4,
    "exploration_noise": 0.9,
}


@pytest.mark.parametrize("name", CHANGES)
def test_hyper_parameters_live_in_the_config_and_take_effect(name: str) -> None:
    config = TD3Config.tiny("vector")
    agent, other = TD3(config, seed=1), TD3(config, seed=1)
    setattr(agent, name, CHANGES[name])
    assert getattr(agent, name) == getattr(agent.config, name) == CHANGES[name]
    assert agent.config == replace(config, **{name: CHANGES[name]})
    data, observed = [batch(config, step) for step in range(6)], observation(config, 1)
    for each in (agent, other):
        for transitions in data:
            each.update(transitions)
    actions = [each.select_action(observed, explore=True).tobytes() for each in (agent, other)]
    assert actions[0] != actions[1]


def test_hyper_parameters_are_validated() -> None:
    agent = TD3(TD3Config.tiny("vector"), seed=1)
    with pytest.raises(ConfigError, match=r"TD3Config\.tau = 2 "):
        agent.tau = 2
    with pytest.raises(ConfigError, match=r"TD3Config\.max_action = 0 "):
        agent.max_action = 0
    assert agent.config == TD3Config.tiny("vector")


def test_max_action_reaches_actor_and_target() -> None:
    agent = TD3(TD3Config.tiny("vector"), seed=1)
    agent.max_action = 5
    assert type(agent.max_action) is float
    assert agent.actor.max_action == agent.actor_target.max_action == 5.0


def test_an_interrupt_at_any_line_of_an_update_leaves_gradients_on() -> None:
    """Behind the last line of a ``with torch.no_grad()`` an exception keeps Python from leaving the block."""
    config = TD3Config.tiny("vector", policy_freq=1)
    first = batch(config, seed=1)

    number = 1
    while interrupted_at(number, partial(TD3(config, seed=1).update, first), agent_module.__file__):
        assert torch.is_grad_enabled(), f"at line number {number}"
        number += 1
    assert number > 40


def test_an_update_is_the_same_where_gradients_are_off() -> None:
    config = TD3Config.tiny("vector")
    one, other = TD3(config, seed=1), TD3(config, seed=1)
    learn(one, 2)
    with torch.no_grad():
        learn(other, 2)
    assert not differences(one, other)
