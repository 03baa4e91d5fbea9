# SPDX-License-Identifier: MIT
"""The command ``verify``, a module for each subcommand.

Not here: what calls and tests can do as well (``running``, ``report``, ``counterexamples``).
"""
