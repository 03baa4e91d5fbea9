# SPDX-License-Identifier: MIT
"""What lies in other processes is said to, threads hold nothing, and what fails to be seen costs one leaf."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from states import look, optimized
from torch import nn

from verification.state import compare

# -- other processes -----------------------------------------------------------------------------------------


def test_other_processes_and_connections_are_told_by_their_paths() -> None:
    ours, theirs = multiprocessing.Pipe()
    left, right = socket.socketpair()
    command = [sys.executable, "-c", "input()"]
    running = subprocess.Popen(command, stdin=subprocess.PIPE)
    agent = SimpleNamespace(pipe=ours, sockets=[left], server=running, queue=multiprocessing.Queue())
    agent.pool = concurrent.futures.ProcessPoolExecutor(1)
    try:
        assert dict(look(agent).elsewhere) == {
            "agent.pipe": "multiprocessing.connection.Connection",
            "agent.sockets[0]": "socket.socket",
            "agent.server": "subprocess.Popen",
            "agent.queue": "multiprocessing.queues.Queue",
            "agent.pool": "concurrent.futures.process.ProcessPoolExecutor",
        }
    finally:
        running.communicate(b"\n")
        for one in (ours, theirs, left, right, agent.queue):
            one.close()
        agent.pool.shutdown()
    snapshot = look(SimpleNamespace(pipe=ours, sockets=[left], server=running))
    assert snapshot.elsewhere == {}  # all of them have ended
    assert "agent.server" in snapshot.leaves


def test_a_process_counts_as_long_as_it_runs() -> None:
    context = multiprocessing.get_context("spawn")
    agent = SimpleNamespace(process=context.Process(target=print))
    assert look(agent).elsewhere == {}
    agent.process.start()
    assert list(look(agent).elsewhere) == ["agent.process"]
    agent.process.join()
    assert look(agent).elsewhere == {}


# -- threads -------------------------------------------------------------------------------------------------


def test_threads_and_locks_hold_no_state() -> None:
    def agent(*, used: bool) -> SimpleNamespace:
        made = SimpleNamespace(thread=threading.Thread(target=print), lock=threading.Lock())
        made.condition, made.reentrant = threading.Condition(), threading.RLock()
        made.pool = concurrent.futures.ThreadPoolExecutor(1)
        if used:
            made.thread = threading.Thread(target=made.pool.shutdown)
            made.thread.start()
            made.thread.join()
            made.lock.acquire()
        return made

    before = look(agent(used=False))
    assert before.opaque == {}
    assert compare(before, look(agent(used=True))) == []


# -- what fails ----------------------------------------------------------------------------------------------


class Refuses(Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        raise KeyError(f"no {key}")

    def __iter__(self) -> Iterator[str]:
        yield "a"

    def __len__(self) -> int:
        return 1


class NoAttributes:
    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("not here\nbut there")


@pytest.mark.parametrize(
    ("thing", "reason"),
    [(Refuses(), "KeyError: 'no a'"), (NoAttributes(), "RuntimeError: not here")],
    ids=["mapping", "attributes"],
)
def test_what_raises_when_it_is_looked_at_costs_one_leaf(thing: object, reason: str) -> None:
    snapshot = look(SimpleNamespace(a=thing, b=[1]))
    (path,) = snapshot.opaque
    assert path == "agent.a"
    assert snapshot.opaque[path].endswith(f"(looking into it raised {reason})")
    assert snapshot.leaves["agent.b[0]"].value == 1


class Rows(Mapping[str, Any]):
    """Like a TensorDict: a mapping that iterates over the rows of its batch, of which it may have none."""

    def __init__(self, **entries: Any) -> None:
        self._entries = entries

    def __getitem__(self, key: str) -> Any:
        return self._entries[key]

    def __iter__(self) -> Iterator[str]:
        raise StopIteration

    def __len__(self) -> int:
        raise RuntimeError("no batch dimension")

    def keys(self) -> Any:
        return self._entries.keys()


def test_a_mapping_is_asked_for_its_keys() -> None:
    one, twin, other = (look(SimpleNamespace(x=Rows(a=torch.full((2,), value)))) for value in (1.0, 1.0, 2.0))
    assert one.opaque == {}
    assert compare(one, twin) == []
    assert [difference.path for difference in compare(one, other)] == ["agent.x['a']"]


# -- what a pattern hides ------------------------------------------------------------------------------------


def test_an_object_behind_a_volatile_path_is_hidden_wherever_it_comes_back() -> None:
    scratch = [1]
    agent = SimpleNamespace(by_name={"scratch": scratch}, kept=scratch, same=(1,), scratch=scratch, z=[2])
    snapshot = look(agent, volatile=re.compile(r"agent\.(scratch|same)"))
    assert sorted(snapshot.leaves) == ["agent", "agent.by_name", "agent.z", "agent.z[0]"]


def test_a_volatile_path_to_the_agent_or_its_weights_does_not_hide_them() -> None:
    agent = SimpleNamespace(net=nn.Linear(1, 1))
    agent.log = SimpleNamespace(owner=agent, weight=agent.net.weight)
    snapshot = look(agent, volatile=re.compile(r"agent\.log\.(owner|weight)"))
    assert {"agent", "agent.net.weight"} <= snapshot.leaves.keys()


# -- what is made anew by a load -----------------------------------------------------------------------------


def test_a_kept_list_of_parameters_and_a_kept_group_are_the_same_after_a_load() -> None:
    agent = optimized()
    agent.a_list = agent.optimizer.param_groups[0]["params"]
    agent.a_group = agent.optimizer.param_groups[0]
    before = look(agent)
    agent.a_group = dict(reversed(agent.a_group.items()))
    agent.a_list = list(agent.a_list)
    agent.optimizer.param_groups[0] = agent.a_group
    assert {one.aspect for one in compare(before, look(agent))} <= {"identity"}
    assert not [one for one in compare(before, look(agent)) if one.aspect == "content"]


def test_lbfgs_is_the_same_after_a_load() -> None:
    def agent() -> SimpleNamespace:
        torch.manual_seed(0)
        net = nn.Linear(3, 1)
        return SimpleNamespace(net=net, optimizer=torch.optim.LBFGS(net.parameters(), max_iter=3))

    trained, loaded = agent(), agent()

    def closure() -> torch.Tensor:
        trained.optimizer.zero_grad()
        loss = trained.net(torch.ones(1, 3)).pow(2).sum()
        loss.backward()
        return loss

    trained.optimizer.step(closure)
    assert compare(look(trained), look(loaded)) != []
    loaded.net.load_state_dict(trained.net.state_dict())
    loaded.optimizer.load_state_dict(trained.optimizer.state_dict())
    assert compare(look(trained), look(loaded)) == []


@pytest.mark.filterwarnings("ignore")  # torch announces that both are to go
@pytest.mark.parametrize("norm", [nn.utils.spectral_norm, nn.utils.weight_norm])
def test_weights_that_a_norm_computes_before_each_use_are_no_state(norm: Any) -> None:
    agent, other = (SimpleNamespace(net=norm(nn.Linear(2, 2))) for _ in range(2))
    agent.net(torch.ones(1, 2))
    assert compare(look(agent), look(other)) != []
    other.net.load_state_dict(agent.net.state_dict())
    assert compare(look(agent), look(other)) == []


class Scale:
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def value(self) -> float:
        return self.factor


def test_a_bound_method_is_its_object_wherever_that_was_found() -> None:
    def agent(*, rebuilt: bool, factor: float = 2.0) -> SimpleNamespace:
        scale = Scale(2.0)
        return SimpleNamespace(scale=scale, use=Scale(factor).value if rebuilt else scale.value)

    before, rebuilt, other = (
        look(agent(rebuilt=kind, factor=factor)) for kind, factor in ((False, 2.0), (True, 2.0), (True, 3.0))
    )
    assert compare(before, rebuilt) == compare(rebuilt, before) == []
    assert [one.path for one in compare(before, other)] == ["agent.use.__self__"]


def test_what_a_methods_object_holds_twice_is_held_twice_wherever_it_was_found() -> None:
    def agent(*, rebuilt: bool, shared: bool = True) -> SimpleNamespace:
        scales = [Scale(2.0), Scale(2.0)]
        for one in scales:
            one.log = []  # type: ignore[attr-defined]
            one.same = one.log if shared else []  # type: ignore[attr-defined]
        return SimpleNamespace(scale=scales[0], use=scales[1 if rebuilt else 0].value)

    before, rebuilt, apart = (
        look(agent(rebuilt=kind, shared=shared))
        for kind, shared in ((False, True), (True, True), (True, False))
    )
    assert compare(before, rebuilt) == compare(rebuilt, before) == []
    assert "agent.use.__self__" in [one.path for one in compare(before, apart)]


class Scripted(nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.linear = nn.Linear(1, 1)
        nn.init.constant_(self.linear.weight, value)
        nn.init.zeros_(self.linear.bias)
        self.register_buffer("seen", torch.zeros(1))
        self.steps = int(value)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x) + self.steps


@pytest.mark.filterwarnings("ignore")  # torch announces that TorchScript is to go
def test_torchscript_is_walked() -> None:
    one, twin, other = (SimpleNamespace(net=torch.jit.script(Scripted(value))) for value in (1.0, 1.0, 2.0))
    before = look(one)
    assert before.opaque == {}
    assert {"agent.net.linear.weight", "agent.net.seen", "agent.net.linear.training"} <= before.leaves.keys()
    assert compare(before, look(twin)) == []
    changed = [difference.path for difference in compare(before, look(other))]
    assert changed == ["agent.net.linear.weight", "agent.net.steps"]


@pytest.mark.filterwarnings("ignore")  # whatever torch.compile announces
def test_what_torch_compile_keeps_is_no_state() -> None:
    def agent(value: float) -> SimpleNamespace:
        def double(x: torch.Tensor) -> torch.Tensor:
            return x * value

        return SimpleNamespace(
            net=torch.compile(Scripted(1.0), backend="eager"), double=torch.compile(double, backend="eager")
        )

    used, new = agent(1.0), agent(1.0)
    used.double(used.net(torch.ones(1, 1)))
    before = look(new)
    assert before.opaque == {}
    assert "agent.net._orig_mod.linear.weight" in before.leaves
    assert compare(before, look(used)) == []
    assert [one.path for one in compare(before, look(agent(2.0)))] == ["agent.double.__closure__[0]"]


def test_other_paths_to_an_object_are_told_by_its_first() -> None:
    snapshot = look(optimized())
    assert snapshot.aliases["agent.net.weight"] == ("agent.optimizer.param_groups[0]['params'][0]",)
    assert snapshot.aliases["agent.optimizer"] == ("agent.scheduler.optimizer",)
    assert "agent.net" not in snapshot.aliases


def test_a_one_element_view_is_seen() -> None:
    wide = torch.arange(6.0).reshape(2, 3)
    for view in (wide[:1, 0], wide[:1, :1], wide[0, :1], np.arange(4)[:1]):
        assert compare(look(SimpleNamespace(x=view)), look(SimpleNamespace(x=view))) == []
        assert compare(look(SimpleNamespace(x=view)), look(SimpleNamespace(x=view + 1))) != []


def test_a_future_is_what_it_will_give() -> None:
    def slowly(value: float) -> torch.Tensor:
        time.sleep(0.05)
        return torch.tensor(value)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        one, twin, other = (SimpleNamespace(next=pool.submit(slowly, value)) for value in (1.0, 1.0, 2.0))
        assert compare(look(one), look(twin)) == []
        (difference,) = compare(look(one), look(other))
    assert difference.path == "agent.next._result"


def test_a_future_that_is_never_done_is_waited_for_once() -> None:
    end = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        agent = SimpleNamespace(loop=pool.submit(end.wait))
        kind = "concurrent.futures._base.Future"
        assert look(agent).opaque == {"agent.loop": f"{kind} that is not done"}
        started = time.monotonic()
        look(agent)
        assert time.monotonic() - started < 0.9
        end.set()
