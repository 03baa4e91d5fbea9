# SPDX-License-Identifier: MIT
"""Mutants: a correct agent with one planted checkpoint bug each, to show that the suite bites.

A check that no mutant fails cannot fail; a mutant that no check kills is a bug that the suite misses.
Not here: the correct agents (``specimens``, ``adapters``).
"""
