# SPDX-License-Identifier: MIT
"""What tianshou 2's TD3 keeps and loses, found without this project: only torch and the library.

Run it to see the facts, ``python tests/third_party/tianshou_td3.py``; ``test_third_party_by_hand.py``
asserts them.
"""

from __future__ import annotations

import copy
import pickle
import random
import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm import TD3
from tianshou.algorithm.modelfree.ddpg import ContinuousDeterministicPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory, LRSchedulerFactoryLinear
from tianshou.data import Collector, ReplayBuffer, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.exploration import GaussianNoise
from tianshou.trainer import OffPolicyTrainerParams
from tianshou.utils.net.common import Net
from tianshou.utils.net.continuous import ContinuousActorDeterministic, ContinuousCritic
from tianshou.utils.torch_utils import policy_within_training_step

DELAY = 3
NETWORKS = ("policy.actor", "critic", "critic2")
TARGETS = ("actor_old", "critic_old", "critic2_old")


def build(seed=1, *, schedule=False, n_step=1, gamma=0.95):
    """A small algorithm for Pendulum."""
    scramble(seed)

    def optimizer():
        factory = AdamOptimizerFactory(lr=1e-3)
        linear = LRSchedulerFactoryLinear(max_epochs=2, epoch_num_steps=20, collection_step_num_env_steps=1)
        return factory.with_lr_scheduler_factory(linear) if schedule else factory

    def critic():
        return ContinuousCritic(
            preprocess_net=Net(state_shape=3, action_shape=1, hidden_sizes=[8], concat=True)
        )

    actor = ContinuousActorDeterministic(preprocess_net=Net(state_shape=3, hidden_sizes=[8]), action_shape=1)
    policy = ContinuousDeterministicPolicy(
        actor=actor,
        exploration_noise=GaussianNoise(sigma=0.1),
        action_space=gym.spaces.Box(-2, 2, (1,), np.float32),
    )
    return TD3(
        policy=policy,
        policy_optim=optimizer(),
        critic=critic(),
        critic_optim=optimizer(),
        critic2=critic(),
        critic2_optim=optimizer(),
        tau=0.01,
        gamma=gamma,
        update_actor_freq=DELAY,
        n_step_return_horizon=n_step,
    )


def update(algorithm, number):
    """One update; equal numbers give equal batches and equal global generators."""
    rng = np.random.default_rng(number)
    ended = rng.random(8) < 0.3
    batch = ReplayBuffer.from_data(
        obs=rng.normal(size=(8, 3)).astype(np.float32),
        act=rng.uniform(-1, 1, (8, 1)).astype(np.float32),
        rew=rng.normal(size=8),
        terminated=ended,
        truncated=np.zeros(8, bool),
        done=ended,
        obs_next=rng.normal(size=(8, 3)).astype(np.float32),
    )
    scramble(number)
    with policy_within_training_step(algorithm.policy):
        algorithm.update(buffer=batch, sample_size=0)


def save(algorithm, folder):
    """Save the documented way."""
    torch.save(algorithm.state_dict(), folder / "algorithm.pth")


def load(algorithm, folder):
    """Load the documented way; only, torch's default would refuse a schedule of numpy numbers."""
    algorithm.load_state_dict(torch.load(folder / "algorithm.pth", weights_only=False))
    return algorithm


