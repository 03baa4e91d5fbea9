# SPDX-License-Identifier: MIT
"""Settings of the process are read by name, and whatever changed one, it is put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from verification.engine.process_settings import process_settings, restore_settings, settings_kept

if TYPE_CHECKING:
    from collections.abc import Callable

CHANGES: dict[str, Callable[[], object]] = {
    "default dtype": lambda: torch.set_default_dtype(torch.float64),
    "default device": lambda: torch.set_default_device("meta"),
    "deterministic algorithms": lambda: torch.use_deterministic_algorithms(True, warn_only=True),
    "matmul precision": lambda: torch.set_float32_matmul_precision("medium"),
    "gradient mode": lambda: torch.set_grad_enabled(False),
    "autocast": lambda: torch.set_autocast_enabled("cpu", True),
    "number of threads": lambda: torch.set_num_threads(3),
    "numpy error state": lambda: np.seterr(under="raise"),
}
if torch.set_flush_denormal(False):  # which not every processor can
    CHANGES["flush denormal"] = lambda: torch.set_flush_denormal(True)


@pytest.mark.parametrize("name", CHANGES)
def test_a_setting_that_changed_is_named_and_put_back(name: str) -> None:
    before = process_settings()
    changed: dict[str, tuple[object, object]] = {}
    try:
        with settings_kept(changed):
            CHANGES[name]()
            during = process_settings()
        assert during[name] != before[name]
        assert changed == {name: (before[name], during[name])}
        assert process_settings() == before
    finally:
        restore_settings(before)


def test_a_mode_that_was_entered_is_left() -> None:
    changed: dict[str, tuple[object, object]] = {}
    guard = torch.inference_mode()
    with settings_kept(changed):
        guard.__enter__()
    try:
        assert changed["inference mode"] == (False, True)
        assert not torch.is_inference_mode_enabled()
        assert torch.is_grad_enabled()
    finally:
        guard.__exit__(None, None, None)


def test_settings_are_put_back_where_something_raises() -> None:
    changed: dict[str, tuple[object, object]] = {}
    before = process_settings()
    with pytest.raises(FloatingPointError), settings_kept(changed):  # noqa: PT012 - what is kept is in both
        np.seterr(over="raise")
        np.float32(1e38) * np.float32(10)
    assert list(changed) == ["numpy error state"]
    assert process_settings() == before


def test_what_is_as_it_was_is_not_touched() -> None:
    assert restore_settings(process_settings()) == {}
