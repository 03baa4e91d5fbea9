# SPDX-License-Identifier: MIT
"""Which of several differences are to blame: every smallest set, in few experiments."""

from __future__ import annotations

import itertools
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from verification.engine.culprits import culprits


class Experiments:
    """Something follows where all of one of some sets are broken."""

    def __init__(self, *guilty: set[str]) -> None:
        self.guilty = guilty
        self.made = 0
        self.known: list[str] = []

    def following(self, broken: Any) -> Any:
        self.made += 1
        found = [one for one in self.guilty if one <= set(broken)]
        return min(map(sorted, found)) if found else None

    def found_in(self, suspects: str) -> list[list[str]]:
        found = []
        for guilty, spread in self.sets(list(suspects)):
            assert spread == guilty
            found.append([str(one) for one in guilty])
            self.known += found[-1]
        return found

    def sets(self, suspects: Any) -> Any:
        return culprits(suspects, self.following(suspects), self.following, self.still)

    def still(self, groups: Any) -> Any:
        return [one for one in groups if one not in self.known]


@pytest.mark.parametrize(
    ("guilty", "found"),
    [
        ([{"c"}], [["c"]]),
        ([{"a"}, {"h"}], [["a"], ["h"]]),
        ([{"b", "g"}], [["b", "g"]]),
        ([{"a"}, {"b", "c"}], [["a"]]),  # the pair is found when it is asked what follows from the others
        ([{"e", "f", "g"}], [["e", "f", "g"]]),
    ],
)
def test_the_smallest_sets_are_found(guilty: list[set[str]], found: list[list[str]]) -> None:
    assert Experiments(*guilty).found_in("abcdefgh") == found


@given(st.sets(st.sampled_from("abcdefghijklmnop"), min_size=1))
def test_whoever_is_guilty_alone_is_found_in_one_go(guilty: set[str]) -> None:
    experiments = Experiments(*({one} for one in guilty))
    assert experiments.found_in("abcdefghijklmnop") == [[one] for one in sorted(guilty)]
    assert experiments.made < 2 * 16  # of a tree of halves


def test_one_of_many_takes_few_experiments() -> None:
    experiments = Experiments({"k"})
    experiments.found_in("abcdefghijklmnop")
    assert experiments.made == 1 + 2 * 4


def test_two_of_many_that_matter_together_take_few_experiments() -> None:
    for pair in itertools.combinations("abcdefghijklmnop", 2):
        experiments = Experiments({*pair})
        assert experiments.found_in("abcdefghijklmnop") == [[*pair]]
        assert experiments.made <= 4 * 16


def test_who_is_no_suspect_any_more_is_not_asked_about() -> None:
    experiments = Experiments({"a"}, {"d"})
    found = []
    for guilty, _ in experiments.sets(list("abcd")):
        found.append(guilty)
        experiments.known = list("abcd")  # something else has explained them all
    assert found == [["a"]]


def test_who_is_guilty_only_by_itself_is_found_at_last() -> None:
    def following(broken: Any) -> Any:
        asked.append(list(broken))
        assert len(asked) < 20, "it goes on for ever"
        return "a spread" if list(broken) in (list("abcd"), ["a"]) else None  # the others make up for it

    asked: list[list[str]] = []
    suspects: Any = list("abcd")
    still: Any = list
    found: Any = list(culprits(suspects, following(suspects), following, still))
    assert found == [(["a"], "a spread")]
