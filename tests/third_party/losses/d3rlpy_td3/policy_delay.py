# SPDX-License-Identifier: MIT
"""d3rlpy's TD3 does not save its place in the policy delay.

Neither `save` nor `save_model` writes the count of gradient steps. A loaded algorithm counts from zero,
so that the policy and the targets are updated at other steps than they would have been.

Lost: agent._grad_step
Fix: let `save` write `grad_step`; until then keep `algo.grad_step` and call `algo.set_grad_step` after
loading.
"""

import tempfile

import d3rlpy
import numpy as np
import torch
from d3rlpy.dataset import Transition, TransitionMiniBatch


def update(agent, number):
    random = np.random.RandomState(number)
    torch.manual_seed(number)
    rows = [[random.rand(size).astype("float32") for size in (3, 2, 1, 3, 2)] for _ in range(4)]
    batch = [Transition(*row, terminal=0.0, interval=1, rewards_to_go=row[2][None]) for row in rows]
    before = [parameter.clone() for parameter in agent.impl.policy.parameters()]
    agent.update(TransitionMiniBatch.from_transitions(batch))
    return not all(map(torch.equal, before, agent.impl.policy.parameters()))


agent = d3rlpy.algos.TD3Config().create(device="cpu")
agent.create_impl((3,), 2)
for number in range(3):
    update(agent, number)
with tempfile.NamedTemporaryFile() as file:
    agent.save(file.name)
    loaded = d3rlpy.load_learnable(file.name, device="cpu")
went_on, resumed = ([update(one, number) for number in range(3, 7)] for one in (agent, loaded))
print("policy updated without an interruption:", went_on)
print("policy updated after a reload:         ", resumed)
print("LOST" if went_on != resumed else "KEPT")
