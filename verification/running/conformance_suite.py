# SPDX-License-Identifier: MIT
"""``conformance_suite``: the checks as pytest tests of an adapter's own project."""

from __future__ import annotations

import warnings
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from verification.adapters.completing import complete
from verification.checks.registry import Check, select
from verification.engine.members import validate_adapter
from verification.errors import CheckFailure, UsageError
from verification.expected_failures.entries import Expectation, load_expected
from verification.levels import Level
from verification.running.drawing import check_settings, names_drawn
from verification.running.property import Examples, property_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from os import PathLike

    from verification.adapter import Adapter
    from verification.counterexamples.store import FailureStore
    from verification.expected_failures.entries import Expected


def conformance_suite(
    *adapters: object,
    level: Level | str = Level.RESUME,
    checks: Iterable[str] | None = None,
    examples: int | None = None,
    expected_failures: Expected | str | PathLike[str] | None = None,
    store: FailureStore | None = None,
) -> type:
    """A class of tests, one method a check, parametrised over the adapters.

    Assign it to a name that pytest collects: ``TestConformance = conformance_suite(MyAdapter())``. Test ids
    read ``TestConformance::test_targets_survive_reload[my_agent]``. Every method is a Hypothesis test, so
    profiles, statistics and ``-k`` work as for any other; settings are those of the profile that is active
    when pytest collects the tests.

    Args:
        adapters: at least one; each drives an agent implementation, and needs no more than ``build``,
            ``learn``, ``save`` and ``load``.
        level: what the agents promise; checks of lower levels are included.
        checks: only these checks, with the prerequisites that give them meaning.
        examples: experiments a check; by default a fifth of the profile's ``max_examples``.
        expected_failures: by check name, a reason or a table of an entry's keys; or a TOML file with them.
            These tests are strict ``xfail``: an unexpected pass fails. Their failures are not shrunk.
        store: keeps failing programs of the adapter, of which there is one then; asks about them first the
            next time, and forgets those that pass. Without it nothing is written.

    Raises:
        UsageError: for no adapter, two of one name, or an unknown level or check.
        AdapterError: for an adapter without a required member.
    """
    if not adapters:
        raise UsageError("conformance_suite() needs at least one adapter")
    completed = [complete(adapter) for adapter in adapters]
    for adapter in completed:
        validate_adapter(adapter)
    names = [adapter.name for adapter in completed]
    if len(set(names)) < len(names):
        raise UsageError(f"adapters need different names, not {', '.join(names)}")
    if store is not None and len(completed) > 1:
        raise UsageError("a store keeps the failures of one adapter; make a suite for each of them")
    for sentence in store.clean(lambda: names_drawn(completed[0])) if store else ():
        warnings.warn(sentence, stacklevel=2)
    expected = {adapter.name: load_expected(expected_failures, adapter) for adapter in completed}
    methods = {
        f"test_{check.name}": _method(check, completed, expected, check_settings(check, examples), store)
        for check in select(level, checks)
    }
    return type("TestConformance", (), {"__doc__": conformance_suite.__doc__, **methods})


@dataclass(frozen=True)
class ConformanceTest:
    """What the plugin has to know about a test method.

    Attributes:
        check: what it asks.
        expected: the expected failures of each adapter, by its name.
        store: where failing programs are kept.
        examples: of each adapter, by its name; the plugin begins to count them.
    """

    check: Check
    expected: Mapping[str, Mapping[str, Expectation]]
    store: FailureStore | None
    examples: dict[str, Examples] = field(default_factory=dict)

    def examples_of(self, adapter: Adapter) -> Examples:
        """Where the examples of an adapter are counted."""
        if adapter.name not in self.examples:
            raise UsageError(
                "the plugin that judges conformance tests is not loaded; "
                "run pytest with -p verification.pytest_plugin"
            )
        return self.examples[adapter.name]


#: Every test method that has been made, by its function.
TESTS: weakref.WeakKeyDictionary[Callable[..., None], ConformanceTest] = weakref.WeakKeyDictionary()


def _method(
    check: Check,
    adapters: Iterable[Adapter],
    expected: Mapping[str, Mapping[str, Expectation]],
    options: Any,
    store: FailureStore | None,
) -> Callable[..., None]:
    about = ConformanceTest(check, expected, store)
    examine = property_of(check, about.examples_of)

    # Functions made afresh here: Hypothesis refuses a @given method that two classes inherit.
    def test(self: object, adapter: Adapter, data: st.DataObject) -> None:  # noqa: ARG001
        examine(adapter, data)

    test.__name__ = test.__qualname__ = f"test_{check.name}"
    test.__doc__ = check.promise
    parameters = [_parameter(adapter, expected[adapter.name].get(check.name)) for adapter in adapters]
    method: Callable[..., None] = options(given(data=st.data())(test))
    method = pytest.mark.parametrize("adapter", parameters)(method)
    TESTS[method] = about
    return method


def _parameter(adapter: Adapter, entry: Expectation | None) -> Any:
    if entry is None or entry.void:
        return pytest.param(adapter, id=adapter.name)
    mark = pytest.mark.xfail(reason=entry.why, strict=True, raises=CheckFailure)
    return pytest.param(adapter, id=adapter.name, marks=mark)
