# SPDX-License-Identifier: MIT
"""The report as JSON, for programs: the data, with the sentences that people read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from verification.report.hints import hint
from verification.report.model import some
from verification.report.opening import looked, opening, survived, unseen

if TYPE_CHECKING:
    from verification.report.model import Report


def as_json(report: Report) -> str:
    """The whole report; leaves that a loss names are told there, and not again under the check."""
    data = report.to_dict()
    for loss, told in zip(report.lost, data["lost"], strict=True):
        result = report.reported_by(loss)
        told["hint"] = hint(loss, report.lost)
        told["check"] = result.check if result else ""
        told["replay"] = result.replay if result else ""
    for told in data["results"]:
        if told["lost"]:
            told["differences"] = some(told["differences"])
    first = {
        "schema": data.pop("schema"),
        "sentence": opening(report),
        "survived": survived(report),
        "unseen": unseen(report),
        "looked": looked(report),
    }
    return json.dumps({**first, **data}, indent=2) + "\n"
