# SPDX-License-Identifier: MIT
"""Values of unusual types are state: an equal twin compares equal, another value does not."""

from __future__ import annotations

import array
import collections
import ctypes
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import io
import itertools
import mmap
import multiprocessing
import pathlib
import queue
import re
import threading
import types
import uuid
import weakref
from multiprocessing import shared_memory
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from states import look
from torch import nn

from verification.state import compare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Number(int):
    scale: float


class Text(str):
    __slots__ = ("count",)


class Real(float):
    pass


class Samples(array.array):  # type: ignore[type-arg]
    pass


class Observations(np.ndarray):  # type: ignore[type-arg]
    pass


class Money(decimal.Decimal):
    pass


class Point(ctypes.Structure):
    _fields_ = (("x", ctypes.c_int), ("y", ctypes.c_double))


class Node(ctypes.Structure):
    _fields_ = (("value", ctypes.POINTER(ctypes.c_int)), ("name", ctypes.c_char_p))


class Color(enum.Enum):
    RED = 1
    BLUE = 2


@dataclasses.dataclass(slots=True)
class Slots:
    value: int


class Worker(threading.Thread):
    def __init__(self, done: int) -> None:
        super().__init__()
        self.done = done


class Kept:
    pass


class Reader:
    """Has a property that must not be evaluated."""

    def __init__(self, place: int) -> None:
        self.place = place

    @property
    def next(self) -> int:
        raise AssertionError("evaluated")


def with_attribute(obj: Any, **attributes: Any) -> Any:
    for name, value in attributes.items():
        setattr(obj, name, value)
    return obj


def masked(n: int, *, fill: int = 0) -> Any:
    return np.ma.masked_array([1, 2, 3], mask=[n == 1, False, n == 2], fill_value=fill)


def spawned(times: int) -> np.random.Generator:
    generator = np.random.default_rng(0)
    generator.bit_generator.seed_seq.spawn(times)  # type: ignore[attr-defined]
    return generator


def hooked(n: int) -> nn.Module:
    net = nn.Linear(1, 1)
    nn.init.zeros_(net.weight)
    nn.init.zeros_(net.bias)
    counts = [n]
    net.register_forward_hook(lambda *_: counts.append(1))
    return net


def hooked_optimizer(n: int) -> torch.optim.Optimizer:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.1)
    optimizer.register_step_post_hook(functools.partial(print, n))
    return optimizer


def hooked_tensor(n: int) -> torch.Tensor:
    weight = nn.Parameter(torch.zeros(1))
    weight.register_hook(lambda gradient: gradient * n)
    return weight


def filled(kind: Any, n: int) -> Any:
    items = kind()
    for item in (0, n, 3):
        items.put(item)
    items.get()
    return items


def shared_block(n: int) -> Any:
    block = shared_memory.SharedMemory(create=True, size=8)
    block.buf[0] = n
    # The mapping outlives the name, which nobody else then removes.
    block.unlink()
    return block


def memory_map(n: int) -> mmap.mmap:
    memory = mmap.mmap(-1, 4)
    memory[0] = n
    return memory


def event(n: int) -> threading.Event:
    made = threading.Event()
    if n == 2:
        made.set()
    return made


def weak(n: int) -> Any:
    kept = with_attribute(Kept(), n=n)
    return SimpleNamespace(kept=kept, reference=weakref.ref(kept))


def weak_keys(n: int) -> Any:
    kept = Kept()
    return [weakref.WeakKeyDictionary({kept: n}), kept]


def moved_to_end(n: int) -> Any:
    ordered = collections.OrderedDict(a=1, b=2)
    if n == 2:
        ordered.move_to_end("a")
    return ordered


def object_array(n: int) -> Any:
    made = np.zeros(2, [("key", "i4"), ("what", object)])
    made[0]["what"] = [n]
    return made


