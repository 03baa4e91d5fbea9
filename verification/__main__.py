# SPDX-License-Identifier: MIT
"""``python -m verification`` is ``verify``."""

from verification.cli.app import main

if __name__ == "__main__":
    main()
