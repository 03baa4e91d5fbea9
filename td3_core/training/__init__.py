# SPDX-License-Identifier: MIT
"""A training run around the agent: environments, episodes, metrics, progress and the command."""
