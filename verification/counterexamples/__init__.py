# SPDX-License-Identifier: MIT
"""Failing programs that are kept: their store, and their form as source."""
