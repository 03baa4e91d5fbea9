# SPDX-License-Identifier: MIT
"""The doors of the suite: a call, a class for pytest, and checks in parallel."""
