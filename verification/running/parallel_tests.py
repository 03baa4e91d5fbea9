# SPDX-License-Identifier: MIT
"""The test module that ``verify check`` runs; it is told by an environment variable what to test."""

from __future__ import annotations

import json
import os
from pathlib import Path

import hypothesis

from verification.adapters.find import load_adapter
from verification.counterexamples.store import FailureStore
from verification.processes.time_limits import end_process_when_stuck
from verification.running.conformance_suite import conformance_suite
from verification.running.parallel import REQUEST

# The command prints seeds instead of keeping a database of examples in the current folder. The profile that
# Hypothesis chooses by itself on CI would ignore the seed.
hypothesis.settings.register_profile(
    "verify", hypothesis.settings.get_profile("default"), database=None, derandomize=False, print_blob=False
)
hypothesis.settings.load_profile("verify")

_request = json.loads(os.environ[REQUEST])
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    end_process_when_stuck(Path(_request["notes"], worker))
TestConformance = conformance_suite(
    load_adapter(_request["target"]),
    level=_request["level"],
    checks=_request["checks"],
    examples=_request["examples"],
    expected_failures=_request["expected_failures"],
    store=FailureStore(_request["failures"], _request["target"]),
)
