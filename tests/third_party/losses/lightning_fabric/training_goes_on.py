# SPDX-License-Identifier: MIT
"""Lightning Fabric: training goes on from `fabric.save` and `fabric.load` as if it had never stopped."""

import tempfile
from pathlib import Path

import torch
from lightning.fabric import Fabric


def build(seed):
    torch.manual_seed(seed)
    fabric = Fabric(accelerator="cpu", devices=1)
    model = torch.nn.Sequential(
        torch.nn.Linear(3, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Linear(8, 1)
    )
    model, optimizer = fabric.setup(model, torch.optim.Adam(model.parameters(), lr=0.01))
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 3, 0.5)
    return fabric, {"model": model, "optimizer": optimizer, "schedule": schedule, "step": 0}


def train(fabric, state, steps):
    for _ in range(steps):
        features = torch.randn(4, 3, generator=torch.Generator().manual_seed(state["step"]))
        state["optimizer"].zero_grad()
        fabric.backward(state["model"](features).square().mean())
        state["optimizer"].step()
        state["schedule"].step()
        state["step"] += 1


def numbers(state):
    return {name: repr(state[name].state_dict()) for name in ("model", "optimizer", "schedule")}


torch.set_printoptions(precision=17)
path = Path(tempfile.mkdtemp()) / "checkpoint"
fabric, state = build(seed=1)
train(fabric, state, 5)
fabric.save(path, state)
other, loaded = build(seed=2)
other.load(path, loaded)
for one in ((fabric, state), (other, loaded)):
    train(*one, 7)
expected, found = numbers(state), numbers(loaded)
lost = [name for name in expected if expected[name] != found[name]]
print("differs:", *lost) if lost else print("equal bit for bit")
print("LOST" if lost else "KEPT")
