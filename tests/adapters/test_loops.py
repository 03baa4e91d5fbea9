# SPDX-License-Identifier: MIT
"""Loops for ``advance`` act, store and learn in order, in any environment, and can leave nothing behind."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete
from gymnasium.vector import SyncVectorEnv

from verification import Verdict, check_agent
from verification.environments import ToyEnv
from verification.loops import Episode, Transition, off_policy, on_policy

if TYPE_CHECKING:
    from pathlib import Path

VECTOR = Box(-1, 1, (3,), np.float32)
ACTIONS = {
    "continuous": Box(-1, 1, (2,), np.float32),
    "discrete": Discrete(3),
    "several choices": MultiDiscrete([2, 3]),
    "switches": MultiBinary(3),
}
OBSERVATIONS = {"vector": VECTOR, "dict": Dict({"a": VECTOR, "b": Box(0, 255, (1, 2, 2), np.uint8)})}


@pytest.mark.parametrize("actions", ACTIONS)
@pytest.mark.parametrize("observations", OBSERVATIONS)
def test_every_kind_of_space_is_walked_through(observations: str, actions: str) -> None:
    space, choices = OBSERVATIONS[observations], ACTIONS[actions]
    choices.seed(0)
    stored: list[Transition] = []
    episode = Episode(ToyEnv(space, choices), seed=1)
    off_policy(episode, 20, act=lambda _: choices.sample(), store=stored.append, learn=lambda: None)
    assert len(stored) == 20
    assert all(space.contains(one.observation) and space.contains(one.next_observation) for one in stored)
    assert any(one.terminated or one.truncated for one in stored)
    assert space.contains(episode.observation)


def test_an_episode_that_has_ended_is_followed_by_another() -> None:
    episode = Episode(ToyEnv(VECTOR, ACTIONS["continuous"], max_steps=2), seed=3)
    steps = [episode.step(np.zeros(2, np.float32)) for _ in range(6)]
    for before, after in itertools.pairwise(steps):
        goes_on = np.array_equal(before.next_observation, after.observation)
        assert goes_on is not bool(before.terminated or before.truncated)


def test_off_policy_loops_act_store_and_learn_at_every_step() -> None:
    said: list[str] = []

    def act(observation: Any) -> Any:
        said.append("act")
        return 1

    episode = Episode(ToyEnv(VECTOR, Discrete(2)), seed=0)
    off_policy(episode, 2, act=act, store=lambda _: said.append("store"), learn=lambda: said.append("learn"))
    assert said == ["act", "store", "learn"] * 2


def test_on_policy_loops_learn_from_each_rollout() -> None:
    rollouts: list[list[Transition]] = []
    episode = Episode(ToyEnv(VECTOR, Discrete(2)), seed=0)
    on_policy(episode, 7, act=lambda _: 0, learn=rollouts.append, rollout=3)
    assert [len(one) for one in rollouts] == [3, 3, 1]
    assert np.array_equal(rollouts[0][0].next_observation, rollouts[0][1].observation)


def test_a_vector_of_environments_is_one() -> None:
    toys = SyncVectorEnv([lambda: ToyEnv(VECTOR, Discrete(2))] * 3)
    stored: list[Transition] = []
    episode = Episode(toys, seed=5)
    off_policy(episode, 9, act=lambda _: np.ones(3, int), store=stored.append, learn=lambda: None)
    assert {one.observation.shape for one in stored} == {(3, 3)}
    assert {np.shape(one.reward) for one in stored} == {(3,)}
    assert np.any([one.terminated | one.truncated for one in stored])


# -- an environment whose state cannot be saved ------------------------------------------------------------


class Walks:
    """An agent that trains in a simulator out of sight, in episodes of its own."""

    def build(self, seed: int) -> SimpleNamespace:
        torch.manual_seed(seed)
        net = torch.nn.Linear(3, 1)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        episode = Episode(ToyEnv(VECTOR, Discrete(2)), seed=seed) if self.keeps else None
        return SimpleNamespace(net=net, optimizer=optimizer, steps=0, episode=episode)

    keeps = False

    def state(self, agent: SimpleNamespace) -> dict[str, object]:
        return {"net": agent.net, "optimizer": agent.optimizer, "steps": agent.steps}

    def learn(self, agent: SimpleNamespace) -> None:
        self.advance(agent, 2)

    def advance(self, agent: SimpleNamespace, steps: int) -> None:
        episode = agent.episode or Episode(ToyEnv(VECTOR, Discrete(2)), seed=agent.steps)
        on_policy(episode, steps, act=lambda _: 1, learn=lambda rollout: self.update(agent, rollout))
        agent.steps += steps

    def update(self, agent: SimpleNamespace, rollout: list[Transition]) -> None:
        seen = torch.as_tensor(np.stack([one.observation for one in rollout]))
        agent.optimizer.zero_grad()
        agent.net(seen).square().mean().backward()
        agent.optimizer.step()

    def save(self, agent: SimpleNamespace, path: Path) -> None:
        torch.save([agent.net.state_dict(), agent.optimizer.state_dict(), agent.steps], path)

    def load(self, agent: SimpleNamespace, path: Path) -> SimpleNamespace:
        net, optimizer, agent.steps = torch.load(path)
        agent.net.load_state_dict(net)
        agent.optimizer.load_state_dict(optimizer)
        return agent


class KeepsItsEpisode(Walks):
    """Goes on in one episode, which it does not save."""

    keeps = True


@pytest.mark.parametrize(("adapter", "verdict"), [(Walks, Verdict.PASSED), (KeepsItsEpisode, Verdict.FAILED)])
def test_an_episode_for_each_call_leaves_nothing_to_be_saved(adapter: Any, verdict: Verdict) -> None:
    name = "resume_equals_uninterrupted"
    report = check_agent(adapter(), checks=[name], examples=4, seed=1, shrink=False)
    assert report.result(name).verdict is verdict, report.summary()
