# SPDX-License-Identifier: MIT
"""The checks, one module a level. A check's name is public; its docstring is what reports print."""
