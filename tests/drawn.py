# SPDX-License-Identifier: MIT
"""What tests of strategies do with what is drawn."""

from __future__ import annotations

import numpy as np
import torch
from gymnasium import spaces
from hypothesis import Phase, find, settings

from verification.strategies import build_optimizer

# Without the explain phase, whose random examples `find` would return where every example satisfies.
MINIMAL = settings(phases=[Phase.generate, Phase.shrink], database=None, max_examples=2000, deadline=None)
FEW = settings(max_examples=60, deadline=None)

SPACES = {
    "bounded": spaces.Box(-2.0, 3.0, (4,), np.float32),
    "unbounded": spaces.Box(-np.inf, np.inf, (4,), np.float32),
    "half": spaces.Box(np.array([5.0, -np.inf], np.float32), np.array([np.inf, -5.0], np.float32)),
    "huge": spaces.Box(-3.4e38, 3.4e38, (2,), np.float32),
    "double": spaces.Box(-1.0, 1.0, (2, 2), np.float64),
    "scalar": spaces.Box(-1.0, 1.0, (), np.float32),
    "pixels": spaces.Box(0, 255, (3, 6, 7), np.uint8),
    "float pixels": spaces.Box(0.0, 1.0, (1, 6, 6), np.float32),
    "integers": spaces.Box(-5, 9, (2,), np.int64),
    "integer": spaces.Box(-5, 9, (), np.int64),
}


def minimal(strategy, condition=lambda _: True):
    return find(strategy, condition, settings=MINIMAL)


def optimizer_of(spec):
    return build_optimizer(spec, [torch.nn.Parameter(torch.ones(3)) for _ in range(3)])


def step(optimizer):
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.ones_like(parameter)
    optimizer.step()
