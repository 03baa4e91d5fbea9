# SPDX-License-Identifier: MIT
"""What Stable-Baselines3's TD3 keeps and loses, found without this project: only torch and the library.

Run it to see the facts, ``python tests/third_party/sb3.py``; ``test_third_party_by_hand.py`` asserts them.
"""

from __future__ import annotations

import copy
import io
import json
import random
import tempfile
import zipfile
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import TD3
from stable_baselines3.common.callbacks import CheckpointCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.noise import NormalActionNoise, OrnsteinUhlenbeckActionNoise
from stable_baselines3.common.utils import LinearSchedule

NETWORKS = ("actor", "critic", "actor_target", "critic_target")


def train(steps=20, *, seed=1, delay=3, warm_up=2, noise=NormalActionNoise, callback=None):
    """A small agent after a number of steps in Pendulum."""
    scramble(0)
    agent = TD3(
        "MlpPolicy",
        "Pendulum-v1",
        learning_rate=LinearSchedule(1e-3, 1e-4, 1.0),
        buffer_size=22,
        learning_starts=warm_up,
        batch_size=8,
        tau=0.01,
        gamma=0.95,
        policy_delay=delay,
        target_policy_noise=0.3,
        target_noise_clip=0.4,
        action_noise=noise(np.zeros(1), np.full(1, 0.1)),
        policy_kwargs={"net_arch": [8]},
        seed=seed,
        device="cpu",
    )
    agent.set_logger(Logger(None, []))
    return agent.learn(steps, log_interval=None, callback=callback)


def save(agent, folder):
    """Save the documented way."""
    agent.save(folder / "agent")
    agent.save_replay_buffer(folder / "buffer")


def load(folder, *, environment=None, force_reset=True):
    """Load the documented way, into a new environment unless one is given."""
    agent = TD3.load(
        folder / "agent", env=environment or gym.make("Pendulum-v1"), device="cpu", force_reset=force_reset
    )
    agent.load_replay_buffer(folder / "buffer")
    agent.set_logger(Logger(None, []))
    return agent


