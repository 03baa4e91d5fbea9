# SPDX-License-Identifier: MIT
"""Reports: the verdicts, and each form in which they are told.

Not here: reaching a verdict by running anything (``running``).
"""
