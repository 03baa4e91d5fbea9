# SPDX-License-Identifier: MIT
"""Harmless: clocks, names, and objects of the process that no file can hold."""

from __future__ import annotations

import cProfile
import logging
import os
import queue
import threading
import time
import uuid
import weakref
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from verification.mutants.harmless import add
from verification.mutants.harmless_caches import sets


@add("started")
def clock(agent: Any, _: object) -> None:
    """When it was built."""
    agent.started = time.time_ns()


@add("run_id")
def identity_of_the_run(agent: Any, _: object) -> None:
    """Another one in every process."""
    agent.run_id = uuid.uuid4().hex


@add("entropy")
def generator_seeded_by_the_system(agent: Any, _: object) -> None:
    """A stream from which nothing draws, and which no two runs share."""
    agent.entropy = np.random.default_rng()


@add("stream")
def torch_generator_seeded_by_the_system(agent: Any, _: object) -> None:
    """The same with torch's."""
    agent.stream = torch.Generator()
    agent.stream.seed()


@add("process", noted=False)
def number_of_the_process(agent: Any, _: object) -> None:
    """Another one where the run is resumed."""
    agent.process = os.getpid()


@add("saved_to", on="save", build=sets("saved_to", None))
def path_remembered_at_save(agent: Any, path: object) -> None:
    """Where the latest checkpoint is."""
    agent.saved_to = str(path)


@add("loaded_from", on="load", build=sets("loaded_from", None))
def path_remembered_at_load(agent: Any, path: object) -> None:
    """Where this agent comes from."""
    agent.loaded_from = str(path)


@add("loads", on="load", build=sets("loads", 0))
def loads_counted(agent: Any, _: object) -> None:
    """A number that only loads change."""
    agent.loads += 1


@add("resumed", on="load")
def mark_of_a_load(agent: Any, _: object) -> None:
    """An attribute that only a load adds."""
    agent.resumed = True


@add("writer", on="save")
def helper_made_at_the_first_save(agent: Any, _: object) -> None:
    """What only saves need."""
    if not hasattr(agent, "writer"):
        agent.writer = SimpleNamespace(folder="checkpoints", kept=3)


@add("pool", on="save")
def pool_made_at_the_first_save(agent: Any, _: object) -> None:
    """Threads for saves in the background, none of them started."""
    if not hasattr(agent, "pool"):
        agent.pool = ThreadPoolExecutor(1)


@add("problem", on="load", build=sets("problem", None))
def exception_kept(agent: Any, _: object) -> None:
    """What went wrong on the way, and was dealt with."""
    agent.problem = ValueError("an older format")


@add("logger", noted=False)
def logger_with_a_handler(agent: Any, seed: int) -> None:
    """A logger named after the run."""
    agent.logger = logging.Logger(f"run-{seed}")
    agent.logger.addHandler(logging.NullHandler())


@add("profiler", noted=False)
def profiler(agent: Any, _: object) -> None:
    """An object that cannot be looked into."""
    agent.profiler = cProfile.Profile()


@add("owner", noted=False)
def weak_reference(agent: Any, _: object) -> None:
    """A way back that keeps nothing alive."""
    agent.owner = weakref.ref(agent)


@add("lock", noted=False)
def locks(agent: Any, _: object) -> None:
    """What threads wait for."""
    agent.lock, agent.own_lock = threading.Lock(), threading.RLock()


@add("stopping", noted=False)
def event_for_a_thread(agent: Any, _: object) -> None:
    """A flag with a lock."""
    agent.stopping = threading.Event()


@add("inbox", noted=False)
def empty_queue(agent: Any, _: object) -> None:
    """What another thread would be given."""
    agent.inbox = queue.Queue()


@add("local", noted=False)
def storage_of_threads(agent: Any, _: object) -> None:
    """What each thread has for itself."""
    agent.local = threading.local()
