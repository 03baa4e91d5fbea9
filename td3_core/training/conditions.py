# SPDX-License-Identifier: MIT
"""What decides the bits of a training step besides the run's own state, and whether it has changed."""

from __future__ import annotations

from importlib import metadata

import torch


def conditions() -> dict[str, str]:
    """What decides the bits of a step besides the run's own state."""
    return {
        "torch": str(torch.__version__),
        "numpy": metadata.version("numpy"),
        "gymnasium": metadata.version("gymnasium"),
        "torch threads": str(torch.get_num_threads()),
        "CPU capability": torch.backends.cpu.get_cpu_capability(),
    }


def changed_conditions(made_with: dict[str, str]) -> list[str]:
    """What differs here from where a run was saved, in a sentence each."""
    return [
        f"the run was saved with {name} {made_with.get(name)} and continues with {now}, "
        "so its steps may differ in their last bits"
        for name, now in conditions().items()
        if made_with.get(name) != now
    ]
