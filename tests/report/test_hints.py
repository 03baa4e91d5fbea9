# SPDX-License-Identifier: MIT
"""Hints: each known pattern is recognised in an agent that has it, and not where it is only nearly so."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
import torch
from adapters import Tiny
from agents import Agent

from verification import check_agent
from verification.losses import AS_BEGUN, AS_BUILT, Loss
from verification.report.hints import HINTS, hint

if TYPE_CHECKING:
    from agents import Config


class CopiesItsTarget(Agent):
    def restore(self, contents: dict[str, Any]) -> None:
        super().restore(contents)
        self.net_target.load_state_dict(self.net.state_dict())


class ReadsItsTarget(Agent):
    """Mixes up two names."""

    def restore(self, contents: dict[str, Any]) -> None:
        super().restore({**contents, "net": contents["net_target"]})


class KeepsItsRate(Agent):
    def restore(self, contents: dict[str, Any]) -> None:
        super().restore(contents)
        for group in self.optimizer.param_groups:
            group["lr"] = 0.05


class ShiftsItsTarget(Agent):
    """Loses its target, whose values are then no other network's."""

    def restore(self, contents: dict[str, Any]) -> None:
        super().restore(contents)
        with torch.no_grad():
            for parameter in self.net_target.parameters():
                parameter.add_(0.5)


class ShiftsItsCounter(Agent):
    def restore(self, contents: dict[str, Any]) -> None:
        super().restore(contents)
        self.total_it += 5


class Made(Tiny):
    def __init__(self, kind: type[Agent]) -> None:
        super().__init__()
        self.kind = kind

    def build(self, config: Config, seed: int) -> Agent:
        return self.kind(config, seed)


def told(adapter: Tiny, check: str) -> str:
    """The hints on what the check finds to be lost."""
    report = check_agent(adapter, checks=[check], examples=4, seed=1, shrink=False)
    assert report.result(check).lost
    losses = [loss for loss in report.lost if report.reported_by(loss)]
    return " ".join(hint(loss, report.lost) for loss in losses)


@pytest.mark.parametrize(
    ("adapter", "check", "words"),
    [
        (Made(CopiesItsTarget), "targets_survive_reload", "agent.net_target equals agent.net exactly: does"),
        (Made(ReadsItsTarget), "online_networks_survive_reload", "agent.net equals agent.net_target exactly"),
        (Tiny("loses its network"), "online_networks_survive_reload", "agent.net is as it was before"),
        (
            Tiny("loses its momentum"),
            "optimizer_state_survives_reload",
            "nothing of agent.optimizer has come",
        ),
        (Made(KeepsItsRate), "schedules_survive_reload", "that the receiver was built with"),
        (Tiny("loses its schedule"), "schedules_survive_reload", "agent.schedule is at its start again"),
        (Tiny("loses its counter"), "counters_survive_reload", "agent.total_it is back at its first value"),
        (Tiny("loses its noise"), "generators_survive_reload", "agent.noise begins again at its seed"),
    ],
)
def test_a_known_pattern_is_recognised_in_an_agent(adapter: Tiny, check: str, words: str) -> None:
    assert words in told(adapter, check)


@pytest.mark.parametrize(
    ("kind", "check"),
    [(ShiftsItsTarget, "targets_survive_reload"), (ShiftsItsCounter, "counters_survive_reload")],
)
def test_another_value_fits_no_pattern(kind: type[Agent], check: str) -> None:
    assert told(Made(kind), check) == ""


def loss(name: str, part: str, *equals: str, differences: tuple[str, ...] = ()) -> Loss:
    return Loss(name, name, part, "spreads", differences=differences, equals=equals)


PATTERNS = [
    loss("agent.target", "target networks", "agent.critic"),
    loss("agent.critic", "online networks", "agent.actor"),
    loss("agent.critic", "online networks", AS_BUILT),
    loss("agent.adam", "optimizer state", AS_BEGUN),
    loss("agent.adam", "hyper-parameters", AS_BUILT, differences=("agent.adam.param_groups[0]['lr'] is",)),
    loss("agent.decay", "schedules", AS_BEGUN),
    loss("agent.total_it", "counters", AS_BEGUN),
    loss("agent.noise", "random generators", AS_BUILT),
]


@pytest.mark.parametrize("one", PATTERNS, ids=[f"{one.part} {one.equals[0]}" for one in PATTERNS])
def test_a_pattern_is_what_the_piece_has_become(one: Loss) -> None:
    assert hint(one, [one])
    assert not hint(dataclasses.replace(one, equals=()), [one])


def test_every_hint_has_a_pattern_of_its_own() -> None:
    assert [pattern for one in PATTERNS for pattern in HINTS if pattern(one)] == list(HINTS)


def test_what_actor_and_critic_both_lose_was_perhaps_shared_once() -> None:
    both = [loss(f"agent.{name}_cnn", "online networks", AS_BUILT) for name in ("actor", "critic")]
    for one in both:
        assert "are lost alike: does save look for one that actor and critic shared once" in hint(one, both)
        assert "shared" not in hint(one, [one])
    targets = [dataclasses.replace(one, part="target networks") for one in both]
    assert "shared" not in hint(targets[0], targets)
    whole = [loss(f"agent.{name}", "online networks", AS_BUILT) for name in ("actor", "critic")]
    assert "shared" not in hint(whole[0], whole)
