# SPDX-License-Identifier: MIT
"""``python -m verification`` is ``verify``."""

from verification.cli import main

if __name__ == "__main__":
    main()
