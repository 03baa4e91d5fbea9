# SPDX-License-Identifier: MIT
"""Agents under faults: damaged files and interrupted saves, for the checks of level ``durable``.

Not here: the checks (``checks``), and the processes that faults may kill (``processes``).
"""
