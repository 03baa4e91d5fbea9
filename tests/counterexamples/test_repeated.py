# SPDX-License-Identifier: MIT
"""What an expression repeats is named once; the value is the same."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from verification.counterexamples.repeated import without_repeats

SPEC = "OptimizerSpec(name='Adam', options={'lr': 0.001, 'betas': (0.8, 0.99)})"
OTHER = "OptimizerSpec(name='SGD', options={'lr': 0.001, 'momentum': 0.9})"
CNN = "CNN(layers=(Conv(out_channels=5, kernel_size=4, stride=3, pool='max'),))"


def value_of(lines: list[str]) -> Any:
    """What ``config`` is after some statements."""
    names: dict[str, Any] = {
        name: lambda name=name, **given: SimpleNamespace(kind=name, **given)
        for name in ("Config", "OptimizerSpec", "CNN", "Conv")
    }
    exec("\n".join(lines), names)
    return names["config"]


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        (f"Config(actor={SPEC}, critic={SPEC})", ["optimizer_spec"]),
        (
            f"Config(actor={SPEC}, critic={SPEC}, a={OTHER}, b={OTHER})",
            ["optimizer_spec", "optimizer_spec_2"],
        ),
        (f"Config(actor=[{CNN}, {SPEC}], critic=[{CNN}, {SPEC}])", ["cnn", "optimizer_spec"]),
    ],
)
def test_a_long_call_that_is_repeated_is_written_once(expression: str, named: list[str]) -> None:
    lines = without_repeats("config", expression)
    assert [line.partition(" = ")[0] for line in lines] == [*named, "config"]
    assert "".join(lines).count("Adam") <= 1
    assert value_of(lines) == value_of([f"config = {expression}"])


@pytest.mark.parametrize("expression", [f"Config(actor={SPEC}, critic={OTHER})", "Config(a=CNN(), b=CNN())"])
def test_what_is_short_or_there_once_stays_as_it_is(expression: str) -> None:
    assert without_repeats("config", expression) == [f"config = {expression}"]


def test_a_variable_of_the_script_is_not_set() -> None:
    lines = without_repeats("config", f"Config(a={CNN}, b={CNN})", ["cnn"])
    assert lines[0].startswith("cnn_2 = CNN(")
