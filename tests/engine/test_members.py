# SPDX-License-Identifier: MIT
"""Misspelt optional members are refused by their right name; an adapter's own helpers are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from adapters import Tiny

from verification import check_agent, conformance_suite
from verification.adapters.find import BUILT_IN, load_adapter
from verification.engine.driver import Driver
from verification.engine.members import OPTIONAL, validate_adapter
from verification.errors import AdapterError
from verification.mutants.model import mutants, planted
from verification.specimens import SPECIMENS

if TYPE_CHECKING:
    from agents import Agent

MISSPELT = {
    "advanced": "advance",
    "advnace": "advance",
    "expected_failure": "expected_failures",
    "expectedFailures": "expected_failures",
    "operation": "operations",
    "states": "state",
    "time_limits": "time_limit",
    "timelimit": "time_limit",
    "VOLATILE": "volatile",
    "variant": "variants",
    "waits": "wait",
}
HELPERS = [
    *("advance_until", "env", "get_state", "limit", "make_operator", "operator", "seconds", "start"),
    *("state_dim", "stage", "static", "timeout", "update_state", "variation", "weight"),
]


class OpenLoop:
    """An adapter without any optional member."""

    name = "open_loop"

    def __init__(self, **members: Any) -> None:
        vars(self).update(members)

    configs = Tiny.configs
    batches = Tiny.batches
    observations = Tiny.observations
    build = learn = act = save = load = Tiny.act


def test_every_optional_member_is_known() -> None:
    assert {"advance", "expected_failures", "time_limit", "volatile", "wait"} < OPTIONAL
    assert not [name for name in OPTIONAL if name.startswith("_")]


@pytest.mark.parametrize(("name", "meant"), MISSPELT.items())
def test_a_misspelt_optional_member_is_refused_by_its_right_name(name: str, meant: str) -> None:
    with pytest.raises(AdapterError) as caught:
        validate_adapter(OpenLoop(**{name: {}}))
    assert str(caught.value) == (
        f"the adapter 'open_loop' has {name}, which the suite does not know; did you mean {meant}? "
        f"A helper of that name would have to be private: _{name}"
    )


def test_an_operation_may_be_given_less_than_a_second() -> None:
    validate_adapter(OpenLoop(time_limit=0.5))


def test_a_horizon_is_at_least_one_step() -> None:
    validate_adapter(OpenLoop(horizon=1))
    for wrong in (0, -1, 1.5, True, "12"):
        with pytest.raises(AdapterError, match=r"has horizon = .*; give the number of steps, at least 1"):
            validate_adapter(OpenLoop(horizon=wrong))


class Advanced(OpenLoop):
    def advanced(self, agent: Agent, steps: int) -> None:
        raise NotImplementedError


@pytest.mark.parametrize(
    "door", [Driver, validate_adapter, check_agent, conformance_suite], ids=lambda door: door.__name__
)
def test_every_door_refuses_it(door: Any) -> None:
    with pytest.raises(AdapterError, match=r"has advanced, .* did you mean advance"):
        door(Advanced())


@pytest.mark.parametrize("name", [*HELPERS, *(f"_{name}" for name in MISSPELT)])
def test_other_helpers_and_private_names_are_not_refused(name: str) -> None:
    validate_adapter(OpenLoop(**{name: {}}))


class Beside(OpenLoop):
    def advance(self, agent: Agent, steps: int) -> None:
        self.advances(agent)

    def advances(self, agent: Agent) -> None:
        raise NotImplementedError


class Below(Beside):
    def advanced(self, agent: Agent, steps: int) -> None:
        raise NotImplementedError


def test_a_helper_may_stand_beside_the_member_but_not_below_it() -> None:
    validate_adapter(Beside())
    with pytest.raises(AdapterError, match=r"has advanced, .* did you mean advance"):
        validate_adapter(Below())
    with pytest.raises(AdapterError, match=r"has advanced, .* did you mean advance"):
        validate_adapter(Beside(advanced=None))


@pytest.mark.parametrize("name", [*BUILT_IN, *SPECIMENS])
def test_none_of_our_own_adapters_is_refused(name: str) -> None:
    if name in BUILT_IN:
        place, _ = BUILT_IN[name]
        pytest.importorskip(place.partition(":")[0], exc_type=ModuleNotFoundError)
    validate_adapter(load_adapter(name))


def test_no_mutant_is_refused() -> None:
    for name in mutants():
        validate_adapter(planted(name))
