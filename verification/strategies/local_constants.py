# SPDX-License-Identifier: MIT
"""Keeps what a seed draws from depending on which source files are around.

Now and then Hypothesis draws a constant that it found in a source file outside of site-packages. So one seed
would draw one program for ``verify``, another under pytest, and yet another from a checkout.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING
from unittest import mock

from hypothesis.internal.conjecture import providers

if TYPE_CHECKING:
    from collections.abc import Iterator

# Older versions of Hypothesis look for no constants.
_LOOKS = hasattr(providers, "_get_local_constants")
if _LOOKS:
    from hypothesis.internal.constants_ast import Constants

    # Which constants a draw may take is cached by what is asked for, and so must not mix with other tests.
    _CACHE = type(providers.CONSTANTS_CACHE)(1024)


@contextlib.contextmanager
def no_local_constants() -> Iterator[None]:
    """Draw as if no source file were local."""
    if not _LOOKS:
        yield
        return
    with (
        mock.patch.object(providers, "_get_local_constants", Constants),
        mock.patch.object(providers, "CONSTANTS_CACHE", _CACHE),
    ):
        yield
