# SPDX-License-Identifier: MIT
"""Groups leaves that are lost together, and names them as a person would."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verification.losses import overlap
from verification.state import Part, alike
from verification.state.places import holder_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from verification.state import Change, Snapshot


#: The part of a group is that of its first leaf in this order: an optimizer's moments say more than its rate.
DECISIVE = [
    Part.ONLINE,
    Part.TARGET,
    Part.OPTIMIZER,
    Part.SCHEDULE,
    Part.GENERATOR,
    Part.COUNTER,
    Part.MODE,
    Part.BINDING,
    Part.HYPER_PARAMETER,
    Part.OTHER,
]


# What has content of its own, and not only a length or a type.
_VALUES = frozenset({"tensor", "array", "scalar", "generator"})
_GLOBAL = re.compile(r".*\.__globals__(\['|\.)?(?P<name>\w+)(?:'\])?(?P<rest>.*)")


@dataclass(frozen=True)
class Group:
    """Leaves that differ after a load and are judged together.

    Attributes:
        path: of the outermost thing that is lost as a whole.
        changes: how its leaves differ.
        part: the kind of state that they are.
        within: what holds it, from the inside, as far as nothing of it has come back; never a root.
    """

    path: str
    changes: tuple[Change, ...]
    part: Part
    within: tuple[str, ...] = ()


def grouped(
    changes: Sequence[Change],
    reference: Snapshot,
    loaded: Snapshot,
    cold: Snapshot,
    part_of: Callable[[Change], Part],
) -> list[Group]:
    """Group what differs by the outermost network, optimizer or container of which nothing has come back.

    That something has come back is seen where a leaf equals the reference, and was different before the load,
    or not there: an optimizer holds nothing before its first step.
    Attributes of an agent are judged one by one, whatever became of the others.

    Args:
        changes: what differs after the load.
        reference: what was saved.
        loaded: what came back, or became of it by a save.
        cold: the receiver before the load.
        part_of: the part of a leaf.
    """
    differing = {change.path for change in changes}
    restored: set[str] = set()  # everything in which something came back
    for path, leaf in reference.leaves.items():
        before, after = cold.leaves.get(path), loaded.leaves.get(path)
        came_back = path not in differing and after is not None and after.digest == leaf.digest
        if came_back and (before.digest != leaf.digest if before else leaf.kind in _VALUES):
            # What is lost of a new optimizer is one group, though other moments came back.
            whole = path.rpartition(".state[")[0] if before is None and leaf.role == "moment" else ""
            restored.update(_above(whole or path))
            if leaf.kind in _VALUES and not whole:  # a tensor that came back may have attributes that did not
                restored.add(path)
    aliases = reference.aliases
    found: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        path = _left_behind(change, differing, reference, loaded)
        found[_outermost(familiar(path, aliases), reference, restored)].append(change)
    return [
        Group(
            path, tuple(members), min(map(part_of, members), key=DECISIVE.index), _lost_above(path, restored)
        )
        for path, members in found.items()
    ]


def _left_behind(change: Change, differing: set[str], reference: Snapshot, loaded: Snapshot) -> str:
    """The path to tell a change by: of two names of one object that came apart, that of the stale one."""
    if change.aspect == "identity" and change.expected and change.expected.kind == "identity":
        first = str(change.expected.value)
        stale = any(overlap(first, path) for path in differing)
        if stale and change.path in loaded.leaves and alike(reference, first, loaded, change.path):
            return first
    return change.path


def _outermost(path: str, reference: Snapshot, restored: set[str]) -> str:
    leaf = reference.leaves.get(path)
    drawn_from = leaf is not None and leaf.kind == "generator"
    while (above := holder_of(path)) != path and holder_of(above) != above:
        if above in restored or not _is_collection(above, reference):
            break
        if drawn_from and _is_network(above, reference):  # which is not lost with it
            break
        path = above
    return path


def _lost_above(path: str, restored: set[str]) -> tuple[str, ...]:
    above = itertools.takewhile(lambda one: one not in restored and holder_of(one) != one, _above(path))
    return tuple(above)


def _is_collection(path: str, snapshot: Snapshot) -> bool:
    """Whether a path is that of a network, an optimizer, a schedule or a container."""
    leaf = snapshot.leaves.get(path)
    if leaf is None:  # an optimizer's entry, or a member of a tuple, which have no record of their own
        return not path.endswith(("__class__", "__globals__"))  # which hold much that is not the agent's
    if leaf.kind in {"container", "tensor", "array"} or leaf.role in {"option", "schedule", "moment"}:
        return True
    return _is_network(path, snapshot)


def _is_network(path: str, snapshot: Snapshot) -> bool:
    leaf = snapshot.leaves.get(path)
    return leaf is not None and leaf.kind == "object" and f"{path}.training" in snapshot.leaves


def network_around(path: str, snapshot: Snapshot) -> str:
    """The outermost network that a path is or is in; the path itself if there is none."""
    networks = [one for one in (path, *_above(path)) if _is_network(one, snapshot)]
    return networks[-1] if networks else path


def _above(path: str) -> Iterator[str]:
    while (above := holder_of(path)) != path:
        yield above
        path = above


def ways(path: str, aliases: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """A path, and all others to the same object."""
    yield path
    for whole in [path, *_above(path)]:
        for other in aliases.get(whole, ()):
            yield f"{other}{path[len(whole) :]}"


def familiar(path: str, aliases: Mapping[str, tuple[str, ...]]) -> str:
    """What a person would call a path: of all ways to the same object the shortest of plain attributes."""
    return min(ways(path, aliases), key=_awkwardness)


def _awkwardness(path: str) -> tuple[int, int, int]:
    # An optimizer numbers the parameters that a network has names for.
    by_object = path.count("()[") + path.count("__") + path.count(".param_groups[")
    return by_object, len(re.findall(r"[.\[]", path)), len(path)


def name_of(group: Group) -> str:
    """What a person would call a group."""
    if found := _GLOBAL.match(group.path):
        return f"the global {found['name']}{found['rest']}"
    return group.path.removesuffix(".state") if group.part is Part.OPTIMIZER else group.path


def content_of(group: Group) -> str:
    """What of a group is lost, in a few words."""
    paths = [change.path for change in group.changes]
    if group.part is Part.OPTIMIZER:
        entries = {found[0] for path in paths if (found := re.search(r"\.state\[[^\]]*\]", path))}
        what = "steps" if all(path.endswith("['step']") for path in paths) else "moments"
        return f"{what} of {_number(len(entries), 'parameter')}" if entries else ""
    if group.part in {Part.ONLINE, Part.TARGET} and len(paths) > 1:
        return _number(len(paths), "tensor")
    return _number(len(paths), "leaf") if len(paths) > 1 else ""


def _number(number: int, what: str) -> str:
    if number == 1:
        return f"1 {what}"
    return f"{number} {'leaves' if what == 'leaf' else what + 's'}"
