# SPDX-License-Identifier: MIT
"""Built-in adapters, one module for each library, and how any adapter is found by its name.

Not here: agents (``specimens``), and what calls an adapter (``engine``).
"""
