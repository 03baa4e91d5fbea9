# SPDX-License-Identifier: MIT
"""Runs agents with and without a reload, and finds what differs and what follows from it.

Not here: which differences break a promise (``checks``), and what an agent holds (``state``).
"""
