# SPDX-License-Identifier: MIT
"""What goes with a release: how to cite it, what a file can do, how to report a fault, pinned actions."""

from __future__ import annotations

import re
import tomllib

import pytest
import typer
import yaml
from test_readme import ROOT

from verification.cli import app as cli

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TEMPLATES = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
pytestmark = pytest.mark.skipif(
    not WORKFLOWS, reason="the documents are in the repository, not in the distribution"
)


def project() -> dict[str, str]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == project()["version"]
    assert citation["license"] == project()["license"]
    assert citation["title"].startswith(project()["name"])
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()


def command_names() -> set[str]:
    """Every command of ``verify``, those of groups with the group's name before them."""
    commands = typer.main.get_command(cli.app).commands
    inner = {name: getattr(one, "commands", None) for name, one in commands.items()}
    return {
        f"verify {name}" + (f" {part}" if part else "")
        for name, parts in inner.items()
        for part in (parts or [""])
    }


def test_every_command_that_reads_is_in_the_table_of_what_a_file_can_do() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    table = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    told = set(re.findall(r"`(verify [a-z]+(?: (?:update|read|write))?)", table))
    assert told == command_names() - {"verify list"}


def test_the_numbers_in_security_are_those_of_the_evidence() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    durability = (ROOT / "docs/durability.md").read_text(encoding="utf-8")
    (most,) = re.findall(r"and at most (\d+ MiB) besides", text)
    assert f"at most {most} besides" in durability
    (carrying,) = re.findall(r"of (\d+)\s+that carry code", text)
    assert f"| files that carry code | td3_core | {carrying} refused |" in durability


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_issue_templates_are_forms(file: object) -> None:
    form = yaml.safe_load(file.read_text(encoding="utf-8"))
    if file.name == "config.yml":
        assert form == {"blank_issues_enabled": True}
        return
    assert {"name", "description", "body"} <= form.keys()
    asked = [part for part in form["body"] if part["type"] != "markdown"]
    assert {part["type"] for part in asked} <= {"input", "textarea"}
    assert len({part["id"] for part in asked}) == len(asked)
    assert all(part["attributes"]["label"] for part in asked)


def test_there_is_a_template_for_each_kind_of_fault() -> None:
    assert {file.stem for file in TEMPLATES} == {"false-accusation", "missed-loss", "bug", "config"}


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_actions_are_pinned_by_digest(file: object) -> None:
    """A tag can be moved to other code; a commit cannot."""
    text = file.read_text(encoding="utf-8")
    used = re.findall(r"uses: (\S+)(.*)", text)
    assert used
    for action, comment in used:
        if not action.startswith("./"):
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), action
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), f"{action} does not say its version"


def test_one_action_has_one_digest() -> None:
    used = {line for file in WORKFLOWS for line in re.findall(r"uses: (\S+/\S+@\S+)", file.read_text())}
    assert len({action.partition("@")[0] for action in used}) == len(used)
