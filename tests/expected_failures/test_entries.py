# SPDX-License-Identifier: MIT
"""Expected failures are read with their reasons, and whatever is wrong with them is said in a sentence."""

from __future__ import annotations

import datetime
from importlib import metadata
from typing import TYPE_CHECKING

import pytest
from adapters import Tiny

from verification.errors import UsageError
from verification.expected_failures.entries import Expectation, Kind, load_expected
from verification.report.model import Result, Verdict
from verification.report.verdicts import mark_expected

if TYPE_CHECKING:
    from pathlib import Path

TORCH = metadata.version("torch")
TARGETS, COUNTERS = "targets_survive_reload", "counters_survive_reload"


class Declares(Tiny):
    expected_failures = {TARGETS: "recreated on load", COUNTERS: "not saved"}  # noqa: RUF012


def test_nothing_is_expected_by_default() -> None:
    assert load_expected(None) == load_expected(None, Tiny()) == {}


def test_reasons_come_from_a_mapping_a_file_or_the_adapter(tmp_path: Path) -> None:
    file = tmp_path / "known.toml"
    file.write_text(f'[expected_failures]\n{TARGETS} = "issue 7"\n')
    assert load_expected(file) == load_expected(str(file)) == {TARGETS: Expectation("issue 7")}
    assert load_expected({TARGETS: "x"}) == {TARGETS: Expectation("x", Kind.BUG)}
    declared = {TARGETS: Expectation("recreated on load"), COUNTERS: Expectation("not saved")}
    assert load_expected(None, Declares()) == declared
    assert load_expected(file, Declares()) == {**declared, TARGETS: Expectation("issue 7")}


def test_an_entry_may_be_a_table(tmp_path: Path) -> None:
    file = tmp_path / "known.toml"
    file.write_text(
        f"""
        [expected_failures]
        {COUNTERS} = {{kind = "planned", reason = "next version", torch = ">=2.6"}}

        [expected_failures.{TARGETS}]
        kind = "unsupported"
        reason = "recreated on load"
        issue = "https://example.org/7"
        expires = 2999-01-31
        """
    )
    day = datetime.date(2999, 1, 31)
    entries = load_expected(file)
    assert entries == {
        COUNTERS: Expectation("next version", Kind.PLANNED, torch=">=2.6"),
        TARGETS: Expectation("recreated on load", Kind.UNSUPPORTED, "https://example.org/7", day),
    }
    assert entries[TARGETS].why == "unsupported: recreated on load, see https://example.org/7"
    written = {"kind": "unsupported", "reason": "recreated on load", "expires": "2999-01-31"}
    assert load_expected({TARGETS: written})[TARGETS].expires == day


@pytest.mark.parametrize(
    ("options", "void"),
    [
        ({}, ""),
        ({"expires": "2999-01-31"}, ""),
        ({"expires": str(datetime.datetime.now().astimezone().date())}, ""),
        ({"expires": "2025-01-31"}, "it was excused until 2025-01-31, which has expired"),
        ({"torch": ">=2.6"}, ""),
        ({"torch": f"=={TORCH.partition('+')[0]}"}, ""),
        ({"torch": "<2"}, f"it is excused on torch <2 only, and this is {TORCH}"),
    ],
)
def test_an_entry_excuses_only_as_long_and_where_it_says(options: dict[str, str], void: str) -> None:
    expected = load_expected({TARGETS: {"reason": "issue 7", **options}})
    assert expected[TARGETS].void == void
    failed = Result(TARGETS, "training", "", Verdict.FAILED, "it broke")
    passed = Result(TARGETS, "training", "", Verdict.PASSED)
    failure, success = mark_expected([failed, passed], expected)
    if void:
        assert (failure.verdict, success.verdict) == (Verdict.FAILED, Verdict.PASSED)
        assert failure.sentence == f"it broke [{void}: issue 7]"
    else:
        assert (failure.verdict, success.verdict) == (Verdict.XFAILED, Verdict.STALE)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"reason": "x", "kin": "bug"},
            r"has a key 'kin'; did you mean 'kind'\? keys are kind, reason, issue",
        ),
        ({"reason": "x", "kind": "plan"}, r"has the kind 'plan'; did you mean 'planned'\? kinds are bug, "),
        ({"reason": "x", "kind": 3}, "has the kind 3; kinds are bug, unsupported, planned"),
        ({"kind": "bug"}, "has no reason"),
        ({"reason": "x", "issue": 7}, "has issue = 7; write it in quotation marks"),
        ({"reason": "x", "expires": "soon"}, "expires on 'soon'; give the last day as year-month-day"),
        ({"reason": "x", "expires": datetime.datetime(2027, 1, 1)}, "expires on datetime"),
        ({"reason": "x", "torch": "new"}, "has torch = 'new'; give versions as packages do"),
    ],
)
def test_a_wrong_entry_is_one_sentence(entry: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=f"^the expected failure of {TARGETS} {message}"):
        load_expected({TARGETS: entry})


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
    expected, other = mark_expected(results, {TARGETS: Expectation("issue 7")})
    assert expected.verdict is marked
    assert other == results[1]
    assert ("issue 7" in expected.sentence) == (marked is not verdict)
