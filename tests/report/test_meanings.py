# SPDX-License-Identifier: MIT
"""Every word of a report has a meaning and a remedy, and the documents say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from verification.losses import _WORST_FIRST
from verification.report.hints import HINTS, shared_by_actor_and_critic
from verification.report.meanings import LOSSES, PARTS, PATTERNS, VERDICTS, meanings, name_of
from verification.report.model import Verdict
from verification.state import Part

README = Path(__file__).parents[2] / "README.md"


def test_every_word_of_a_report_is_explained() -> None:
    assert set(VERDICTS) == set(Verdict)
    assert set(LOSSES) == {*_WORST_FIRST, "note"}
    assert set(PARTS) == set(Part)
    assert set(PATTERNS) == {*HINTS, shared_by_actor_and_critic}


def test_each_says_what_it_means_and_what_to_do() -> None:
    found = meanings()
    assert len(found) == len(VERDICTS) + len(LOSSES) + len(PARTS) + len(PATTERNS)  # no name twice
    for one in found.values():
        assert one.meaning.endswith("."), one.word
        assert one.remedy.endswith("."), one.word


def test_words_are_found_however_they_are_written() -> None:
    for typed in ("not applicable", "not_applicable", "Not-Applicable", "NOT APPLICABLE"):
        assert meanings()[name_of(typed)].kind == "a verdict"
    assert meanings()["target_networks"].word == "target networks"


@pytest.mark.skipif(not README.exists(), reason="the documents are not in the distribution")
def test_the_readme_says_of_verdicts_what_the_command_says() -> None:
    rows = dict(re.findall(r"^\| `([a-z ]+)` \| (.*) \|$", README.read_text(encoding="utf-8"), re.MULTILINE))
    told = {str(one).replace("_", " "): meaning for one, (meaning, _) in VERDICTS.items()}
    assert {name: rows[name] for name in told} == told
