# SPDX-License-Identifier: MIT
"""Processes of their own and time limits, for what may hang or crash."""
