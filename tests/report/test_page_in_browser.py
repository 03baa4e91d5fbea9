# SPDX-License-Identifier: MIT
"""The HTML report in a real browser: by keyboard, on a telephone, in light and dark, and for all to use.

They need the dependency group ``browser`` and a Chromium of the system; neither is downloaded.
"""

from __future__ import annotations

import dataclasses
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from verification.losses import (
    DIFFERS,
    HEALS,
    OPAQUE,
    RESTORED,
    SAME,
    UNREAD,
    Consequence,
    Course,
    Loss,
    Note,
    Piece,
)
from verification.report.html import html
from verification.report.model import Report, Result, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

playwright = pytest.importorskip("playwright.sync_api", reason="needs the dependency group browser")
axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="needs the dependency group browser"
)
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, _NAMES)), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this system")

SPACES = "agent.critic_cnn_optimizer.state[{}]['exp_avg']"
LOSS = Loss(
    "agent.critic_cnn_optimizer",
    "agent.critic_cnn_optimizer.state",
    "optimizer state",
    "spreads",
    "moments of 2 parameters",
    "it changes agent.critic_cnn.conv0.weight at the first step after the load",
    "with everything else put back the run differs",
    tuple(f"{SPACES.format(number)} is missing; it was a float32 tensor" for number in range(2)),
    first=Consequence("agent.critic_cnn.conv0.weight", "online networks", 1),
    beside="agent.critic_optimizer",
    saved="absent",
    course=Course(
        ("learn", "learn 12 times", "act", "learn"),
        ("learn", "act", "learn", "learn"),
        {
            "agent.critic_cnn_optimizer": (None, 1.0, 1.0, 0.9, 0.8),
            "agent.critic_cnn": (0.0, 1e-5, 1e-5, 1e-4, 1e-3),
            "agent.noise": (0.0, 0.0, None, None, None),
        },
        1,
    ),
    script="import torch\nprint('<proof> & no more')\n",
)
LATE = dataclasses.replace(
    LOSS,
    name="agent.<count>",
    path="agent.count",
    content="",
    first=Consequence("action", "other state", 30),
    course=Course(("learn",), ("act",) * 31, {"agent.count": (1e-9, *[0.5] * 31)}, 30),
)
SILENT = dataclasses.replace(
    LOSS,
    name="run.log",
    path="run.log",
    how="recorded",
    first=None,
    effect="training changes it, but no effect on training was seen",
    course=Course((), ("learn",), {"run.log": (0.5, 0.5)}, None),
)
PIECES = (
    Piece("agent.actor[0].weight", RESTORED, "float32 (3, 2)"),
    Piece("agent.actor[0].training", SAME, "True"),
    *(Piece(SPACES.format(number), DIFFERS, "float32 (3,)") for number in range(2)),
    Piece("agent.cache", DIFFERS, "1"),
    Piece("agent.unread", DIFFERS, "2"),
    Piece("agent.env['a.b'].lock", OPAQUE, "_thread.lock"),
)
NOTES = (
    Note("agent.cache", "agent.cache", "made anew", HEALS),
    Note("agent.unread", "agent.unread", "x", UNREAD),
)
OPTIMIZER, TARGETS = "optimizer_state_survives_reload", "targets_survive_reload"


def result(check: str, verdict: Verdict, sentence: str = "") -> Result:
    return Result(check, "training", "A promise.", verdict, sentence, examples=3, drawn=4, seconds=0.5)


def losing(*losses: Loss) -> Result:
    return dataclasses.replace(
        result(OPTIMIZER, Verdict.FAILED, "came back different"),
        losses=losses,
        lost=tuple(loss.path for loss in losses),
        notes=NOTES,
        pieces=PIECES,
        replay="3f9a1c20",
        program="agent = adapter.build(config, seed=0)\n" + "adapter.learn(agent, x)" * 20,
    )


