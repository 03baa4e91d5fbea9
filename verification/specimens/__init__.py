# SPDX-License-Identifier: MIT
"""Specimens: small correct agents that hold the kinds of state that ``td3_core`` is too minimal to hold.

The suite passes each of them, and their mutants show that it would notice if such state were lost.
Not here: their bugs (``mutants``), and agents of real libraries (``adapters``).
"""

from __future__ import annotations

#: The place of each specimen's adapter, by its name.
SPECIMENS: dict[str, str] = {
    "cloning": "verification.specimens.cloning:CloningAdapter",
    "ddpg": "verification.specimens.ddpg:DDPGAdapter",
    "dqn": "verification.specimens.dqn:DQNAdapter",
    "norms": "verification.specimens.norms:NormsAdapter",
    "population": "verification.specimens.population:PopulationAdapter",
    "sac": "verification.specimens.sac:SACAdapter",
    "zoo": "verification.specimens.zoo:ZooAdapter",
}
