# SPDX-License-Identifier: MIT
"""rsl_rl's random network distillation does not save the running reward that its normaliser goes by.

The moments of `reward_normalizer` are buffers, but the discounted average that they are moments of is
not. After `runner.load` it begins at the next reward, so that the moments and all later intrinsic
rewards are others.

Lost: agent.alg.rnd.reward_normalizer.disc_avg.avg
Fix: make the average of `_DiscountedAverage` a buffer.
"""

import torch
from rsl_rl.extensions import RandomNetworkDistillation
from tensordict import TensorDict


def build(seed):
    torch.manual_seed(seed)
    groups = {"rnd_state": ["policy"]}
    return RandomNetworkDistillation(3, groups, 2, [8], [8], weight=1.0, reward_normalization=True)


def step(rnd, number):
    seen = torch.rand(2, 3, generator=torch.Generator().manual_seed(number))
    return rnd.get_intrinsic_reward(TensorDict({"policy": seen}, [2])).tolist()


rnd, loaded = build(1), build(2)
for number in range(5):
    step(rnd, number)
loaded.load_state_dict(rnd.state_dict())  # as runner.save and runner.load do
went_on, resumed = ([step(one, number) for number in range(5, 8)] for one in (rnd, loaded))
print("intrinsic rewards without an interruption:", went_on)
print("intrinsic rewards after a reload:         ", resumed)
print("LOST" if went_on != resumed else "KEPT")
