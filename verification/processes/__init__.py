# SPDX-License-Identifier: MIT
"""Processes of their own and time limits, for what may hang or crash.

Not here: what is done in them (``durability``, ``engine``).
"""