def scramble(seed):
    """Set the global generators."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def generators():
    """The states of the global generators."""
    return torch.get_rng_state(), np.random.get_state(), random.getstate()


def restore_generators(states):
    """Back to what :func:`generators` returned."""
    torch.set_rng_state(states[0])
    np.random.set_state(states[1])
    random.setstate(states[2])


def same_generators(states, others):
    """Whether two results of :func:`generators` are equal."""
    of_numpy = [(name, key.tolist(), *rest) for name, key, *rest in (states[1], others[1])]
    return torch.equal(states[0], others[0]) and of_numpy[0] == of_numpy[1] and states[2] == others[2]


def weights(agent, *names):
    """The bytes of every tensor of some networks."""
    return {
        f"{name}.{key}": tensor.numpy().tobytes()
        for name in names
        for key, tensor in getattr(agent, name).state_dict().items()
    }


def moments(agent):
    """The bytes and options of both optimizers."""
    return [
        (
            {
                (index, key): tensor.numpy().tobytes()
                for index, moment in state["state"].items()
                for key, tensor in moment.items()
            },
            state["param_groups"],
        )
        for state in (getattr(agent, name).optimizer.state_dict() for name in ("actor", "critic"))
    ]


def transitions(agent):
    """The bytes of the replay buffer."""
    return {
        key: value.tobytes() if isinstance(value, np.ndarray) else value
        for key, value in vars(agent.replay_buffer).items()
        if not key.endswith("_space")
    }


def everything_learned(agent):
    """All that a step of training changes, but for what surrounds the agent."""
    return (
        weights(agent, *NETWORKS),
        moments(agent),
        transitions(agent),
        agent._n_updates,
        agent.num_timesteps,
    )


def pieces(folder):
    """Which pieces a reloaded agent has as they were."""
    agent = train(noise=OrnsteinUhlenbeckActionNoise)
    save(agent, folder)
    loaded = load(folder)
    hyper_parameters = (
        "tau",
        "gamma",
        "policy_delay",
        "target_policy_noise",
        "target_noise_clip",
        "batch_size",
    )

    def kept(of):
        return of(agent) == of(loaded)

    return {
        "online networks": kept(lambda a: weights(a, "actor", "critic")),
        "targets": kept(lambda a: weights(a, "actor_target", "critic_target")),
        "targets apart from online": weights(loaded, "actor") != weights(loaded, "actor_target"),
        "optimizers": kept(moments),
        "update counter": kept(lambda a: a._n_updates),
        "step counter": kept(lambda a: a.num_timesteps),
        "hyper-parameters": kept(lambda a: [getattr(a, name) for name in hyper_parameters]),
        "schedule": kept(lambda a: a.lr_schedule(0.3)),
        "schedule position": kept(lambda a: a._current_progress_remaining),
        "exploration noise state": kept(lambda a: a.action_noise.noise_prev.tobytes()),
        "modes of targets": kept(lambda a: (a.actor_target.training, a.critic_target.training)),
        "replay buffer": kept(transitions),
        "replay buffer without its own file": TD3.load(folder / "agent").replay_buffer.pos
        == agent.replay_buffer.pos,
        "last observation": loaded._last_obs is not None,
        "last observation without reset": np.array_equal(
            load(folder, force_reset=False)._last_obs, agent._last_obs
        ),
        "environment": hasattr(loaded.env.envs[0].unwrapped, "state"),  # which a reset has
        "warm-up generator": kept(lambda a: a.action_space.np_random.bit_generator.state),
    }


def what_the_file_holds(folder):
    """The entries of the archive, the keys of its state dicts and its counter."""
    save(train(), folder)
    with zipfile.ZipFile(folder / "agent.zip") as archive:
        data = json.loads(archive.read("data"))
        policy = torch.load(io.BytesIO(archive.read("policy.pth")))
        optimizer = torch.load(io.BytesIO(archive.read("critic.optimizer.pth")))
        return {
            "networks": {key.split(".")[0] for key in policy},
            "optimizers": {name for name in archive.namelist() if name.endswith("optimizer.pth")},
            "moments": set(optimizer["state"][0]),
            "counters": (data["num_timesteps"], data["_n_updates"]),
            "generators": [name for name in data if "rng" in name or "generator" in name],
            "environment": "env" in data,
        }


def next_updates(folder, updates):
    """Whether each further update is the same, with equal batches and equal global generators."""
    agent = train()
    save(agent, folder)
    loaded = load(folder)
    same = []
    for update in range(updates):
        for one in (agent, loaded):
            scramble(update)
            one.train(gradient_steps=1, batch_size=8)
        same.append(everything_learned(agent) == everything_learned(loaded))
    return same


def loading_reseeds(folder, seed):
    """Whether the global generators after loading are independent of what they were before."""
    save(train(seed=seed), folder)
    after = []
    for before in (1, 2):
        scramble(before)
        load(folder)
        after.append(generators())
    return same_generators(*after)


def closed_loop(folder, *, with_environment, with_generators, seed=1, warm_up=2):
    """Whether six more steps of learn() are the same as without the interruption."""
    agent = train(seed=seed, warm_up=warm_up)
    save(agent, folder)
    environment, state = copy.deepcopy(agent.get_env()), generators()
    agent.learn(6, log_interval=None, reset_num_timesteps=False)
    scramble(99)
    given = {"environment": environment, "force_reset": False} if with_environment else {}
    loaded = load(folder, **given)
    if with_generators:
        restore_generators(state)
    loaded.learn(6, log_interval=None, reset_num_timesteps=False)
    return everything_learned(agent) == everything_learned(loaded)


def checkpoint_callback(folder):
    """Steps, transitions and updates: saved by CheckpointCallback at step 20; at the end of that step."""
    train(21, callback=CheckpointCallback(20, folder, save_replay_buffer=True))
    saved = TD3.load(folder / "rl_model_20_steps")
    saved.load_replay_buffer(folder / "rl_model_replay_buffer_20_steps")
    agent = train(20)
    return [(one.num_timesteps, one.replay_buffer.size(), one._n_updates) for one in (saved, agent)]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for piece, kept in pieces(place).items():
            print(f"{piece}: {'kept' if kept else 'LOST'}")
        print("next updates equal:", next_updates(place, 6))
        for surroundings in ((False, False), (False, True), (True, False), (True, True)):
            environment, streams = surroundings
            equal = closed_loop(place, with_environment=environment, with_generators=streams)
            print(f"closed loop equal, environment {environment}, global generators {streams}: {equal}")
        print(
            "loading sets the global generators:",
            loading_reseeds(place, 1),
            "and without a seed:",
            loading_reseeds(place, None),
        )
        print(
            "steps, transitions, updates of CheckpointCallback and of the end of that step:",
            checkpoint_callback(place),
        )
        print("the file holds:", what_the_file_holds(place))
