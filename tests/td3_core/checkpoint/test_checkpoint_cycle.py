# SPDX-License-Identifier: MIT
"""Train, save, load into a fresh agent: every piece of the agent is preserved, bit by bit.

As a script it prints one line per piece, ``ok`` or ``LOST``, and exits with 1 if a piece is lost.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from td3_core import TD3, Batch, TD3Config
from td3_core.checkpoint import contents as state
from td3_core.checkpoint.restoring import restore
from td3_core.config import OptimizerConfig, ScheduleConfig

if TYPE_CHECKING:
    from collections.abc import Callable

NETWORKS = ("actor", "critic", "actor_cnn", "critic_cnn")
HYPER_PARAMETERS = ("discount", "tau", "policy_noise", "noise_clip", "policy_freq", "max_action")


def _pieces() -> dict[str, Callable[[TD3], Any]]:
    """Each piece by its name, as what can be compared of it."""
    pieces: dict[str, Callable[[TD3], Any]] = {}
    for name in NETWORKS:
        label = name.replace("_cnn", " CNN")
        pieces[label] = lambda agent, name=name: getattr(agent, name).state_dict()
        pieces[f"{label} target"] = lambda agent, name=name: getattr(agent, f"{name}_target").state_dict()
        pieces[f"{label} optimizer"] = lambda agent, name=name: getattr(
            agent, f"{name}_optimizer"
        ).state_dict()
        pieces[f"{label} schedule"] = lambda agent, name=name: getattr(
            agent, f"{name}_scheduler"
        ).state_dict()
    pieces["training iteration"] = lambda agent: agent.total_it
    for name in (*HYPER_PARAMETERS, "exploration_noise"):
        pieces[name] = lambda agent, name=name: getattr(agent, name)
    for name in ("target_noise", "exploration", "replay"):
        pieces[f"{name} generator"] = lambda agent, name=name: getattr(agent, f"{name}_generator").get_state()
    return pieces


PIECES = _pieces()
NEXT_STEPS = "next steps"


class GuardedTD3(TD3):
    """An agent with the bug that this test was written for.

    Saving guards on ``cnn_extractor``, which was split into two CNNs and no longer exists, so neither CNN
    and neither CNN optimizer is saved; loading takes what there is, and nothing fails.
    """

    def save_checkpoint(self, filepath: Any, *, extra: Any = None) -> None:
        super().save_checkpoint(filepath, extra=extra)
        if getattr(self, "cnn_extractor", None) is None:
            contents = torch.load(filepath, weights_only=True)
            for name in ("actor_cnn", "critic_cnn"):
                del contents[f"{name}_state_dict"], contents[f"{name}_optimizer_state_dict"]
            torch.save(contents, filepath)

    def load_checkpoint(self, filepath: Any) -> dict[str, Any]:
        contents = {**state.capture(self), **torch.load(filepath, weights_only=True)}
        restore(self, contents, source=filepath)
        return contents


def cycle(agent_class: type[TD3] = TD3) -> dict[str, bool]:
    """Whether each piece is the same in a trained agent and in a fresh one that loaded its checkpoint."""
    torch.set_num_threads(1)
    agent = agent_class(_config(lr=1e-3), seed=1)
    agent.policy_noise = 0.15  # as a user may, after building
    for step in range(5):
        agent.update(_batch(agent.config, step))
    observation = {key: value[0].numpy() for key, value in _batch(agent.config, 0).observation.items()}
    agent.select_action(observation, explore=True)
    torch.randint(9, (3,), generator=agent.replay_generator)

    other = _config(
        lr=0.5, discount=0.5, tau=0.5, policy_noise=0.9, noise_clip=0.9, policy_freq=5, max_action=3.0
    )
    fresh = agent_class(replace(other, exploration_noise=0.9), seed=2)
    with tempfile.TemporaryDirectory() as folder:
        agent.save_checkpoint(Path(folder) / "agent.pth")
        fresh.load_checkpoint(Path(folder) / "agent.pth")

    preserved = {name: _bits(piece(fresh)) == _bits(piece(agent)) for name, piece in PIECES.items()}
    same = True
    for step in range(5, 10):
        losses, fresh_losses = (
            agent.update(_batch(agent.config, step)),
            fresh.update(_batch(agent.config, step)),
        )
        same = same and _bits(losses) == _bits(fresh_losses)
    preserved[NEXT_STEPS] = same and all(
        _bits(piece(fresh)) == _bits(piece(agent)) for piece in PIECES.values()
    )
    return preserved


def _config(lr: float, **hyper_parameters: Any) -> TD3Config:
    optimizer = OptimizerConfig("Adam", {"lr": lr}, ScheduleConfig("StepLR", {"step_size": 3, "gamma": 0.5}))
    names = [f"{name}_optimizer" for name in NETWORKS]
    return TD3Config.tiny("dict", **dict.fromkeys(names, optimizer), **hyper_parameters)


def _batch(config: TD3Config, seed: int) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    assert config.image_shape is not None

    def observation() -> dict[str, torch.Tensor]:
        image = torch.randint(0, 256, (8, *config.image_shape), generator=generator, dtype=torch.uint8)
        return {"image": image, "vector": torch.randn(8, config.vector_size, generator=generator)}

    action = torch.rand(8, config.action_size, generator=generator)
    reward, not_done = torch.randn(8, 1, generator=generator), torch.ones(8, 1)
    return Batch(observation(), action, observation(), reward, not_done)


def _bits(value: Any) -> Any:
    """The value with its tensors as bytes, so that ``==`` means every bit."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), tuple(value.shape), value.detach().contiguous().numpy().tobytes()
    if isinstance(value, dict):
        return {key: _bits(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_bits(item) for item in value]
    return value if isinstance(value, str | None) else (type(value).__name__, repr(value))


def main(agent_class: type[TD3] = TD3) -> int:
    """Print a line per piece; 0 if all are preserved, else 1."""
    preserved = cycle(agent_class)
    for name, kept in preserved.items():
        print(f"{'ok  ' if kept else 'LOST'}  {name}")
    return 0 if all(preserved.values()) else 1


@pytest.fixture(scope="module")
def preserved() -> dict[str, bool]:
    return cycle()


@pytest.mark.parametrize("piece", [*PIECES, NEXT_STEPS])
def test_piece_is_preserved(preserved: dict[str, bool], piece: str) -> None:
    assert preserved[piece]


def test_the_original_bug_is_caught(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(GuardedTD3) == 1
    lines = capsys.readouterr().out.splitlines()
    assert {line.removeprefix("LOST  ") for line in lines if line.startswith("LOST")} == {
        "actor CNN",
        "critic CNN",
        "actor CNN optimizer",
        "critic CNN optimizer",
        NEXT_STEPS,
    }


def test_script_prints_a_line_per_piece() -> None:
    root = Path(__file__).parents[3]
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    run = subprocess.run(
        [sys.executable, __file__],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [f"ok    {piece}" for piece in [*PIECES, NEXT_STEPS]]


if __name__ == "__main__":
    sys.exit(main())
