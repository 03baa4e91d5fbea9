# SPDX-License-Identifier: MIT
"""The command ``verify``, a module for each subcommand."""
