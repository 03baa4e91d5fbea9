# SPDX-License-Identifier: MIT
"""Programs as earlier versions kept them: pickles, which name the module that a class was in at the time.

No more of them are written, so this table is complete.
"""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any

from verification.counterexamples.class_names import PLACES, named

if TYPE_CHECKING:
    from verification.program import Program

#: The first word of today's names for the classes of a former module.
_MODULES = {
    "verification.program": "program",
    "verification.strategies.program": "program",
    "verification.strategies.config": "config",
    "verification.strategies.moments": "moments",
    "verification.specimens.cloning": "cloning",
    "verification.specimens.ddpg": "ddpg",
    "verification.specimens.dqn": "dqn",
    "verification.specimens.norms": "norms",
    "verification.specimens.sac": "sac",
    "td3_core.config": "td3",
    "td3_core.optimizers": "td3",
    "td3_core.replay": "td3",
}


def unpickled(raw: bytes) -> Program:
    """The program in a pickle.

    Raises:
        Exception: of any kind, if a class in it is gone or has changed.
    """
    program: Program = _Unpickler(io.BytesIO(raw)).load()
    return program


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:
        today = f"{_MODULES.get(module, '')}.{name}"
        return named(today) if today in PLACES else super().find_class(module, name)
