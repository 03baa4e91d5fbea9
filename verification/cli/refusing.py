# SPDX-License-Identifier: MIT
"""How every command refuses what cannot be carried out as given."""

from __future__ import annotations

import typer
from rich.console import Console

from verification.report.model import ExitCode


def refused(error: Exception | str, code: ExitCode = ExitCode.USAGE) -> typer.Exit:
    """Say in one sentence what is wrong with a command, or with what it was given."""
    Console(stderr=True).print(f"verify: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
    return typer.Exit(code)
