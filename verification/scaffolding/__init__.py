# SPDX-License-Identifier: MIT
"""A first adapter for somebody's class: the class is inspected, and the files of an adapter are written.

Not here: running what was written (``running``), and adapters that are kept up to date (``adapters``).
"""
