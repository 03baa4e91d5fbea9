# SPDX-License-Identifier: MIT
"""Whether training reads what has differed without a consequence: what stays, and what the run makes anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.engine.lost_again import LostAgain, is_as_built, left_as_built
from verification.engine.trial import is_drift
from verification.losses import overlap

if TYPE_CHECKING:
    from collections.abc import Collection

    from verification.engine.groups import Group
    from verification.engine.resumption import Resumption
    from verification.engine.trial import Covered, Spread
    from verification.state import Change

#: How it was shown that something is read.
ON_PURPOSE = "changed on purpose"
_LOST_AGAIN = "left after every step as the load leaves it"


def read_while_it_stays(
    resumption: Resumption, staying: list[Group], without_effect: list[Group]
) -> dict[str, Spread]:
    """Of what differs to the end what is read: by path, what follows where it is changed on purpose."""
    candidates = [group for group in staying if not all(map(is_drift, group.changes))]
    constants = [group for group in candidates if not resumption.changes(group)]
    reading = resumption.reading(resumption.all_changes())
    read = reading.among(constants)
    for group in candidates:
        if group not in constants:  # together, they could be what follows from one another
            read |= reading.among([group])
    return _by_more_than_the_inert(resumption, staying, without_effect, read)


def _by_more_than_the_inert(
    resumption: Resumption, staying: list[Group], without_effect: list[Group], read: dict[str, Spread]
) -> dict[str, Spread]:
    """What more depends on than what has no effect itself: the place in a log, say, is read for the log."""
    inert = [group for group in without_effect if group.path not in read]
    spared = {
        group.path
        for group in staying
        if group.path in read and _consequence(resumption, group, resumption.all_changes(), inert) is None
    }
    if not spared:
        return read
    kept = {path: spread for path, spread in read.items() if path not in spared}
    return _by_more_than_the_inert(resumption, staying, without_effect, kept)


def _consequence(
    resumption: Resumption, group: Group, differing: list[Change], without_effect: list[Group]
) -> Spread | None:
    """What follows where a group is changed on purpose, unless that has no effect itself."""

    def following(inert: Covered | None) -> Spread | None:
        return resumption.reading(differing, inert).among([group]).get(group.path)

    return resumption.consequence(following, without_effect)


def read_before_made_anew(
    resumption: Resumption, healed: list[Group], left: list[Group], lasting: Collection[str]
) -> dict[str, tuple[str, Spread]]:
    """Of what the run makes anew what it reads before: by path how that was shown, and what follows.

    An agent may well put back later what it has loaded, and would do so but once. It has to keep that
    somewhere: something is lost again each time only where all of ``left``, which is not known to be lost, is
    as it was built. As that may be out of sight, it has to be ``lasting``, too: to differ behind the first
    step that trains.
    """
    experiment, used = resumption.experiment, resumption.used
    loaded, built = experiment.loaded(resumption.cut, used=used), experiment.cold(used=used)
    suspects = [one for one in healed if resumption.changes(one) and left_as_built(one, loaded, built)]

    def lose(groups: list[Group]) -> Spread | None:
        again = LostAgain({group.path for group in groups}, loaded)
        return resumption.shown(resumption.trial(groups, horizon=resumption.horizon, lost_again=again))

    if used or not suspects:
        return {}
    read: dict[str, tuple[str, Spread]] = {}
    kept = any(not is_as_built(one, loaded, built) for one in left)
    late = [one for one in suspects if any(overlap(path, one.path) for path in lasting)]
    if late and not kept and (whole := lose(late)) is not None:
        found = {one.path: spread for one in late if (spread := lose([one])) is not None}
        found = found or {one.path: whole for one in late}
        read = {path: (_LOST_AGAIN, spread) for path, spread in found.items()}
    # A counter may have started again before it came to what it is compared with.
    for group in filter(_is_number, suspects):
        others = {id(one) for other in left if other is not group for one in other.changes}
        differing = [one for one in resumption.all_changes() if id(one) not in others]
        inert = [one for one in left if one is not group]
        if group.path not in read and (spread := _consequence(resumption, group, differing, inert)):
            read[group.path] = (ON_PURPOSE, spread)
    return read


def _is_number(group: Group) -> bool:
    """Whether a group is a number that is another one."""
    return all(
        change.aspect == "value"
        and change.expected is not None
        and type(change.expected.value) in (int, float)
        for change in group.changes
    )
