# SPDX-License-Identifier: MIT
"""TD3 (Fujimoto, van Hoof, Meger 2018) with separate CNNs for actor and critic: acting and training."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from td3_core import rng
from td3_core.checkpoint import contents as state
from td3_core.checkpoint import partial, turns
from td3_core.checkpoint.background import finish_writing, write_in_background
from td3_core.checkpoint.format import (
    parse_checkpoint,
    plain_contents,
    refuse_unwritable,
    write_checkpoint,
)
from td3_core.checkpoint.restoring import restore
from td3_core.config import TD3Config
from td3_core.networks import CNN, Actor, Critic, evaluating, features_of, prepared, target_of
from td3_core.optimizers import build_optimizer, build_scheduler, step
from td3_core.replay import Batch, check_observations, observation_arrays, observation_specs

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping
    from concurrent.futures import Future

    import numpy as np
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from td3_core.networks import ModuleT

T = TypeVar("T")


class HyperParameter(Generic[T]):
    """An attribute of the agent that is kept in its config, where it is validated; set it at any time."""

    def __set_name__(self, owner: type[TD3], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, agent: None, owner: type[TD3]) -> HyperParameter[T]: ...
    @overload
    def __get__(self, agent: TD3, owner: type[TD3]) -> T: ...
    def __get__(self, agent: TD3 | None, owner: type[TD3]) -> HyperParameter[T] | T:
        if agent is None:
            return self
        value: T = getattr(agent.config, self._name)
        return value

    def __set__(self, agent: TD3, value: T) -> None:
        changes: dict[str, Any] = {self._name: value}
        agent.config = replace(agent.config, **changes)


class TD3:
    """A TD3 agent.

    Hyper-parameters (``discount``, ``tau``, ``policy_noise``, ``noise_clip``, ``policy_freq``,
    ``max_action``, ``exploration_noise``) read from and write to ``config``, the one place where they are
    kept: ``agent.policy_noise = 0.1`` replaces ``agent.config`` and is saved with it.

    Observations are an image (channels first), a vector, or a dict of both under the keys ``image`` and
    ``vector`` (``use_dict_buffer``). Without images the CNNs, their targets, optimizers and schedulers are
    ``None``; so is a scheduler whose optimizer has no schedule.

    The agent draws from its own generators only, and leaves all global ones as they are, also while it is
    built. Between updates no parameter has a gradient.

    Args:
        config: What the agent is; see :class:`TD3Config`.
        seed: Decides the first weights and the three random streams; not negative.
        device: Where the networks live. Generators stay on the CPU, so that streams are the same everywhere.
    """

    discount: HyperParameter[float] = HyperParameter[float]()
    tau: HyperParameter[float] = HyperParameter[float]()
    policy_noise: HyperParameter[float] = HyperParameter[float]()
    noise_clip: HyperParameter[float] = HyperParameter[float]()
    policy_freq: HyperParameter[int] = HyperParameter[int]()
    exploration_noise: HyperParameter[float] = HyperParameter[float]()

    def __init__(self, config: TD3Config, seed: int, device: str | torch.device = "cpu") -> None:
        # A copy in which no two parts are one object, as in a config that was read from a checkpoint.
        self.config: TD3Config = TD3Config.from_dict(config.to_dict())
        self.device: torch.device = torch.device(device)
        self._observation_specs = observation_specs(self.config)
        self.total_it: int = 0
        with rng.initial_weights(seed):
            self._build_networks()
        self._build_optimizers()
        self.target_noise_generator: torch.Generator = rng.generator(seed, "target_noise")
        self.exploration_generator: torch.Generator = rng.generator(seed, "exploration")
        self.replay_generator: torch.Generator = rng.generator(seed, "replay")

    def _build_networks(self) -> None:
        config = self.config
        actor_features = critic_features = config.vector_size
        self.actor_cnn: CNN | None = None
        self.critic_cnn: CNN | None = None
        if config.image_shape is not None:
            assert config.actor_cnn is not None
            assert config.critic_cnn is not None
            self.actor_cnn = self._placed(CNN(config.actor_cnn, config.image_shape))
            self.critic_cnn = self._placed(CNN(config.critic_cnn, config.image_shape))
            actor_features += config.actor_cnn.features
            critic_features += config.critic_cnn.features
        self.actor: Actor = self._placed(
            Actor(actor_features, config.action_size, config.actor_hidden, config.max_action)
        )
        self.critic: Critic = self._placed(Critic(critic_features, config.action_size, config.critic_hidden))
        self.actor_target: Actor = target_of(self.actor)
        self.critic_target: Critic = target_of(self.critic)
        self.actor_cnn_target: CNN | None = target_of(self.actor_cnn)
        self.critic_cnn_target: CNN | None = target_of(self.critic_cnn)

    def _placed(self, network: ModuleT) -> ModuleT:
        if self.config.channels_last:
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network.to(self.device, torch.float32)

    def _build_optimizers(self) -> None:
        config = self.config
        self.actor_optimizer: Optimizer = build_optimizer(config.actor_optimizer, self.actor)
        self.critic_optimizer: Optimizer = build_optimizer(config.critic_optimizer, self.critic)
        self.actor_cnn_optimizer: Optimizer | None = build_optimizer(
            config.actor_cnn_optimizer, self.actor_cnn
        )
        self.critic_cnn_optimizer: Optimizer | None = build_optimizer(
            config.critic_cnn_optimizer, self.critic_cnn
        )
        self.actor_scheduler: LRScheduler | None = build_scheduler(
            config.actor_optimizer, self.actor_optimizer
        )
        self.critic_scheduler: LRScheduler | None = build_scheduler(
            config.critic_optimizer, self.critic_optimizer
        )
        self.actor_cnn_scheduler: LRScheduler | None = build_scheduler(
            config.actor_cnn_optimizer, self.actor_cnn_optimizer
        )
        self.critic_cnn_scheduler: LRScheduler | None = build_scheduler(
            config.critic_cnn_optimizer, self.critic_cnn_optimizer
        )

    @property
    def use_dict_buffer(self) -> bool:
        """Whether observations are dicts of ``image`` and ``vector``."""
        return self.config.use_dict_buffer

    @property
    def max_action(self) -> float:
        """Actions lie in [-max_action, max_action]."""
        return self.config.max_action

    @max_action.setter
    def max_action(self, value: float) -> None:
        config = replace(self.config, max_action=value)
        with turns.changing(self, tears=self):
            self.config = config
            self.actor.max_action = self.actor_target.max_action = self.config.max_action

    # Around it all, so that no exception between the lines leaves the process without gradients.
    @torch.enable_grad()
    def update(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Take exactly one training step; Ctrl-C takes effect once it is whole.

        Returns:
            ``critic_loss``, and ``actor_loss`` where the step included an actor update (every
            ``policy_freq``-th does), as detached scalars.

        Raises:
            ValueError: The batch does not fit; the agent is unchanged.
        """
        batch = self._prepared(batch)
        with turns.changing(self, tears=self):
            self.total_it += 1
            for network in self._online():
                network.train()
                network.zero_grad(set_to_none=True)  # what a caller's own backward pass left behind
            losses = {"critic_loss": self._update_critic(batch)}
            if self.total_it % self.policy_freq == 0:
                losses["actor_loss"] = self._update_actor(batch)
                self._update_targets()
        return losses

    def _update_critic(self, batch: Batch) -> torch.Tensor:
        with torch.no_grad():
            next_actor_features = features_of(self.actor_cnn_target, batch.next_observation)
            next_critic_features = features_of(self.critic_cnn_target, batch.next_observation)
            bound = self.noise_clip * self.max_action
            noise = self._normal(batch.action.shape, self.target_noise_generator)
            noise = (noise * (self.policy_noise * self.max_action)).clamp(-bound, bound)
            next_action = self.actor_target(next_actor_features) + noise
            next_action = next_action.clamp(-self.max_action, self.max_action)
            q1, q2 = self.critic_target(next_critic_features, next_action)
            target = batch.reward + batch.not_done * self.discount * torch.min(q1, q2)
        q1, q2 = self.critic(features_of(self.critic_cnn, batch.observation), batch.action)
        loss = F.mse_loss(q1, target) + F.mse_loss(q2, target)
        loss.backward()  # type: ignore[no-untyped-call]
        step(self.critic_optimizer, self.critic_scheduler)
        step(self.critic_cnn_optimizer, self.critic_cnn_scheduler)
        return loss.detach()

    def _update_actor(self, batch: Batch) -> torch.Tensor:
        # The critic's CNN only serves here: in evaluation mode it keeps its normalisation statistics.
        with torch.no_grad(), evaluating(self.critic_cnn):
            critic_features = features_of(self.critic_cnn, batch.observation)
        action = self.actor(features_of(self.actor_cnn, batch.observation))
        loss: torch.Tensor = -self.critic.q1(critic_features, action).mean()
        trained = [p for net in (self.actor, self.actor_cnn) if net is not None for p in net.parameters()]
        # Only the actor's side accumulates gradients, so that none is left over in the critic.
        loss.backward(inputs=[p for p in trained if p.requires_grad])  # type: ignore[no-untyped-call]
        step(self.actor_optimizer, self.actor_scheduler)
        step(self.actor_cnn_optimizer, self.actor_cnn_scheduler)
        return loss.detach()

    @torch.no_grad()
    def _update_targets(self) -> None:
        for name in state.TRAINED_NETWORKS:
            network: nn.Module | None = getattr(self, name)
            target: nn.Module | None = getattr(self, f"{name}_target")
            if network is None or target is None:
                continue
            torch._foreach_lerp_(list(target.parameters()), list(network.parameters()), self.tau)
            # Statistics of normalisation layers are counts and averages already: averaged again they would
            # belong to no network.
            for buffer, online_buffer in zip(target.buffers(), network.buffers(), strict=True):
                buffer.copy_(online_buffer)

    @torch.no_grad()
    def select_action(self, observation: Any, explore: bool = False) -> np.ndarray[Any, Any]:
        """The action for one unbatched observation, as float32 array of shape (action_size,).

        With ``explore``, Gaussian noise from ``exploration_generator`` is added and the result clipped.
        Raises ValueError where the observation does not fit the config.
        """
        arrays = observation_arrays(self._observation_specs, observation)
        parts = {key: torch.tensor(array[None], device=self.device) for key, array in arrays.items()}
        batch = parts if self.use_dict_buffer else next(iter(parts.values()))
        with evaluating(self.actor_cnn):  # no other network depends on its mode
            action: torch.Tensor = self.actor(features_of(self.actor_cnn, batch))[0]
        if explore:
            noise = self._normal(action.shape, self.exploration_generator)
            action = action + noise * (self.exploration_noise * self.max_action)
            action = action.clamp(-self.max_action, self.max_action)
        return action.cpu().numpy()

    def sample_random_action(self) -> np.ndarray[Any, Any]:
        """A uniform action from ``exploration_generator``, for the first steps; float32 (action_size,)."""
        drawn = torch.rand(
            self.config.action_size, generator=self.exploration_generator, dtype=torch.float32, device="cpu"
        )
        return ((2 * drawn - 1) * self.max_action).numpy()

    @overload
    def save_checkpoint(
        self, filepath: str | os.PathLike[str], *, extra: Mapping[str, Any] | None = None
    ) -> None: ...
    @overload
    def save_checkpoint(
        self,
        filepath: str | os.PathLike[str],
        *,
        extra: Mapping[str, Any] | None = None,
        background: Literal[True],
    ) -> Future[None]: ...
    def save_checkpoint(
        self,
        filepath: str | os.PathLike[str],
        *,
        extra: Mapping[str, Any] | None = None,
        background: bool = False,
    ) -> Future[None] | None:
        """Write everything that decides this agent's future into one file, all of it or nothing.

        An existing file is replaced only once the new one is complete; missing folders are made. The agent
        and all random generators stay as they are. An update in another thread is waited for.

        Args:
            filepath: Where to write.
            extra: Sections around the agent's own, as plain data (dicts, lists, numbers, strings, tensors).
                There is one so far: ``run``, for the counters and the replay buffer of a training run.
            background: Copy everything and return; the file is written in another thread, after those that
                were to be written before.

        Returns:
            With ``background``, a future that is done once the file is on the disk, or raises then.

        Raises:
            CheckpointError: The file cannot be written, ``extra`` holds another section or something that
                is not plain data, or an update is going on in this thread or was interrupted half-way.
        """
        refuse_unwritable(filepath)
        with turns.reading(self, filepath):
            contents = state.to_save(self, extra, filepath)
            if not background:
                finish_writing(filepath)
                write_checkpoint(filepath, contents)
                return None
            snapshot = plain_contents(filepath, contents, copy=True)
        return write_in_background(filepath, snapshot)

    def load_checkpoint(
        self, filepath: str | os.PathLike[str], *, allow_partial: bool = False
    ) -> dict[str, Any]:
        """Become the agent that was saved, in everything that decides its future.

        Networks, parameters, optimizers, schedules and generators stay the same objects. The architecture
        must be the same; hyper-parameters, optimizer options included, are those of the file afterwards.

        Args:
            filepath: What to read.
            allow_partial: Also take a file that lacks pieces, such as those from before this format; what
                it lacks starts fresh, and a `PartialCheckpointWarning` lists that.

        Returns:
            The contents of the file, which share no memory with the agent, extra sections included.

        Raises:
            CheckpointError: The file cannot be read, or is not from such an agent; the message lists every
                mismatch by name, and the agent is exactly as it was.
        """
        contents = parse_checkpoint(filepath, unversioned=allow_partial)
        complete = partial.completed(self, contents, filepath) if allow_partial else contents
        restore(self, complete, source=filepath)
        return contents

    def _online(self) -> Iterable[nn.Module]:
        networks: list[nn.Module | None] = [getattr(self, name) for name in state.TRAINED_NETWORKS]
        return (network for network in networks if network is not None)

    def _normal(self, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu").to(self.device)

    def _prepared(self, batch: Batch) -> Batch:
        """A batch that fits, on the device, with images as the CNNs take them. Raises ValueError."""
        self._check(batch)
        batch = batch.to(self.device)
        if self.config.image_shape is None:
            return batch
        seen, following = (
            prepared(observation, channels_last=self.config.channels_last)
            for observation in (batch.observation, batch.next_observation)
        )
        return batch._replace(observation=seen, next_observation=following)

    def _check(self, batch: Batch) -> None:
        size = len(batch.action)
        shapes = {"action": (size, self.config.action_size), "reward": (size, 1), "not_done": (size, 1)}
        for name, shape in shapes.items():
            # A reward of shape (batch,) would broadcast to (batch, batch) without an error.
            if tuple(getattr(batch, name).shape) != shape:
                raise ValueError(
                    f"batch.{name} must have shape {shape}, not {tuple(getattr(batch, name).shape)}"
                )
        for name in ("observation", "next_observation"):
            check_observations(self._observation_specs, f"batch.{name}", getattr(batch, name), size)
