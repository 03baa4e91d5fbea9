# SPDX-License-Identifier: MIT
"""The plot of how far each component of a resumed agent is from the run that was never interrupted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verification.report.wording import called
from verification.state.places import component_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verification.losses import Course, Loss

# Components that are drawn, besides the lost one.
_MOST = 5
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 14, 34
_HEIGHT = 240
_EQUAL = 36  # pixels between the axis and the line on which nothing differs
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Line:
    """One component.

    Attributes:
        name: as a person would call it.
        style: the number of its colour and dashes; 0 is that of what is lost.
        points: its polyline.
        dots: where it was measured.
        unmeasured: where it differs in what has no distance.
        told: its course in words.
    """

    name: str
    style: int
    points: str
    dots: tuple[tuple[float, float], ...]
    unmeasured: tuple[tuple[float, float], ...]
    told: str


@dataclass(frozen=True)
class Plot:
    """The geometry of the plot, in pixels.

    Attributes:
        width: of the picture.
        height: likewise.
        left: where the axes begin.
        bottom: where the axis of the steps is.
        equal: on which height nothing differs.
        rows: labels of the vertical axis, with their height.
        columns: labels of the steps, with their place.
        lines: the lost component, and then those that follow, in the order in which they came to differ.
        left_out: how many components follow besides.
    """

    width: int
    height: int
    left: int
    bottom: int
    equal: int
    rows: tuple[tuple[str, float], ...]
    columns: tuple[tuple[str, float], ...]
    lines: tuple[Line, ...]
    left_out: int


def plot(loss: Loss, course: Course, width: int) -> Plot:
    """The plot of one loss, drawn for a width in pixels."""
    lost = component_of(loss.path)
    followers = [name for name in course.apart if name != lost]
    followers.sort(key=lambda name: (_since(course.apart[name]), -_largest(course.apart[name])))
    chosen = [*([lost] if lost in course.apart else []), *followers[:_MOST]]
    measured = [one for name in chosen for one in course.apart[name] if one]
    top = math.ceil(math.log10(max(measured, default=1.0)) - 1e-9)
    low = min(math.floor(math.log10(min(measured, default=1e-3))), top - 2)
    bottom, equal = _HEIGHT - _BOTTOM, _HEIGHT - _BOTTOM - _EQUAL // 2
    steps = len(next(iter(course.apart.values()), (0.0,))) - 1

    def x(step: int) -> float:
        return round(_LEFT + 8 + (width - _LEFT - _RIGHT - 16) * step / max(steps, 1), 1)

    def y(distance: float | None) -> float:
        if not distance:
            return equal if distance == 0 else _TOP
        share = (math.log10(distance) - low) / (top - low)
        return round(bottom - _EQUAL - (bottom - _EQUAL - _TOP) * min(max(share, 0.0), 1.0), 1)

    lines = []
    for style, name in enumerate(chosen, start=0 if lost in course.apart else 1):
        distances = course.apart[name]
        dots = tuple((x(step), y(one)) for step, one in enumerate(distances) if one is not None)
        lines.append(
            Line(
                name=called(name),
                style=style,
                points=" ".join(f"{one:g},{other:g}" for one, other in dots),
                dots=dots,
                unmeasured=tuple((x(step), float(_TOP)) for step, one in enumerate(distances) if one is None),
                told=_told(distances),
            )
        )
    every = max(1, math.ceil((top - low) / 5))
    rows = [
        (f"10{str(power).translate(_SUPERSCRIPTS)}" if power else "1", y(10.0**power))
        for power in range(low, top + 1, every)
    ]
    columns = [("load" if step == 0 else str(step), x(step)) for step in range(steps + 1)]
    if width < 500:  # pixels: no room for each
        columns = columns[:: 2 if steps > 6 else 1]
    return Plot(
        width=width,
        height=_HEIGHT,
        left=_LEFT,
        bottom=bottom,
        equal=equal,
        rows=(("equal", float(equal)), *rows),
        columns=tuple(columns),
        lines=tuple(lines),
        left_out=max(0, len(followers) - _MOST),
    )


def _since(distances: Iterable[float | None]) -> int:
    """The first step at which something differs."""
    return next((step for step, one in enumerate(distances) if one != 0), 10**6)


def _largest(distances: Iterable[float | None]) -> float:
    return max((one or 0.0 for one in distances), default=0.0)


def _told(distances: tuple[float | None, ...]) -> str:
    since = _since(distances)
    when = "right after the load" if since == 0 else f"from step {since} on"
    if since >= len(distances):
        return "equal throughout"
    last = distances[-1]
    if last is None:
        return f"differs {when}"
    now = "equal again at the end" if last == 0 else f"{_percent(last)} apart at the end"
    return f"differs {when}, {now}"


def _percent(distance: float) -> str:
    share = 100 * distance
    return f"{share:.0f} %" if share >= 10 else f"{share:.2g} %"
