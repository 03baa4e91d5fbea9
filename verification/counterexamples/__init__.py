# SPDX-License-Identifier: MIT
"""Failing programs that are kept: their files, their form as JSON, and their form as Python.

Not here: finding them and asking about them again (``running``), and known failures (``expected_failures``).
"""
