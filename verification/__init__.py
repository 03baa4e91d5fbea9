# SPDX-License-Identifier: MIT
"""A conformance suite for the checkpoints of reinforcement-learning agents.

    from verification import check_agent, conformance_suite

    report = check_agent(MyAdapter(), level="resume")
    TestConformance = conformance_suite(MyAdapter())

Names are loaded on first use: importing torch takes seconds, and a pytest plugin should not.

Not here: an agent of its own to check, but for small ones that show what the suite can see (``specimens``).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verification.adapter import Adapter
    from verification.counterexamples.store import FailureStore
    from verification.engine.state_machine import checkpoint_machine
    from verification.errors import AdapterError, CheckFailure, UsageError
    from verification.levels import Level
    from verification.report.model import Report, Result, Verdict
    from verification.running.check_agent import check_agent
    from verification.running.conformance_suite import conformance_suite

__all__ = [
    "Adapter",
    "AdapterError",
    "CheckFailure",
    "FailureStore",
    "Level",
    "Report",
    "Result",
    "UsageError",
    "Verdict",
    "check_agent",
    "checkpoint_machine",
    "conformance_suite",
]

_HOMES = {
    "Adapter": "adapter",
    "AdapterError": "errors",
    "CheckFailure": "errors",
    "FailureStore": "counterexamples.store",
    "Level": "levels",
    "Report": "report.model",
    "Result": "report.model",
    "UsageError": "errors",
    "Verdict": "report.model",
    "check_agent": "running.check_agent",
    "checkpoint_machine": "engine.state_machine",
    "conformance_suite": "running.conformance_suite",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
