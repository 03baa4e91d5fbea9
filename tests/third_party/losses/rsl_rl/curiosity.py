# SPDX-License-Identifier: MIT
"""rsl_rl's random network distillation does not save how far its weight schedule is.

`update_counter` is a plain attribute, which no `state_dict` holds. After `runner.load` the schedule of
the intrinsic reward's weight begins again, so that curiosity has more weight than it would have had.

Lost: agent.alg.rnd.update_counter agent.alg.rnd.weight
Fix: make `update_counter` a buffer of `RandomNetworkDistillation`.
"""

import torch
from rsl_rl.extensions import RandomNetworkDistillation
from tensordict import TensorDict


def build():
    schedule = {"mode": "linear", "initial_step": 0, "final_step": 100, "final_value": 0.0}
    groups = {"rnd_state": ["policy"]}
    return RandomNetworkDistillation(3, groups, 2, [8], [8], weight=1.0, weight_schedule=schedule)


def step(rnd):
    rnd.get_intrinsic_reward(TensorDict({"policy": torch.rand(2, 3)}, [2]))
    return rnd.weight


rnd, loaded = build(), build()
for _ in range(50):
    step(rnd)
loaded.load_state_dict(rnd.state_dict())  # as runner.save and runner.load do
went_on, resumed = step(rnd), step(loaded)
print("weight of the intrinsic reward without an interruption:", went_on)
print("weight of the intrinsic reward after a reload:         ", resumed)
print("LOST" if went_on != resumed else "KEPT")
