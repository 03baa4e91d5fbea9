# SPDX-License-Identifier: MIT
"""Reports: what was promised, what was found, and how to see it again."""
