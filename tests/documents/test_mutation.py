# SPDX-License-Identifier: MIT
"""The program behind the score of ``docs/mutation.md`` plants faults, and asks the right tests about them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cosmic_ray", reason="only the environment `mutation` has it")
pytest.importorskip("coverage")
sys.path.insert(0, str(Path(__file__).parents[1] / "evidence"))

import mutants
import mutation
from near import NearTests

SOURCE = '''
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 3


class Counter:
    """A docstring stays."""

    count: int | None

    def add(self, more: int | None = None) -> int | float:
        if more is not None and more > LIMIT:
            raise ValueError
        self.count = more
        return -1

    def never(self, *, deep=True):
        return 1

    def catches(self):
        try:
            return self.never()
        except (json.JSONDecodeError, OSError):
            return None
'''


def made(source: str = SOURCE) -> dict[tuple[str, str], mutants.Mutant]:
    return {(one.before, one.after): one for one in mutants.every("counter.py", source)}


def test_mutants_are_what_is_hardest_to_notice() -> None:
    assert {(before, after) for before, after in made() if "more" in before or "raise" in before} == {
        ("if more is not None and more > LIMIT:", after)
        for after in (
            "if not more is not None and more > LIMIT:",
            "if more is None and more > LIMIT:",
            "if more is not None or more > LIMIT:",
            "if more is not None and more >= LIMIT:",
        )
    } | {("raise ValueError", "pass"), ("self.count = more", "pass")}


def test_what_never_runs_is_not_mutated() -> None:
    told = " ".join(before for before, _ in made())
    assert "int | " not in told
    assert "TYPE_CHECKING" not in told
    assert "docstring" not in told
    assert not any("*," in before and "/," in after for before, after in made())


def test_a_mutant_is_one_change_in_a_function() -> None:
    mutant = made()["self.count = more", "pass"]
    assert mutant.code == SOURCE.replace("self.count = more", "pass")
    assert mutant.function == "Counter.add"
    assert mutant.operator == "DropStatement"
    assert made()["LIMIT = 3", "LIMIT = 4"].function == ""


def test_a_sample_follows_from_its_seed_and_begins_with_the_smaller_one() -> None:
    def sample(count: int, seed: int) -> list[mutants.Mutant]:
        return list(mutants.drawn("counter.py", SOURCE, count, seed))

    assert sample(3, 0) == sample(3, 0) == sample(6, 0)[:3]
    assert sample(3, 0) != sample(3, 1)
    assert len(sample(1000, 0)) == len(made())


TESTS = """
from counter import Counter

def test_large():
    try:
        Counter().add(9)
    except ValueError:
        pass
    else:
        raise AssertionError

def test_small():
    assert Counter().add(1) == -1
"""


@pytest.fixture
def near(tmp_path: Path) -> NearTests:
    (tmp_path / "counter.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "test_counter.py").write_text(TESTS, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (tmp_path / "conftest.py").write_text(
        "from hypothesis import settings\nsettings.register_profile('ci')\n", encoding="utf-8"
    )
    return NearTests(tmp_path, {"counter.py": ["test_counter.py"]}, tmp_path / "reach.json")


def asked(near: NearTests, tree: Path, mutant: mutants.Mutant) -> dict[str, Any]:
    tests = near.of(mutant.file, mutant.function)
    with mutation.planted(mutant, tree):
        return near.ask(tests)


def test_the_tests_that_come_into_a_function_are_asked(near: NearTests, tmp_path: Path) -> None:
    answer = asked(near, tmp_path, made()["raise ValueError", "pass"])
    assert (answer["verdict"], answer["by"]) == ("killed", "test_counter.py::test_large")
    assert asked(near, tmp_path, made()["self.count = more", "pass"])["verdict"] == "survived"
    # No test comes into this one: those that come into anything of the file are asked.
    assert (
        near.of("counter.py", "Counter.never")
        == near.of("counter.py", "Counter.add")
        == near.of("counter.py", "")
    )
    assert near.of("counter.py", "Counter.never") != []
    assert (tmp_path / "counter.py").read_text(encoding="utf-8") == SOURCE


def test_a_test_that_takes_too_long_is_not_asked(
    near: NearTests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test_counter.py").write_text(
        f"{TESTS}\ndef test_slow():\n    while Counter().add(1):\n        pass\n", encoding="utf-8"
    )
    monkeypatch.setattr("near.SECONDS", 1)
    found = near.of("counter.py", "Counter.add")
    assert sorted(found) == ["test_counter.py::test_large", "test_counter.py::test_small"]


def test_a_mutant_that_never_ends_is_killed(
    near: NearTests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant = made()["self.count = more", "pass"]
    endless = SOURCE.replace("self.count = more", "while True: pass")
    tests = near.of("counter.py", "Counter.add")
    monkeypatch.setattr("near._AROUND", 3)
    with mutation.planted(mutants.Mutant(**{**vars(mutant), "code": endless}), tmp_path):
        assert near.ask(tests)["verdict"] == "killed"


def test_what_is_said_to_be_equivalent_is_there() -> None:
    assert mutation.equivalents()


def test_an_equivalent_mutant_of_code_that_is_gone_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = tmp_path / "equivalent.toml"
    entry.write_text(
        '[[mutant]]\nfile = "verification/program.py"\nbefore = "gone()"\nafter = "pass"\nreason = ""\n'
    )
    monkeypatch.setattr(mutation, "EQUIVALENT", entry)
    with pytest.raises(SystemExit, match="has no line 'gone\\(\\)' any more"):
        mutation.equivalents()


def test_the_score_leaves_out_what_is_equivalent(capsys: pytest.CaptureFixture[str]) -> None:
    def answer(verdict: str, reason: str | None = None) -> dict[str, Any]:
        return {"file": "verification/state/walk.py", "verdict": verdict, "equivalent": reason}

    answers = [answer("killed")] * 19 + [answer("survived"), answer("survived", "it is the same")]
    assert mutation.summarize(answers) == 0
    told = capsys.readouterr().out
    assert "| `verification/state/*.py` | 21 | 1 | 19 | 95.0% |" in told
    assert "| all | 21 | 1 | 19 | 95.0% |" in told
    assert "76.4% to 99.1%" in told
    assert mutation.summarize([*answers, answer("survived")]) == 1
