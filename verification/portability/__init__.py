# SPDX-License-Identifier: MIT
"""Agents in other surroundings: other paths, settings of the process, and rights, for level ``portable``.

Not here: the checks (``checks``), and damage to files and saves (``durability``).
"""