def scramble(seed):
    """Set the global generators."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def weights(algorithm, *prefixes):
    """The bytes of every tensor of some networks."""
    tensors = {key: value for key, value in algorithm.state_dict().items() if key != "_optimizers"}
    return {key: value.numpy().tobytes() for key, value in tensors.items() if key.startswith(prefixes)}


def moments(algorithm):
    """The bytes and options of the optimizers."""
    return [
        (
            {
                (index, key): tensor.numpy().tobytes()
                for index, moment in state["state"].items()
                for key, tensor in moment.items()
            },
            state["param_groups"],
        )
        for state in algorithm.state_dict()["_optimizers"]
    ]


def everything_learned(algorithm):
    """All that an update changes in networks and optimizers."""
    return weights(algorithm, *NETWORKS, *TARGETS), moments(algorithm)


def pieces(folder):
    """Which pieces a reloaded algorithm has as they were."""
    algorithm = build(schedule=True)
    for number in range(4):
        update(algorithm, number)
    save(algorithm, folder)
    loaded = build(seed=2, schedule=True, gamma=0.5)
    scramble(3)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    load(loaded, folder)
    after = torch.get_rng_state(), np.random.get_state()[1].tolist()

    def kept(of):
        return of(algorithm) == of(loaded)

    return {
        "online networks": kept(lambda a: weights(a, *NETWORKS)),
        "targets": kept(lambda a: weights(a, *TARGETS)),
        "targets apart from online": not torch.equal(
            loaded.critic.last.model[0].weight, loaded.critic_old.module.last.model[0].weight
        ),
        "optimizers": kept(moments),
        "update counter": kept(lambda a: a._cnt),
        "last actor loss": kept(lambda a: a._last),
        "schedules": kept(lambda a: [scheduler.last_epoch for scheduler in a.lr_schedulers]),
        "hyper-parameters": kept(lambda a: a.gamma),
        "modes": kept(lambda a: {name: module.training for name, module in a.named_modules()}),
        "global generators": torch.equal(before[0], after[0]) and before[1] == after[1],
    }


def next_updates(folder, cut, *, schedule=False, restore=()):
    """Whether the next six updates are the same when saved after ``cut``; ``restore`` repairs by hand."""
    algorithm = build(schedule=schedule)
    for number in range(cut):
        update(algorithm, number)
    save(algorithm, folder)
    loaded = load(build(seed=2, schedule=schedule), folder)
    if "counter" in restore:
        loaded._cnt = algorithm._cnt
    if "schedules" in restore:
        for mine, theirs in zip(loaded.lr_schedulers, algorithm.lr_schedulers, strict=True):
            mine.load_state_dict({**theirs.state_dict(), "lr_lambdas": mine.state_dict()["lr_lambdas"]})
    same = []
    for number in range(cut, cut + 6):
        update(algorithm, number)
        with warnings.catch_warnings():  # of a schedule that steps before a delayed actor's optimizer
            warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step", UserWarning)
            update(loaded, number)
        same.append(everything_learned(algorithm) == everything_learned(loaded))
    return same


def default_load_error(folder, *, schedule):
    """The class of the error that ``torch.load`` without arguments raises for a checkpoint, if any."""
    save(build(schedule=schedule), folder)
    try:
        torch.load(folder / "algorithm.pth")
    except pickle.UnpicklingError as error:
        return type(error)
    return None


def whole_object_keeps_the_counter(folder):
    """Whether pickling the algorithm as a whole, which is not what its guide says, keeps the counter."""
    algorithm = build()
    update(algorithm, 0)
    torch.save(algorithm, folder / "whole.pth")
    return torch.load(folder / "whole.pth", weights_only=False)._cnt == algorithm._cnt


def loading_empties_the_dict():
    """Whether ``load_state_dict`` takes the optimizers out of the caller's dict."""
    state = build().state_dict()
    build().load_state_dict(state)
    return "_optimizers" not in state


def run(algorithm, buffer):
    """A collector in Pendulum and a trainer that has just begun: one step and one update an epoch."""
    environment = DummyVectorEnv([lambda: gym.make("Pendulum-v1", max_episode_steps=5)])
    environment.seed(5)
    collector = Collector(algorithm, environment, buffer, exploration_noise=True)
    trainer = algorithm.create_trainer(
        OffPolicyTrainerParams(
            training_collector=collector,
            epoch_num_steps=1,
            collection_step_num_env_steps=1,
            batch_size=8,
            verbose=False,
            show_progress=False,
        )
    )
    trainer.reset()
    return SimpleNamespace(collector=collector, trainer=trainer)


