# SPDX-License-Identifier: MIT
"""Training loops for ``advance``: off-policy and on-policy, in one environment or in a vector of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Transition(NamedTuple):
    """One step of an environment; of a vector environment, an array of each, with one row an environment."""

    observation: Any
    action: Any
    reward: Any
    next_observation: Any
    terminated: Any
    truncated: Any


class Episode:
    """An environment, and the observation to act on next: where a loop is.

    It decides how training goes on, so it is state like any other: let ``save`` write it, and ``state``
    return it. Where that cannot be done, because a simulator's state is out of reach, make a new one in each
    call of ``advance``, with a seed that follows from what is saved, such as a count of steps: then nothing
    of it outlives the call, and checkpoints lie between episodes.

    An environment begins its next episode when the last one has ended; a vector environment does that by
    itself, and its transitions are as it gives them.

    Args:
        environment: a Gymnasium environment, or a vector environment.
        seed: of the first reset; without one the environment's own generator goes on.
    """

    def __init__(self, environment: Any, *, seed: int | None = None) -> None:
        self.environment = environment
        self.observation: Any = environment.reset(seed=seed)[0]

    def step(self, action: Any) -> Transition:
        """Take one step, and begin the next episode if this one has ended."""
        observation = self.observation
        following, reward, terminated, truncated, _ = self.environment.step(action)
        self.observation = following
        if not hasattr(self.environment, "num_envs") and (terminated or truncated):
            self.observation, _ = self.environment.reset()
        return Transition(observation, action, reward, following, terminated, truncated)


def off_policy(
    episode: Episode,
    steps: int,
    *,
    act: Callable[[Any], Any],
    store: Callable[[Transition], object],
    learn: Callable[[], object],
) -> None:
    """Act, store the transition, and learn from what is stored, at every step.

    Args:
        episode: where the loop is.
        steps: of the environment.
        act: the action for an observation, with exploration.
        store: puts a transition into the replay buffer.
        learn: one update, on what the agent samples by itself. It may do nothing while too little is stored.
    """
    for _ in range(steps):
        store(episode.step(act(episode.observation)))
        learn()


def on_policy(
    episode: Episode,
    steps: int,
    *,
    act: Callable[[Any], Any],
    learn: Callable[[list[Transition]], object],
    rollout: int = 8,
) -> None:
    """Collect rollouts with the policy as it is, and learn from each; the last one may be shorter.

    Args:
        episode: where the loop is.
        steps: of the environment.
        act: the action for an observation, drawn from the policy.
        learn: one update on the transitions of a rollout, in order.
        rollout: how many steps one has.
    """
    for begun in range(0, steps, rollout):
        learn([episode.step(act(episode.observation)) for _ in range(min(rollout, steps - begun))])
