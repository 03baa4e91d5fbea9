# SPDX-License-Identifier: MIT
"""The settings of a process that change what an agent computes: read by name, and put back."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class _Setting(NamedTuple):
    read: Callable[[], Any]
    put: Callable[[Any], object]


# A guard of torch that is dropped ends the mode that it has set.
_guards: list[Any] = []


def _set_inference_mode(mode: bool) -> None:
    guard = torch.inference_mode(mode)
    guard.__enter__()
    _guards.append(guard)


def _flushes_denormals() -> bool:
    """Torch does not say; half of the second smallest number does."""
    return torch.full((1,), 2.0**-1073, dtype=torch.float64, device="cpu").mul(0.5).item() == 0.0


def _deterministic() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _set_deterministic(modes: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(modes[0], warn_only=modes[1])


def _autocast() -> tuple[bool, ...]:
    return tuple(torch.is_autocast_enabled(device) for device in ("cpu", "cuda"))


def _set_autocast(modes: tuple[bool, ...]) -> None:
    for device, mode in zip(("cpu", "cuda"), modes, strict=True):
        torch.set_autocast_enabled(device, mode)


_SETTINGS = {
    "default dtype": _Setting(torch.get_default_dtype, torch.set_default_dtype),
    "default device": _Setting(torch.get_default_device, torch.set_default_device),
    "deterministic algorithms": _Setting(_deterministic, _set_deterministic),
    "matmul precision": _Setting(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    "flush denormal": _Setting(_flushes_denormals, torch.set_flush_denormal),
    "inference mode": _Setting(torch.is_inference_mode_enabled, _set_inference_mode),
    # Behind the inference mode, which sets it, too.
    "gradient mode": _Setting(torch.is_grad_enabled, torch.set_grad_enabled),
    "autocast": _Setting(_autocast, _set_autocast),
    "number of threads": _Setting(torch.get_num_threads, torch.set_num_threads),
    "numpy error state": _Setting(np.geterr, lambda state: np.seterr(**state)),
}


def process_settings() -> dict[str, Any]:
    """The settings now, by the name a person knows them by."""
    return {name: setting.read() for name, setting in _SETTINGS.items()}


def restore_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Put back what :func:`process_settings` returned.

    Returns:
        What the settings were that had another value, by name.
    """
    changed = {}
    for name, setting in _SETTINGS.items():
        # Only what differs is set: setting a default device, even to what it is, slows down every call.
        if (found := setting.read()) != settings[name]:
            changed[name] = found
            setting.put(settings[name])
    return changed


@contextlib.contextmanager
def settings_kept(changed: dict[str, tuple[Any, Any]]) -> Iterator[None]:
    """Put settings back at the end; ``changed`` takes in what they were and what they had become, by name."""
    before = process_settings()
    try:
        yield
    finally:
        for name, found in restore_settings(before).items():
            changed[name] = before[name], found
