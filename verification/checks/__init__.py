# SPDX-License-Identifier: MIT
"""The checks, one module a level: properties with public names, each with a promise and a reason.

Not here: how agents are run and compared to find the answer (``engine``), and how often (``running``).
"""
