# SPDX-License-Identifier: MIT
"""What is in a checkpoint, and how it is written, verified, read and put back.

Not here: anything that trains, or that knows of environments (``training``).
"""
