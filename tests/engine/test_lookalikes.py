# SPDX-License-Identifier: MIT
"""What a lost piece holds is told where something else holds exactly the same."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from states import look
from torch import nn

from verification.engine.lookalikes import lookalikes
from verification.losses import AS_BEGUN, AS_BUILT
from verification.state import changes


def net(value: float) -> nn.Linear:
    made = nn.Linear(1, 1)
    with torch.no_grad():
        made.weight.fill_(value)
        made.bias.fill_(value + 0.5)
    return made


def agent(actor: float, target: float, **more: Any) -> SimpleNamespace:
    return SimpleNamespace(actor=net(actor), target=net(target), **more)


def told(*, saved: Any, loaded: Any, built: Any, begun: Any) -> tuple[str, ...]:
    reference, found = look(saved), look(loaded)
    lost = list(changes(reference, found))
    return lookalikes(lost, reference=reference, loaded=found, built=look(built), begun=look(begun))


def test_what_the_receiver_held_before_is_as_built() -> None:
    assert told(saved=agent(5, 4), loaded=agent(5, 7), built=agent(6, 7), begun=agent(1, 2)) == (AS_BUILT,)


def test_what_the_run_began_with_is_as_begun() -> None:
    assert told(saved=agent(5, 4), loaded=agent(5, 2), built=agent(6, 7), begun=agent(1, 2)) == (AS_BEGUN,)


def test_it_can_be_both() -> None:
    both = (AS_BUILT, AS_BEGUN)
    assert told(saved=agent(5, 4), loaded=agent(5, 2), built=agent(6, 2), begun=agent(1, 2)) == both


def test_a_copy_of_another_network_is_told_by_its_path() -> None:
    found = told(saved=agent(5, 4), loaded=agent(5, 5), built=agent(6, 7), begun=agent(1, 2))
    assert found == ("agent.actor",)


def test_networks_that_were_equal_when_they_were_saved_explain_nothing() -> None:
    saved = agent(5, 4)
    with torch.no_grad():
        saved.target.weight.fill_(5)
        saved.actor.bias.fill_(1)
        saved.target.bias.fill_(1)
    loaded = agent(9, 9)
    assert told(saved=saved, loaded=loaded, built=agent(6, 7), begun=agent(1, 2)) == ()


def test_all_that_is_lost_has_to_be_equal() -> None:
    half = agent(5, 7)
    with torch.no_grad():
        half.target.bias.fill_(3)
    assert told(saved=agent(5, 4), loaded=half, built=agent(6, 7), begun=agent(1, 2)) == ()
    copied = agent(5, 5)
    with torch.no_grad():
        copied.target.bias.fill_(3)
    assert told(saved=agent(5, 4), loaded=copied, built=agent(6, 7), begun=agent(1, 2)) == ()


def test_one_tensor_can_be_a_copy_too() -> None:
    saved, loaded = agent(5, 4), agent(5, 4)
    with torch.no_grad():
        loaded.target.weight.fill_(5)
    assert told(saved=saved, loaded=loaded, built=agent(6, 7), begun=agent(1, 2)) == ("agent.actor",)


def test_numbers_are_no_copies_of_one_another() -> None:
    saved, loaded = SimpleNamespace(a=1, b=2), SimpleNamespace(a=1, b=1)
    found = told(saved=saved, loaded=loaded, built=SimpleNamespace(a=3, b=1), begun=SimpleNamespace(a=3, b=4))
    assert found == (AS_BUILT,)


def test_what_is_missing_is_missing_in_the_receiver_too() -> None:
    saved, nothing = SimpleNamespace(a=1), SimpleNamespace()
    assert told(saved=saved, loaded=nothing, built=nothing, begun=saved) == (AS_BUILT,)


def test_arrays_make_no_network() -> None:
    def agent(one: float, other: float) -> SimpleNamespace:
        holders = [SimpleNamespace(w=np.full(2, value)) for value in (one, other)]
        return SimpleNamespace(a=holders[0], b=holders[1])

    assert told(saved=agent(5, 4), loaded=agent(5, 5), built=agent(6, 7), begun=agent(1, 2)) == ()
