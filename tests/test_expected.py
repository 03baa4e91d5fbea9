# SPDX-License-Identifier: MIT
"""Expected failures are read with their reasons, and whatever is wrong with them is said in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from adapters import Tiny

from verification.errors import UsageError
from verification.expected import load_expected
from verification.report.model import Result, Verdict
from verification.report.verdicts import mark_expected

if TYPE_CHECKING:
    from pathlib import Path

TARGETS, COUNTERS = "targets_survive_reload", "counters_survive_reload"


class Declares(Tiny):
    expected_failures = {TARGETS: "recreated on load", COUNTERS: "not saved"}  # noqa: RUF012


def test_nothing_is_expected_by_default() -> None:
    assert load_expected(None) == load_expected(None, Tiny()) == {}


def test_reasons_come_from_a_mapping_a_file_or_the_adapter(tmp_path: Path) -> None:
    file = tmp_path / "known.toml"
    file.write_text(f'[expected_failures]\n{TARGETS} = "issue 7"\n')
    assert load_expected(file) == load_expected(str(file)) == {TARGETS: "issue 7"}
    assert load_expected({TARGETS: "x"}) == {TARGETS: "x"}
    assert load_expected(None, Declares()) == {TARGETS: "recreated on load", COUNTERS: "not saved"}
    assert load_expected(file, Declares()) == {TARGETS: "issue 7", COUNTERS: "not saved"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"targets = ", r"known\.toml is not valid TOML: "),
        (b"\xff\xfe\x00", r"known\.toml is not valid TOML: "),
        (b"[other]\n", r"known\.toml has no table \[expected_failures\]"),
        (b"expected_failures = 3\n", r"known\.toml has no table \[expected_failures\]"),
        (
            b'[expected_failures]\ntargets_survive = "x"\n',
            r"expected failures name 'targets_survive', which is no check; "
            r"did you mean 'targets_survive_reload'\? `verify list` shows all of them$",
        ),
        (
            b'[expected_failures]\nzzz = "x"\n',
            r"expected failures name 'zzz', which is no check; `verify list` shows all of them$",
        ),
        (
            b'[expected_failures]\ntargets_survive_reload = " "\n',
            r"the expected failure of targets_survive_reload has no reason; say in a few words",
        ),
        (b"[expected_failures]\ntargets_survive_reload = true\n", r"has no reason"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "known.toml"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        load_expected(file)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"cannot read the expected failures in .*nowhere\.toml: No such file"
    ):
        load_expected(tmp_path / "nowhere.toml")
    with pytest.raises(UsageError, match="cannot read the expected failures in"):
        load_expected(tmp_path)


def test_an_adapters_own_misspelt_entry_is_refused() -> None:
    adapter = Tiny()
    adapter.expected_failures = {"targets": "x"}  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="'targets'"):
        load_expected(None, adapter)


@pytest.mark.parametrize(
    ("verdict", "marked"),
    [
        (Verdict.FAILED, Verdict.XFAILED),
        (Verdict.PASSED, Verdict.STALE),
        (Verdict.BLOCKED, Verdict.BLOCKED),
        (Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE),
        (Verdict.NOT_APPLICABLE, Verdict.NOT_APPLICABLE),
        (Verdict.ERROR, Verdict.ERROR),
    ],
)
def test_only_failures_are_excused_and_unexpected_passes_are_stale(verdict: Verdict, marked: Verdict) -> None:
    results = [
        Result(TARGETS, "training", "", verdict, "it broke"),
        Result(COUNTERS, "training", "", verdict),
    ]
    expected, other = mark_expected(results, {TARGETS: "issue 7"})
    assert expected.verdict is marked
    assert other == results[1]
    assert ("issue 7" in expected.sentence) == (marked is not verdict)
