# SPDX-License-Identifier: MIT
"""The verdicts on other libraries, confirmed without this project's suite.

Every fact was found with stable-baselines3 2.9.2 and tianshou 2.0.1. A test that fails here says that a
library has changed; what the suite says about it must then be looked at again.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from pathlib import Path

BOTH = (True, False)


@pytest.fixture(autouse=True)
def _one_thread() -> object:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.set_rng_state(state)


@pytest.fixture
def sb3() -> object:
    pytest.importorskip("stable_baselines3")
    from third_party import sb3

    return sb3


@pytest.fixture
def tianshou() -> object:
    pytest.importorskip("tianshou")
    from third_party import tianshou_td3

    return tianshou_td3


class TestStableBaselines3:
    def test_keeps_all_that_it_owns_but_the_episode_and_the_streams(self, sb3, tmp_path: Path) -> None:
        pieces = sb3.pieces(tmp_path)
        lost = [piece for piece, kept in pieces.items() if not kept]
        assert lost == [
            "replay buffer without its own file",
            "last observation",
            "environment",
            "warm-up generator",
        ]
        assert len(pieces) == 17

    def test_file_holds_every_network_both_optimizers_and_the_counters(self, sb3, tmp_path: Path) -> None:
        assert sb3.what_the_file_holds(tmp_path) == {
            "networks": {"actor", "critic", "actor_target", "critic_target"},
            "optimizers": {"actor.optimizer.pth", "critic.optimizer.pth"},
            "moments": {"step", "exp_avg", "exp_avg_sq"},
            "counters": (20, 18),
            "generators": [],
            "environment": False,
        }

    def test_next_updates_are_the_same_through_the_policy_delay(self, sb3, tmp_path: Path) -> None:
        assert sb3.next_updates(tmp_path, updates=6) == [True] * 6

    @pytest.mark.parametrize("generators", BOTH)
    @pytest.mark.parametrize("environment", BOTH)
    def test_closed_loop_needs_environment_and_generators_from_elsewhere(
        self, sb3, tmp_path: Path, environment: bool, generators: bool
    ) -> None:
        equal = sb3.closed_loop(tmp_path, with_environment=environment, with_generators=generators)
        assert equal == (environment and generators)

    @pytest.mark.parametrize("seed", [1, None])
    def test_a_seed_starts_the_streams_again_when_loading(
        self, sb3, tmp_path: Path, seed: int | None
    ) -> None:
        assert sb3.loading_reseeds(tmp_path, seed) == (seed is not None)
        # So does the generator of random warm-up actions, although the file has it; here it is still in use.
        equal = sb3.closed_loop(tmp_path, with_environment=True, with_generators=True, seed=seed, warm_up=23)
        assert equal == (seed is None)

    def test_checkpoint_callback_saves_in_the_middle_of_a_step(self, sb3, tmp_path: Path) -> None:
        (steps, stored, updates), at_the_end_of_the_step = sb3.checkpoint_callback(tmp_path)
        assert (steps, stored + 1, updates + 1) == at_the_end_of_the_step


class TestTianshou:
    def test_loses_counter_and_schedules(self, tianshou, tmp_path: Path) -> None:
        pieces = tianshou.pieces(tmp_path)
        lost = [piece for piece, kept in pieces.items() if not kept]
        assert lost == ["update counter", "last actor loss", "schedules", "hyper-parameters"]
        assert len(pieces) == 10

    @pytest.mark.parametrize("cut", range(5))
    def test_next_updates_differ_unless_the_cut_falls_on_an_actor_update(
        self, tianshou, tmp_path: Path, cut: int
    ) -> None:
        expected = cut % tianshou.DELAY == 0
        assert tianshou.next_updates(tmp_path, cut) == [expected] * 6

    @pytest.mark.parametrize("cut", range(5))
    def test_only_the_counter_is_missing_for_the_next_updates(
        self, tianshou, tmp_path: Path, cut: int
    ) -> None:
        assert tianshou.next_updates(tmp_path, cut, restore=("counter",)) == [True] * 6

    def test_with_a_schedule_its_position_is_missing_too(self, tianshou, tmp_path: Path) -> None:
        counter, both = ("counter",), ("counter", "schedules")
        assert tianshou.next_updates(tmp_path, 4, schedule=True, restore=counter) == [False] * 6
        assert tianshou.next_updates(tmp_path, 4, schedule=True, restore=both) == [True] * 6

    def test_a_checkpoint_with_its_linear_schedule_does_not_load_by_default(
        self, tianshou, tmp_path: Path
    ) -> None:
        assert tianshou.default_load_error(tmp_path, schedule=True) is pickle.UnpicklingError
        assert tianshou.default_load_error(tmp_path, schedule=False) is None

    def test_the_counter_survives_only_if_the_whole_object_is_pickled(self, tianshou, tmp_path: Path) -> None:
        assert tianshou.whole_object_keeps_the_counter(tmp_path)

    def test_loading_takes_the_optimizers_out_of_the_callers_dict(self, tianshou) -> None:
        assert tianshou.loading_empties_the_dict()

    def test_a_pickled_buffer_keeps_its_content_and_streams_but_not_its_shared_memory(self, tianshou) -> None:
        assert tianshou.buffer_pieces() == {
            "transitions": True,
            "sampling generators": True,
            "parts shared memory": True,
            "parts share memory": False,
        }

    @pytest.mark.parametrize("missing", ["counter", "episode", "generators", None])
    def test_closed_loop_needs_counter_episode_and_generators_from_elsewhere(
        self, tianshou, tmp_path: Path, missing: str | None
    ) -> None:
        restored = [piece for piece in ("counter", "episode", "generators") if piece != missing]
        assert tianshou.closed_loop(tmp_path, 20, restore=restored) == (missing is None)

    @pytest.mark.parametrize("memory", BOTH)
    def test_the_lost_shared_memory_changes_returns_of_several_steps(
        self, tianshou, tmp_path: Path, memory: bool
    ) -> None:
        restored = ["counter", "episode", "generators"] + ["memory"] * memory
        assert tianshou.closed_loop(tmp_path, 20, restore=restored, n_step=3) == memory
