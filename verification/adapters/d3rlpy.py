# SPDX-License-Identifier: MIT
"""SAC and TD3 of d3rlpy, updated with batches as ``fit`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import d3rlpy
import gymnasium as gym
import hypothesis.strategies as st
from d3rlpy.dataset import Transition, TransitionMiniBatch
from d3rlpy.models import VectorEncoderFactory
from d3rlpy.optimizers import AdamFactory, CosineAnnealingLRFactory

from verification.strategies import observations, transition_batches

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from hypothesis.strategies import SearchStrategy

    from verification.strategies import Transitions

_OBSERVATIONS, _ACTIONS = gym.spaces.Box(-1, 1, (3,)), gym.spaces.Box(-1, 1, (2,))


class _Algorithm:
    """Saved with ``save`` and loaded with ``load_learnable``, as "Save and Load" in the tutorial says."""

    config_class: Any

    @property
    def name(self) -> str:
        """As on the command line."""
        return f"d3rlpy_{type(self).__name__.lower()}"

    def options(self) -> dict[str, SearchStrategy[Any]]:
        """Fields of the algorithm's config that hold state."""
        raise NotImplementedError

    def configs(self) -> SearchStrategy[dict[str, Any]]:
        """Constant and annealed learning rates, with and without dropout, and the algorithm's options."""
        common = {
            "hidden": st.integers(3, 6),
            "dropout": st.sampled_from([None, 0.3]),
            "annealed": st.booleans(),
        }
        return st.fixed_dictionaries({**common, "options": st.fixed_dictionaries(self.options())})

    def batches(self, config: dict[str, Any]) -> SearchStrategy[Transitions]:
        """Transitions."""
        return transition_batches(_OBSERVATIONS, _ACTIONS, batch_sizes=(4,))

    def observations(self, config: dict[str, Any]) -> SearchStrategy[Any]:
        """One observation."""
        return observations(_OBSERVATIONS)

    def build(self, config: dict[str, Any], seed: int) -> Any:
        """An algorithm, seeded as the tutorial says."""
        d3rlpy.seed(seed)
        encoder = VectorEncoderFactory([config["hidden"]], dropout_rate=config["dropout"])
        annealing = CosineAnnealingLRFactory(T_max=20) if config["annealed"] else None
        agent = self.config_class(
            actor_encoder_factory=encoder,
            critic_encoder_factory=encoder,
            actor_optim_factory=AdamFactory(lr_scheduler_factory=annealing),
            critic_optim_factory=AdamFactory(lr_scheduler_factory=annealing),
            **config["options"],
        ).create(device="cpu")
        agent.create_impl(_OBSERVATIONS.shape, _ACTIONS.shape[0])
        return agent

    def learn(self, agent: Any, batch: Transitions) -> None:
        """One update."""
        rows = zip(
            *(batch.observation, batch.action, batch.reward, batch.next_observation, batch.terminated),
            strict=True,
        )
        transitions = [
            Transition(seen, action, reward, following, action, float(terminated[0]), 1, reward[None])
            for seen, action, reward, following, terminated in rows
        ]
        agent.update(TransitionMiniBatch.from_transitions(transitions))

    def act(self, agent: Any, observation: Any) -> np.ndarray[Any, Any]:
        """The action without noise."""
        action: np.ndarray[Any, Any] = agent.predict(observation[None])
        return action

    def save(self, agent: Any, path: Path) -> None:
        """One file, with the parameters and the config."""
        agent.save(str(path))

    def load(self, agent: Any, path: Path) -> Any:
        """A new algorithm; nothing of the receiver is used."""
        return d3rlpy.load_learnable(str(path), device="cpu")


class SAC(_Algorithm):
    """Soft actor-critic, whose temperature is learned."""

    config_class = d3rlpy.algos.SACConfig

    def options(self) -> dict[str, SearchStrategy[Any]]:
        """The temperature's first value."""
        return {"initial_temperature": st.sampled_from([1.0, 0.1])}


class TD3(_Algorithm):
    """Twin delayed DDPG."""

    config_class = d3rlpy.algos.TD3Config

    def options(self) -> dict[str, SearchStrategy[Any]]:
        """How often the actor is trained."""
        return {"update_actor_interval": st.integers(1, 3)}
