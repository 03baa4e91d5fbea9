# SPDX-License-Identifier: MIT
"""Built-in adapters, one module for each library; they double as examples for an adapter of your own."""
