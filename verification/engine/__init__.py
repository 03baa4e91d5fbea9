# SPDX-License-Identifier: MIT
"""Runs agents with and without a reload and finds what follows from a difference; asks no questions."""