def transitions(buffer):
    """The bytes of what the buffer stores, and where it stands."""
    stored = {
        key: np.asarray(buffer._meta[key]).tobytes() for key in ("obs", "act", "rew", "done", "obs_next")
    }
    return stored, buffer.last_index.tolist(), len(buffer), [one._insertion_idx for one in buffer.buffers]


def sampling(buffer):
    """Where the generators that sample from the buffer stand."""
    states = [one._random_state.get_state() for one in (buffer, *buffer.buffers)]
    return [(key.tolist(), position) for _, key, position, *_ in states]


def buffer_pieces():
    """What a pickled replay buffer keeps."""
    algorithm = build()
    this = run(algorithm, VectorReplayBuffer(12, 1))
    for _ in range(17):
        this.trainer.execute_epoch()
    buffer = this.collector.buffer
    loaded = pickle.loads(pickle.dumps(buffer))
    return {
        "transitions": transitions(buffer) == transitions(loaded),
        "sampling generators": sampling(buffer) == sampling(loaded),
        "parts shared memory": np.shares_memory(buffer._meta.done, buffer.buffers[0]._meta.done),
        "parts share memory": np.shares_memory(loaded._meta.done, loaded.buffers[0]._meta.done),
    }


def closed_loop(folder, cut, *, restore=(), n_step=1):
    """Whether 16 more epochs are the same as without the interruption; ``restore`` repairs by hand."""
    algorithm = build(n_step=n_step)
    this = run(algorithm, VectorReplayBuffer(12, 1))
    for _ in range(cut):
        this.trainer.execute_epoch()
    save(algorithm, folder)
    buffer, counter = pickle.dumps(this.collector.buffer), algorithm._cnt
    episode = copy.deepcopy(
        [
            this.collector.env.workers[0].env,
            this.collector._pre_collect_obs_RO,
            this.collector._pre_collect_info_R,
        ]
    )
    streams = torch.get_rng_state(), np.random.get_state()
    for _ in range(16):
        this.trainer.execute_epoch()

    loaded = load(build(seed=2, n_step=n_step), folder)
    that = run(loaded, pickle.loads(buffer))
    if "counter" in restore:
        loaded._cnt = counter
    if "episode" in restore:
        (
            that.collector.env.workers[0].env,
            that.collector._pre_collect_obs_RO,
            that.collector._pre_collect_info_R,
        ) = episode
    if "memory" in restore:
        that.collector.buffer._set_batch_for_children()
    scramble(99)
    if "generators" in restore:
        torch.set_rng_state(streams[0])
        np.random.set_state(streams[1])
    for _ in range(16):
        that.trainer.execute_epoch()
    return everything_learned(algorithm) == everything_learned(loaded) and transitions(
        this.collector.buffer
    ) == transitions(that.collector.buffer)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for piece, kept in {**pieces(place), **buffer_pieces()}.items():
            print(f"{piece}: {'kept' if kept else 'LOST'}")
        for cut in range(DELAY + 1):
            print(f"next updates equal after {cut}:", next_updates(place, cut))
        print("with the counter restored:", next_updates(place, 1, restore=("counter",)))
        print(
            "with a schedule and the counter restored:",
            next_updates(place, 1, schedule=True, restore=("counter",)),
        )
        print(
            "and the schedules restored:",
            next_updates(place, 1, schedule=True, restore=("counter", "schedules")),
        )
        print(
            "default load with a schedule:",
            default_load_error(place, schedule=True),
            "and without:",
            default_load_error(place, schedule=False),
        )
        print("a pickled algorithm has its counter:", whole_object_keeps_the_counter(place))
        print("load_state_dict empties the dict:", loading_empties_the_dict())
        everything = ("counter", "episode", "generators")
        for missing in (*everything, None):
            restored = tuple(piece for piece in everything if piece != missing)
            print(f"closed loop equal with {', '.join(restored)}:", closed_loop(place, 20, restore=restored))
        for restored in (everything, (*everything, "memory")):
            print(
                f"3-step returns, with {', '.join(restored)}:",
                closed_loop(place, 20, restore=restored, n_step=3),
            )
