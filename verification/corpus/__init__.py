# SPDX-License-Identifier: MIT
"""Corpora: checkpoints that are kept with what was saved and what followed, to be read under other versions.

Not here: how an agent is run (``engine``), and what it loses under one version (``checks``).
"""
