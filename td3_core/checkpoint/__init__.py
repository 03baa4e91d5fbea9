# SPDX-License-Identifier: MIT
"""What is in a checkpoint, and how it is written, verified, read and put back; nothing here trains."""