PASSED = [result(name, Verdict.PASSED) for name in ("runs_are_repeatable", "objects_stay_bound")]
BLOCKED = result(TARGETS, Verdict.BLOCKED, "blocked by runs_are_repeatable")
REPORTS = {
    "failing": [losing(LOSS, LATE, SILENT), *PASSED, BLOCKED],
    "passing": [dataclasses.replace(one, pieces=PIECES[:2]) for one in PASSED],
    "inconclusive": [result("runs_are_repeatable", Verdict.INCONCLUSIVE, "two runs without any save differ")],
    "nothing": [],
}
LONG = "an_agent_with_a_name_that_is_longer_than_any_line_of_a_telephone_could_ever_be_in_one_piece"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        one = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield one
        one.close()


class Page:
    """A report that is open in the browser, and what its console says."""

    def __init__(self, browser: Any, file: Path, **options: Any) -> None:
        self.context = browser.new_context(offline=True, **options)
        self.tab = self.context.new_page()
        self.errors: list[str] = []
        self.asked: list[str] = []
        self.tab.on("console", lambda one: self.errors.append(one.text))
        self.tab.on("pageerror", lambda one: self.errors.append(str(one)))
        self.tab.on("request", lambda one: self.asked.append(one.url))
        self.tab.goto(file.as_uri())

    def shown(self) -> list[str]:
        """The leaves of the state that are to be seen."""
        leaves = self.tab.locator("#tree [data-fate]")
        seen = [one for one in leaves.all() if one.is_visible()]
        return [str(one.get_attribute("data-path")) for one in seen]

    def focus_by_tab(self, selector: str) -> None:
        """Press the tabulator until an element has the focus."""
        self.tab.evaluate("document.activeElement.blur()")
        for _ in range(200):
            self.tab.keyboard.press("Tab")
            if self.tab.evaluate("one => document.activeElement.matches(one)", selector):
                return
        pytest.fail(f"the keyboard does not get to {selector}")


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Any]:
    pages: list[Page] = []

    def load(name: str, **options: Any) -> Page:
        file = tmp_path / f"{name}.html"
        report = Report(LONG, "training", tuple(REPORTS[name]), 7, {"torch": "2.13.0"})
        file.write_text(html(report, command="verify check mine", bugs={OPTIMIZER: ("a/b#1",) * 9}))
        pages.append(Page(browser, file, **options))
        return pages[-1]

    yield load
    for page in pages:
        assert page.errors == []
        assert len(page.asked) == 1, page.asked  # itself
        page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", REPORTS)