VALUES: dict[str, Callable[[int], Any]] = {
    "ctypes number": ctypes.c_int,
    "ctypes array": lambda n: (ctypes.c_float * 2)(n, 0),
    "ctypes structure": lambda n: Point(0, n),
    "ctypes array of structures": lambda n: (Point * 2)(Point(0, 0), Point(0, n)),
    "ctypes pointer": lambda n: ctypes.pointer(ctypes.c_int(n)),
    "ctypes structure with pointers": lambda n: Node(ctypes.pointer(ctypes.c_int(3)), b"a" * n),
    "attribute of an int": lambda n: with_attribute(Number(1), scale=n),
    "slot of a str": lambda n: with_attribute(Text("a"), count=n),
    "attribute of a float": lambda n: with_attribute(Real(1), scale=n),
    "attribute of an array.array": lambda n: with_attribute(Samples("d", [1.0]), count=n),
    "attribute of an ndarray": lambda n: with_attribute(np.zeros(2).view(Observations), count=n),
    "attribute of a Decimal": lambda n: with_attribute(Money(1), scale=n),
    "mask": masked,
    "fill value": lambda n: masked(1, fill=n),
    "scale of a quantized tensor": lambda n: torch.quantize_per_tensor(torch.zeros(2), n, 0, torch.qint8),
    "zero point": lambda n: torch._make_per_tensor_quantized_tensor(torch.ones(2, dtype=torch.int8), 1.0, n),
    "scales of channels": lambda n: torch.quantize_per_channel(
        torch.zeros(2, 1), torch.tensor([1.0, n]), torch.tensor([0, 0]), 0, torch.qint8
    ),
    "spawned children": spawned,
    "children of a seed sequence": lambda n: spawned(n).bit_generator.seed_seq,  # type: ignore[attr-defined]
    "hook of a module": hooked,
    "hook of an optimizer": hooked_optimizer,
    "hook of a tensor": hooked_tensor,
    "array.array": lambda n: array.array("i", [0, n]),
    "memoryview": lambda n: memoryview(bytes([n])),
    "bytearray": lambda n: bytearray([n]),
    "BytesIO": lambda n: io.BytesIO(bytes([n])),
    "place in a StringIO": lambda n: at("abc", n),
    "memory map": memory_map,
    "shared memory": shared_block,
    "shared value": lambda n: multiprocessing.Value("i", n),
    "shared array": lambda n: multiprocessing.Array("d", [0, n]),
    "chain of maps": lambda n: collections.ChainMap({"a": 1}, {"a": n}),
    "order of a dict": moved_to_end,
    "queue": lambda n: filled(queue.Queue, n),
    "priority queue": lambda n: filled(queue.PriorityQueue, n),
    "simple queue": lambda n: filled(queue.SimpleQueue, n),
    "event": event,
    "attribute of a thread": Worker,
    "weak reference": weak,
    "weak keys": weak_keys,
    "Decimal": lambda n: decimal.Decimal(n) / 7,
    "Fraction": lambda n: fractions.Fraction(1, n),
    "datetime": lambda n: datetime.datetime(2020, 1, n, tzinfo=datetime.UTC),
    "timedelta": datetime.timedelta,
    "UUID": lambda n: uuid.UUID(int=n),
    "path": lambda n: pathlib.PurePath(str(n)),
    "pattern": lambda n: re.compile("a" * n),
    "exception": ValueError,
    "dataclass with slots": Slots,
    "object with a property": Reader,
    "set of enums": lambda n: {Color(n)},
    "set of tuples": lambda n: {(0, n), (0, None)},
    "object in a structured array": object_array,
    "void": lambda n: np.array([(n, 1.0)], "i4,f8")[0],
    "long double": lambda n: np.longdouble(n) / 7,
    "mapping proxy": lambda n: types.MappingProxyType({"a": n}),
}
if hasattr(np.dtypes, "StringDType"):  # from numpy 2 on
    VALUES["strings of any length"] = lambda n: np.array(["a" * n], np.dtypes.StringDType())


def at(text: str, place: int) -> io.StringIO:
    stream = io.StringIO(text)
    stream.seek(place)
    return stream


@pytest.mark.filterwarnings("ignore")  # torch announces that quantized tensors are to go
@pytest.mark.parametrize("kind", VALUES)
def test_a_value_of_an_unusual_type_is_state(kind: str) -> None:
    make = VALUES[kind]
    one, twin, other = (SimpleNamespace(x=make(n)) for n in (1, 1, 2))
    before = look(one)
    assert before.opaque == {}
    assert compare(before, look(twin)) == []
    assert compare(before, look(other)) != []
    assert compare(before, look(one)) == []  # to look changed nothing


def drawn(iterator: Any, n: int) -> Any:
    for _ in range(n):
        next(iterator)
    return iterator


