# SPDX-License-Identifier: MIT
"""Checkpoint files: read without running code from them, and compared leaf by leaf.

Not here: damaging them (``durability``), and comparing live agents (``engine``).
"""
