# SPDX-License-Identifier: MIT
"""Reports: the verdicts, and each form that they are written in.

Not here: reaching a verdict by running anything (``running``).
"""
