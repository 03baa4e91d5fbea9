# SPDX-License-Identifier: MIT
"""What holds for every test: one torch thread in each worker, and the Hypothesis profiles."""

from __future__ import annotations

import os

import torch
from hypothesis import settings

# Two workers with two threads each on two cores are ten times slower, and the number of threads changes bits.
torch.set_num_threads(1)

# deadline=None: a first example pays for what torch loads and compiles.
settings.register_profile("dev", deadline=None)
# Derandomized like Hypothesis's own profile for CI, so that every torch version sees the same examples.
settings.register_profile("ci", parent=settings.get_profile("ci"), derandomize=True)
# Random, with many examples, and with a database: `tox run -e tests -- --hypothesis-profile=nightly`.
settings.register_profile("nightly", deadline=None, max_examples=1000, print_blob=True)

settings.load_profile("ci" if os.environ.get("CI") else "dev")
