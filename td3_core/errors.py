# SPDX-License-Identifier: MIT
"""What goes wrong: a config that means nothing, and a checkpoint that cannot be used."""

from __future__ import annotations


class ConfigError(ValueError):
    """A value that a config may not have; the message names the field, the value and what is allowed."""


class CheckpointError(Exception):
    """A checkpoint that cannot be written, read or restored; the message names the file or the piece."""
