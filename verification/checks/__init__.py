# SPDX-License-Identifier: MIT
"""The checks, one module a level: what an agent is asked, as public names with promise and reason.

Not here: how agents are run and compared to find the answer (``engine``), and how often (``running``).
"""
