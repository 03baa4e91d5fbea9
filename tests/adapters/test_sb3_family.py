# SPDX-License-Identifier: MIT
"""TD3, SAC, DQN, PPO and TQC keep what updates need, and nothing has to be excused for it."""

from __future__ import annotations

import pytest

from verification import check_agent
from verification.adapters.find import load_adapter


@pytest.mark.parametrize("name", ["stable_baselines3", "sb3_sac", "sb3_dqn", "sb3_ppo", "sb3_tqc"])
def test_training_goes_on_as_it_would_have(name: str) -> None:
    pytest.importorskip("sb3_contrib")
    adapter = load_adapter(name)
    assert not hasattr(adapter, "volatile")
    report = check_agent(adapter, level="training", examples=4, seed=1)
    assert report.ok, report.summary()
    assert report.lost == ()
    report.require(20)
