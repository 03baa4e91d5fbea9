# SPDX-License-Identifier: MIT
"""A small actor-critic agent that can be everything the strategies draw, and checkpoints all of it."""

from __future__ import annotations

import collections
import copy
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from verification.specimens.base import SpecimenAdapter
from verification.specimens.zoo_networks import build_networks, target_of
from verification.strategies import (
    Transitions,
    agent_configs,
    agent_variants,
    build_optimizer,
    build_schedule,
    observations,
    transition_batches,
)
from verification.strategies.configs import NUMBERS, POLICY_FREQS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hypothesis.strategies import SearchStrategy

    from verification.strategies import AgentConfig

_NETWORKS = ("actor", "critic", "actor_cnn", "critic_cnn")
_REPLAYED = 8


class Zoo:
    """DDPG with TD3's delayed actor and smoothed targets, in all architectures that a config can describe.

    Actions lie in [-1, 1]. What actor and critic share is trained by the critic alone.
    """

    def __init__(self, config: AgentConfig, seed: int) -> None:
        self.hyper: dict[str, Any] = {name: getattr(config, name) for name in (*NUMBERS, "policy_freq")}
        self.dtype: torch.dtype = getattr(torch, config.treatment.dtype)
        self.kind: str = config.observation_kind
        self.max_action: float = float(config.action_space.high.flat[0])
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.online: nn.ModuleDict = build_networks(config)
        self.target: nn.ModuleDict = target_of(self.online)
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: build_optimizer(getattr(config, f"{name}_optimizer"), trained)
            for name, trained in self._trained_by().items()
            if trained
        }
        self.schedules: dict[str, Any] = {}
        if config.schedule is not None:
            for name, optimizer in self.optimizers.items():
                self.schedules[name] = build_schedule(config.schedule, optimizer)
        self.total_it: int = 0
        self.noise: torch.Generator = torch.Generator().manual_seed(seed)
        self.world: World = World(config, seed)
        self.replay: collections.deque[tuple[Any, ...]] = collections.deque(maxlen=_REPLAYED)

    def _trained_by(self) -> dict[str, list[nn.Parameter]]:
        """The parameters of every network's optimizer; those that are shared are the critic's."""
        taken: set[int] = set()
        trained: dict[str, list[nn.Parameter]] = {}
        for name in ("critic", "critic_cnn", "actor", "actor_cnn"):
            network = self.online[name].parameters() if name in self.online else ()
            trained[name] = [parameter for parameter in network if id(parameter) not in taken]
            taken |= {id(parameter) for parameter in trained[name]}
        return trained

    def update(self, batch: Transitions) -> None:
        """Take exactly one training step."""
        self.total_it += 1
        self.online.train()
        observation, next_observation = self._inputs(batch.observation), self._inputs(batch.next_observation)
        action, reward, terminated = (
            torch.from_numpy(array).to(self.dtype) for array in (batch.action, batch.reward, batch.terminated)
        )
        action = action / self.max_action
        with torch.no_grad():
            wanted = self.target["actor"](self._features(self.target, "actor_cnn", next_observation))
            noise = torch.randn(wanted.shape, generator=self.noise).to(self.dtype)
            clip = self.hyper["noise_clip"]
            wanted = (wanted + (noise * self.hyper["policy_noise"]).clamp(-clip, clip)).clamp(-1, 1)
            value = self.target["critic"](self._features(self.target, "critic_cnn", next_observation), wanted)
            value = reward + (1 - terminated) * self.hyper["discount"] * value
        features = self._features(self.online, "critic_cnn", observation)
        self._descend(F.mse_loss(self.online["critic"](features, action), value), ("critic", "critic_cnn"))
        if self.total_it % self.hyper["policy_freq"] == 0:
            chosen = self.online["actor"](self._features(self.online, "actor_cnn", observation))
            with torch.no_grad():
                features = self._features(self.online, "critic_cnn", observation)
            self._descend(-self.online["critic"](features, chosen).mean(), ("actor", "actor_cnn"))
            self._follow()

    def _descend(self, loss: Tensor, names: Iterable[str]) -> None:
        loss.backward()  # type: ignore[no-untyped-call]
        for name in names:
            if name in self.optimizers:
                self.optimizers[name].step()
            if name in self.schedules:
                schedule = self.schedules[name]
                schedule.step(*([loss.item()] if isinstance(schedule, ReduceLROnPlateau) else []))
        self.online.zero_grad(set_to_none=True)

    @torch.no_grad()
    def _follow(self) -> None:
        for mine, online in zip(self.target.parameters(), self.online.parameters(), strict=True):
            mine.lerp_(online, self.hyper["tau"])
        for statistic, its_online in zip(self.target.buffers(), self.online.buffers(), strict=True):
            statistic.copy_(its_online)

    @torch.no_grad()
    def act(self, observation: Any) -> Tensor:
        """The action for one observation, of shape (action_size,)."""
        parts = observation if isinstance(observation, dict) else {self.kind: observation}
        batch = {key: value[None] for key, value in parts.items()}
        modes = [module.training for module in self.online.modules()]
        self.online.eval()
        features = self._features(self.online, "actor_cnn", self._inputs(batch))
        action: Tensor = self.online["actor"](features)[0] * self.max_action
        for module, mode in zip(self.online.modules(), modes, strict=True):
            module.training = mode
        return action

    def advance(self, steps: int) -> None:
        """Act with noise, store, and learn from all that is remembered."""
        for _ in range(steps):
            observation = self.world.observation()
            noise = torch.randn(self.world.actions, generator=self.noise).to(self.dtype)
            action = self.act(observation) + noise * self.hyper["exploration_noise"]
            action = action.clamp(-self.max_action, self.max_action).float().numpy()
            reward, terminated = self.world.step(action)
            self.replay.append((observation, action, reward, self.world.observation(), terminated))
            if len(self.replay) > 1:  # normalisation needs two
                first, action, reward, second, terminated = map(_stacked, zip(*self.replay, strict=True))
                self.update(Transitions(first, action, reward, second, terminated))

    def _inputs(self, observation: Any) -> dict[str, Tensor]:
        """A batch of observations by part, as the networks take them."""
        parts = observation if isinstance(observation, dict) else {self.kind: observation}
        return {
            key: torch.from_numpy(np.asarray(value)).to(self.dtype) / (255 if value.dtype == np.uint8 else 1)
            for key, value in parts.items()
        }

    def _features(self, networks: nn.ModuleDict, cnn: str, inputs: dict[str, Tensor]) -> Tensor:
        parts = [networks[cnn](inputs["image"])] if "image" in inputs else []
        return torch.cat([*parts, *([inputs["vector"]] if "vector" in inputs else [])], dim=1)

    # -- checkpoint ------------------------------------------------------------------------------------

    def capture(self) -> dict[str, Any]:
        """Everything that decides this agent's future, by piece, as plain data."""
        networks = {"online": self.online, "target": self.target}
        return {
            **{name: network.state_dict() for name, network in networks.items()},
            "modes": {key: {n: m.training for n, m in net.named_modules()} for key, net in networks.items()},
            "requires_grad": {name: one.requires_grad for name, one in self.online.named_parameters()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "schedules": {name: schedule.state_dict() for name, schedule in self.schedules.items()},
            "hyper": dict(self.hyper),
            "total_it": self.total_it,
            "noise": self.noise.get_state(),
            "world": self.world.capture(),
            "replay": [_mapped(torch.from_numpy, row) for row in self.replay],
        }

    def restore(self, contents: dict[str, Any]) -> None:
        """Become the agent that was captured."""
        for name, network in (("online", self.online), ("target", self.target)):
            network.load_state_dict(contents[name])
            for path, module in network.named_modules():
                module.training = contents["modes"][name][path]
        for path, parameter in self.online.named_parameters():
            parameter.requires_grad_(contents["requires_grad"][path])
        for name, optimizer in self.optimizers.items():
            restore_optimizer(optimizer, contents["optimizers"][name])
        for name, schedule in self.schedules.items():
            schedule.load_state_dict(contents["schedules"][name])
        self.hyper = dict(contents["hyper"])
        self.total_it = contents["total_it"]
        self.noise.set_state(contents["noise"])
        self.world.restore(contents["world"])
        self.replay = collections.deque(
            (_mapped(Tensor.numpy, row) for row in contents["replay"]), maxlen=_REPLAYED
        )


class World:
    """An environment of noise, whose images are stacks of the last frames."""

    def __init__(self, config: AgentConfig, seed: int) -> None:
        self.generator: np.random.Generator = np.random.default_rng(seed)
        self.actions: tuple[int, ...] = config.action_space.shape
        self.shapes: dict[str, tuple[int, ...]] = {key: part.shape for key, part in config.observed.items()}
        self.pixels: str = str(config.observed["image"].dtype) if "image" in self.shapes else ""
        self.is_dict: bool = config.observation_kind == "dict"
        self.frames: collections.deque[np.ndarray[Any, Any]] = collections.deque(maxlen=config.frame_stack)
        for _ in range(config.frame_stack):
            self._look()

    def observation(self) -> Any:
        """What is seen now."""
        seen: dict[str, Any] = {}
        if "image" in self.shapes:
            seen["image"] = np.concatenate(self.frames)
        if "vector" in self.shapes:
            seen["vector"] = self.vector.copy()
        return seen if self.is_dict else next(iter(seen.values()))

    def step(self, action: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Go on; reward and whether the episode ended, of shape (1,) each."""
        self._look()
        reward = self.generator.standard_normal(1) + action.mean()
        return reward.astype(np.float32), (self.generator.random(1) < 0.25).astype(np.float32)

    def _look(self) -> None:
        if "image" in self.shapes:
            channels, *size = self.shapes["image"]
            frame = self.generator.random((channels // (self.frames.maxlen or 1), *size))
            self.frames.append((frame * (255 if self.pixels == "uint8" else 1)).astype(self.pixels))
        if "vector" in self.shapes:
            self.vector: np.ndarray[Any, Any] = self.generator.standard_normal(self.shapes["vector"]).astype(
                np.float32
            )

    def capture(self) -> dict[str, Any]:
        """The generator, and what has been seen last."""
        seen = {"vector": torch.from_numpy(self.vector)} if "vector" in self.shapes else {}
        frames = [torch.from_numpy(frame) for frame in self.frames]
        return {"generator": self.generator.bit_generator.state, "frames": frames, **seen}

    def restore(self, contents: dict[str, Any]) -> None:
        """Go on from what was captured."""
        self.generator.bit_generator.state = contents["generator"]
        self.frames.clear()
        self.frames.extend(frame.numpy() for frame in contents["frames"])
        if "vector" in contents:
            self.vector = contents["vector"].numpy()


def restore_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Load a state dict such that every entry keeps its type.

    ``load_state_dict`` alone casts all entries but ``step`` to the parameter's type: bfloat16 would be too
    short for the scalars of ``NAdam`` and ``ASGD``.
    """
    optimizer.load_state_dict(saved)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for index, entry in saved["state"].items():
        optimizer.state[parameters[index]] = copy.deepcopy(entry)


def _stacked(values: tuple[Any, ...]) -> Any:
    """A batch of observations, or of other arrays."""
    if isinstance(values[0], dict):
        return {key: np.stack([value[key] for value in values]) for key in values[0]}
    return np.stack(values)


def _mapped(function: Any, value: Any) -> Any:
    """``function`` of every array in tuples and dicts."""
    if isinstance(value, dict):
        return {key: _mapped(function, item) for key, item in value.items()}
    return tuple(_mapped(function, item) for item in value) if isinstance(value, tuple) else function(value)


class ZooAdapter(SpecimenAdapter):
    """Drives the zoo through everything that strategies draw."""

    name = "zoo"

    def configs(self) -> SearchStrategy[AgentConfig]:
        """Everything."""
        return agent_configs()

    def variants(self, config: AgentConfig) -> SearchStrategy[AgentConfig]:
        """Other hyper-parameters: all of them are in the checkpoint."""
        return agent_variants(config)

    def batches(self, config: AgentConfig) -> SearchStrategy[Transitions]:
        """Transitions of the config's spaces."""
        return transition_batches(config.observation_space, config.action_space)

    def observations(self, config: AgentConfig) -> SearchStrategy[Any]:
        """One observation."""
        return observations(config.observation_space)

    def build(self, config: AgentConfig, seed: int) -> Zoo:
        """A new agent."""
        return Zoo(config, seed)

    def operations(self, config: AgentConfig) -> SearchStrategy[tuple[Any, ...]]:
        """Set a hyper-parameter, a learning rate or the counter; switch a network's mode; freeze it."""
        numbers = {**NUMBERS, "policy_freq": POLICY_FREQS}
        there = st.sampled_from(_NETWORKS[: 2 if config.actor_cnn is None else 4])
        return st.one_of(
            st.sampled_from([("total_it", 2**24 + 1), ("total_it", 2**24)]),
            st.sampled_from([("hyper", name, value) for name, values in numbers.items() for value in values]),
            st.tuples(st.just("lr"), there, st.sampled_from((1e-4, 1e-3))),
            st.tuples(st.just("train"), there, st.booleans()),
            st.tuples(st.just("requires_grad"), there, st.booleans()),
        )

    def operate(self, agent: Zoo, operation: tuple[Any, ...]) -> None:
        """The operation's name, its place, and the value."""
        match operation:
            case "total_it", value:
                agent.total_it = value
            case "hyper", name, value:
                agent.hyper[name] = value
            case "lr", name, value:
                for group in agent.optimizers[name].param_groups if name in agent.optimizers else ():
                    group["lr"] = value
            case "train", name, mode:
                agent.target[name].train(mode)
            case _, name, flag:
                next(agent.online[name].parameters()).requires_grad_(flag)
