# SPDX-License-Identifier: MIT
"""Failures that are expected: the entries of their file, and bringing that file up to date.

Not here: the programs that show failures (``counterexamples``).
"""
