# SPDX-License-Identifier: MIT
"""The program in the golden files of kept failures, and what writes such a file.

``python tests/counterexamples/kept_program.py FILE`` in the checkout of a version writes its file.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch

from verification.checks.registry import all_checks
from verification.counterexamples.store import FailureStore
from verification.program import Act, Advance, Implant, Learn, Operate, Program
from verification.strategies import (
    CNN,
    AgentConfig,
    Conv,
    OptimizerSpec,
    OptimizerState,
    ScheduleSpec,
    Transitions,
    Treatment,
    Wave,
)

TARGET, CHECK = "td3_core", "counters_survive_reload"
SENTENCE = "Counters saved after 1 step came back different."
#: A negative zero, a subnormal, an infinity, and a NaN with a payload.
ODD = (0x8000000000000000, 0x1, 0x7FF0000000000000, 0xFFF8000000000001)


def config() -> AgentConfig:
    """A config whose networks and optimizers have parts in common."""
    box = gym.spaces.Box
    cnn = CNN((Conv(2, 3, pool="max"), Conv(2, 1)), 3, normalization="batch")
    adam = OptimizerSpec("Adam", {"lr": 1e-3, "betas": (0.8, 0.99), "amsgrad": True}, ({"lr": 3e-4},))
    return AgentConfig(
        gym.spaces.Dict(image=box(0, 255, (3, 6, 6), np.uint8), vector=box(-1, 1, (2,))),
        box(np.array([-1.0, -2.0], "float32"), np.array([1.0, 2.0], "float32")),
        (4, 3),
        (4,),
        cnn,
        cnn,
        adam,
        OptimizerSpec("SGD", {"lr": 1e-2, "momentum": 0.9}),
        adam,
        adam,
        schedule=ScheduleSpec("LambdaLR", {"lr_lambda": Wave(0.5, 2)}),
        treatment=Treatment(frozen=True, memory="channels_last"),
    )


def batch() -> Transitions:
    """Transitions of odd numbers; both observations are one object."""
    image = np.arange(2 * 3 * 6 * 6, dtype="uint8").reshape(2, 3, 6, 6)
    vector = np.asfortranarray(np.arange(4, dtype="float32").reshape(2, 2))
    observation = {"image": image, "vector": vector}
    action, reward = np.array(ODD, "u8").view("f8").reshape(2, 2), np.array([[0.1], [-0.0]], "float32")
    return Transitions(observation, action, reward, observation, np.zeros((2, 1), "float32"))


def program() -> Program:
    """A program with most of what programs can hold."""
    trained, learned = config(), batch()
    agents = importlib.import_module("agents")
    tensors = torch.arange(8.0).reshape(2, 4).t(), torch.tensor([1.5, -0.0], dtype=torch.bfloat16)
    return Program(
        config=trained,
        receiver_config=replace(trained, tau=0.5),
        seed=3,
        receiver_seed=4,
        steps=(
            Learn(learned),
            Act({"image": np.ones((3, 6, 6), "uint8"), "vector": np.array(ODD[:2], "u8").view("f8")}),
            Advance(5),
            Implant(OptimizerState(step=2**24 + 2, moments="subnormal")),
            Operate(("lr", "actor", 0.25, agents.Config(1.5), tensors)),
        ),
        cuts=(0, 2),
        receiver_steps=(Learn(learned),),
        probe={"image": np.float32(0.1), "vector": float("-inf"), "labels": {1, 2}, 7: b"\x00\xff"},
        entropy=11,
        bystander=True,
    )


def main() -> None:
    """Keep the program with whatever this version keeps programs with."""
    with tempfile.TemporaryDirectory() as folder:
        kept = FailureStore(folder, TARGET)
        name = kept.keep(all_checks()[CHECK], program(), SENTENCE)
        Path(sys.argv[1]).write_bytes(Path(folder, f"{name}.failure").read_bytes())


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
