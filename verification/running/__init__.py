# SPDX-License-Identifier: MIT
"""Runs checks and collects their verdicts: as a call, as a class for pytest, and in parallel.

Not here: what a check asks (``checks``), and the subcommands (``cli``).
"""
