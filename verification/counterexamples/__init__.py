# SPDX-License-Identifier: MIT
"""Failing programs that are kept: their files, their form as JSON, and their form as Python.

Not here: finding and repeating them (``running``), and failures that are expected (``expected_failures``).
"""
