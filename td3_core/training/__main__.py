# SPDX-License-Identifier: MIT
"""Starts the command ``td3-train``: takes over the signals first, and imports what takes seconds then."""

from __future__ import annotations

from typing import NoReturn

from td3_core.training.stop_signals import StopSignals


def main() -> NoReturn:
    """Entry point of the console script ``td3-train``."""
    with StopSignals() as signals:
        from td3_core.training.command import main as command

        command(signals=signals)


if __name__ == "__main__":
    main()