def over(*items: int) -> Iterator[int]:
    yield from items


def loop(items: list[int]) -> Iterator[int]:
    for item in items:
        yield item * item


def counting() -> Iterator[int]:
    count = 0
    while True:
        yield 7
        count += 1


ITERATORS: dict[str, Callable[[], Any]] = {
    "count": lambda: itertools.count(3),
    "cycle": lambda: itertools.cycle([1, 2, 3, 4, 5]),
    "cycle of a generator": lambda: itertools.cycle(loop([1, 2, 3])),
    "repeat": lambda: itertools.repeat(1, 9),
    "list": lambda: iter([1, 2, 3]),
    "tuple": lambda: iter((1, 2, 3)),
    "str": lambda: iter("abc"),
    "bytes": lambda: iter(b"abc"),
    "dict": lambda: iter({1: 1, 2: 2, 3: 3}),
    "dict items": lambda: iter({1: 1, 2: 2, 3: 3}.items()),
    "set": lambda: iter({1, 2, 3}),
    "deque": lambda: iter(collections.deque([1, 2, 3])),
    "range": lambda: iter(range(0, 9, 2)),
    "long range": lambda: iter(range(2**70)),
    "reversed list": lambda: reversed([1, 2, 3]),
    "reversed deque": lambda: reversed(collections.deque([1, 2, 3])),
    "zip": lambda: zip([1, 2, 3], "abc", strict=True),
    "map": lambda: map(abs, [1, 2, 3]),
    "filter": lambda: filter(None, [1, 2, 3]),
    "enumerate": lambda: enumerate([1, 2, 3]),
    "chain": lambda: itertools.chain([1, 2], [3, 4]),
    "islice": lambda: itertools.islice([1, 2, 3, 4], 1, None),
    "product": lambda: itertools.product([1, 2], [3, 4]),
    "permutations": lambda: itertools.permutations([1, 2, 3]),
    "accumulate": lambda: itertools.accumulate([1, 2, 3]),
    "pairwise": lambda: itertools.pairwise([1, 2, 3, 4]),
    "tee": lambda: itertools.tee([1, 2, 3])[0],
    "generator": lambda: over(1, 2, 3),
    "generator with a loop": lambda: loop([1, 2, 3]),
    "generator that counts": counting,
    "generator expression": lambda: (item for item in [1, 2, 3]),
    "callable": lambda: iter([0, 5, 4, 3].pop, 0),
    "sequence": lambda: iter(collections.UserList([1, 2, 3])),
}


@pytest.mark.parametrize("kind", ITERATORS)
@pytest.mark.parametrize("places", [(0, 1), (1, 2), (0, 2)])
def test_the_position_of_an_iterator_is_state(kind: str, places: tuple[int, int]) -> None:
    one, twin, other = (SimpleNamespace(x=drawn(ITERATORS[kind](), n)) for n in (*places[:1], *places))
    before = look(one)
    assert before.opaque == {}
    assert compare(before, look(twin)) == []
    assert compare(before, look(other)) != []
    assert [*itertools.islice(one.x, 5)] == [*itertools.islice(twin.x, 5)]  # nothing was drawn


def test_an_iterator_is_what_it_will_give() -> None:
    cut = SimpleNamespace(order=iter([2, 3]), round=itertools.cycle([2, 3, 1]))
    drawn_from = SimpleNamespace(order=drawn(iter([1, 2, 3]), 1), round=drawn(itertools.cycle([1, 2, 3]), 7))
    assert compare(look(cut), look(drawn_from)) == []
    drawn(cut.round, 1)
    assert compare(look(drawn_from), look(cut))[0].path.startswith("agent.round")


def test_an_ended_generator_is_no_longer_a_new_one() -> None:
    new, ended = SimpleNamespace(x=over(1)), SimpleNamespace(x=drawn(over(1), 1))
    assert next(ended.x, None) is None
    assert compare(look(new), look(ended))[0].path == "agent.x"


def test_a_generator_that_is_running_is_said_to_be_opaque() -> None:
    def looking(agent: SimpleNamespace) -> Iterator[Any]:
        yield look(agent)

    agent = SimpleNamespace()
    agent.x = looking(agent)
    assert "running" in next(agent.x).opaque["agent.x"]