def test_it_fits_and_everybody_can_read_it(opened: Any, name: str, width: int, scheme: str) -> None:
    page = opened(name, viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= width
    # Nothing may stick out within the page either, where it would be cut.
    wide = (
        "[...document.querySelectorAll('main *')].filter(one => one.getBoundingClientRect().right > {} + 0.5)"
    )
    assert page.tab.evaluate(f"{wide.format(width)}.map(one => one.outerHTML.slice(0, 80))") == []
    found = axe.Axe().run(page.tab)
    assert found.violations_count == 0, found.generate_report()


def test_pictures_are_drawn_for_the_width(opened: Any) -> None:
    for width, kind, other in ((390, "narrow", "wide"), (1280, "wide", "narrow")):
        page = opened("failing", viewport={"width": width, "height": 800})
        assert page.tab.locator(f"figure svg.{kind}").first.is_visible()
        assert not page.tab.locator(f"figure svg.{other}").first.is_visible()
        size = page.tab.locator(f"figure svg.{kind} text").first.bounding_box()
        assert size["height"] > 10  # it can be read


def test_the_state_is_filtered_and_searched_by_keyboard(opened: Any) -> None:
    page = opened("failing")
    paths = [piece.path for piece in PIECES]
    page.focus_by_tab("#unfold")
    page.tab.keyboard.press("Enter")
    assert page.shown()[: len(paths)] == paths
    page.focus_by_tab("#fold")
    page.tab.keyboard.press("Enter")
    assert page.shown() == []
    page.focus_by_tab("[data-show=lost]")
    page.tab.keyboard.press("Space")
    assert set(page.shown()) == {*paths[2:4], "agent.count", "run.log"}
    assert page.tab.locator("#shown").inner_text() == "4 of 9 shown"
    page.focus_by_tab("#search")
    page.tab.keyboard.type("STATE[1]")
    assert page.shown() == [paths[3]]
    page.focus_by_tab("[data-show=lost]")
    page.tab.keyboard.press("Space")
    page.focus_by_tab("#search")
    page.tab.keyboard.press("Control+A")
    page.tab.keyboard.type("cache")
    assert page.shown() == ["agent.cache"]
    page.tab.keyboard.press("Control+A")
    page.tab.keyboard.press("Delete")
    assert page.tab.locator("#shown").inner_text() == ""


def test_each_leaf_is_told_by_what_became_of_it(opened: Any) -> None:
    page = opened("failing")
    fates = {
        one.get_attribute("data-path"): one.get_attribute("data-fate")
        for one in page.tab.locator("#tree [data-fate]").all()
    }
    assert fates == {
        "agent.actor[0].weight": "restored",
        "agent.actor[0].training": "same",
        SPACES.format(0): "lost",
        SPACES.format(1): "lost",
        "agent.cache": "heals",
        "agent.unread": "unread",
        "agent.env['a.b'].lock": "opaque",
        "agent.count": "lost",
        "run.log": "lost",
    }


def test_stories_and_checks_unfold_by_keyboard(opened: Any) -> None:
    page = opened("failing")
    cards = page.tab.locator("details.card")
    assert [one.get_attribute("open") is not None for one in cards.all()] == [True, False, False, False]
    page.focus_by_tab("details.card:nth-of-type(2) > summary")
    page.tab.keyboard.press("Enter")
    assert cards.nth(1).get_attribute("open") is not None
    names = [one.inner_text() for one in page.tab.locator(".check:visible .name").all()]
    assert names == [OPTIMIZER, "1 not run, blocked by runs_are_repeatable"]  # what passed is folded
    page.focus_by_tab(".check > summary")
    page.tab.keyboard.press("Enter")
    told = page.tab.locator(".check").first.inner_text()
    assert "Why it matters." in told
    assert "and 1 more" in told
    assert page.tab.locator(".bugs a").first.get_attribute("href") == "https://github.com/a/b/issues/1"


@pytest.mark.parametrize("allowed", [True, False], ids=["clipboard", "no clipboard"])
def test_commands_and_scripts_are_copied_by_keyboard(opened: Any, *, allowed: bool) -> None:
    page = opened("failing", permissions=["clipboard-read", "clipboard-write"] if allowed else [])
    if not allowed:
        page.tab.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.focus_by_tab("summary.word")
    page.tab.keyboard.press("Enter")
    for identity, text in (("script-1", LOSS.script), ("command-1-2", "verify replay 3f9a1c20")):
        page.focus_by_tab(f"[data-copy={identity}]")
        page.tab.keyboard.press("Enter")
        page.tab.wait_for_function("document.querySelector('#said').textContent === 'Copied'")
        page.tab.evaluate("document.querySelector('#said').textContent = ''")
        if allowed:
            assert page.tab.evaluate("navigator.clipboard.readText()").strip() == text.strip()
        else:
            assert page.tab.evaluate("document.querySelectorAll('textarea').length") == 0


def test_the_picture_says_where_the_runs_part(opened: Any) -> None:
    page = opened("failing", viewport={"width": 1280, "height": 800})
    page.tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    told = {}
    for picture in page.tab.locator("svg.wide[aria-labelledby^=what-]").all():
        title = picture.locator("title").text_content()
        told[title] = picture.locator(".cross").count(), picture.locator(".loud").all_text_contents()
    start = "Two runs train alike for {}. One of them is saved there and loaded into a new agent"
    assert told == {
        f"{start.format('1 step')}, without <count>: the actions differ from the 30th step on.": (
            1,
            ["✕ the runs part here"],
        ),
        f"{start.format('4 steps')}, without critic_cnn_optimizer: critic_cnn takes another step from "
        "the first update on.": (1, ["✕ critic_cnn.conv0.weight differs"]),
        # From this loss nothing follows: the runs do not part.
        f"{start.format('0 steps')}. run.log differs after that; nothing else comes to differ.": (0, []),
    }


def test_without_scripts_it_can_be_read(opened: Any) -> None:
    page = opened("failing", java_script_enabled=False)
    assert page.tab.locator("h1").inner_text().startswith(f"Not safe to train on with a loaded {LONG}: ")
    assert page.tab.locator(".check .name").first.is_visible()
