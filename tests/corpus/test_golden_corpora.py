# SPDX-License-Identifier: MIT
"""Corpora of earlier releases: every checkpoint still loads with the state that was saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from verification.adapters.find import load_adapter
from verification.corpus.manifest import read_manifest
from verification.corpus.reading import read_corpus
from verification.corpus.text import details

FOLDER = Path(__file__).parents[1] / "golden" / "corpora"
CORPORA = sorted(file.parent for file in FOLDER.glob("*/*/corpus.json"))


@pytest.mark.parametrize("folder", CORPORA, ids=lambda folder: str(folder.relative_to(FOLDER)))
def test_a_corpus_of_an_earlier_release_is_read(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert manifest.entries
    reading = read_corpus(folder, load_adapter(manifest.target), manifest)
    assert reading.ok, list(details(reading))


def test_there_are_corpora_and_they_are_small() -> None:
    assert {folder.name for folder in CORPORA} == {"td3_core", "sac"}
    for release in {folder.parent for folder in CORPORA}:
        assert sum(file.stat().st_size for file in release.rglob("*") if file.is_file()) < 300_000
