# SPDX-License-Identifier: MIT
"""A training run around the agent: environments, episodes, metrics, progress and the command.

Not here: the update itself (``agent``), and the form of the file that a run is saved in (``checkpoint``).
"""
