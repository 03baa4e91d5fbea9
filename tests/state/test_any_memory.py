# SPDX-License-Identifier: MIT
"""Tensors and arrays of every kind: the walk never fails, copies are equal, and no changed byte is missed."""

from __future__ import annotations

import copy
import warnings
from types import SimpleNamespace
from typing import Any, NamedTuple

import hypothesis.extra.numpy as npst
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from states import look
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from verification.state import compare

pytestmark = pytest.mark.filterwarnings("ignore")  # torch announces that some of these are experimental

DTYPES = sorted(
    {
        one
        for one in vars(torch).values()
        if isinstance(one, torch.dtype) and not str(one).startswith("torch.q")
    },
    key=str,
)
VIEWS = {
    "whole": lambda x: x,
    "first of a column": lambda x: x[:1, 0],
    "column": lambda x: x[:, 0],
    "transposed": lambda x: x.t(),
    "every second": lambda x: x[::2, 1:],
    "expanded": lambda x: x[:1].expand(3, x.shape[1]),
    "element": lambda x: x[0, 0],
    "unfolded": lambda x: x.unfold(1, 2, 1),
    "empty": lambda x: x[:0],
    "dimension of one": lambda x: x.unsqueeze(0).transpose(0, 2)[:1],
}


class Wrapped(torch.Tensor):
    """A subclass that answers nothing."""

    @classmethod
    def __torch_function__(cls, *_: Any, **__: Any) -> Any:
        raise AssertionError("asked the tensor")


class Plan(NamedTuple):
    """A tensor of any dtype over bytes of its own, and a view of it; some dtypes cannot even be printed."""

    dtype: torch.dtype
    rows: int
    columns: int
    content: bytes
    view: str
    lazily: Any

    def build(self) -> torch.Tensor:
        count = self.rows * self.columns * self.dtype.itemsize
        # A bool has one bit, and what else its byte holds has no meaning.
        content = [byte & 1 if self.dtype is torch.bool else byte for byte in self.content.ljust(count)]
        storage = torch.tensor(content[:count], dtype=torch.uint8).untyped_storage()
        whole = torch.empty(0, dtype=self.dtype).set_(
            storage, 0, (self.rows, self.columns), (self.columns, 1)
        )
        seen = VIEWS[self.view](whole)
        return self.lazily(seen) if self.dtype.is_complex and self.lazily is not None else seen


PLANS = st.builds(
    Plan,
    st.sampled_from(DTYPES),
    st.integers(1, 3),
    st.integers(2, 3),
    st.binary(max_size=144),
    st.sampled_from(sorted(VIEWS)),
    st.sampled_from([None, torch.conj, torch._neg_view]),
)


def bytes_under(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage())


def twin_of(tensor: torch.Tensor) -> torch.Tensor:
    """Another tensor with the same view of equal memory."""
    storage = bytes_under(tensor).clone().untyped_storage()
    twin = torch.empty(0, dtype=tensor.dtype).set_(
        storage, tensor.storage_offset(), tuple(tensor.shape), tensor.stride()
    )
    twin = torch.conj(twin) if tensor.is_conj() else twin
    return torch._neg_view(twin) if tensor.is_neg() else twin


@given(plan=PLANS, wrapped=st.booleans(), data=st.data())
def test_any_strided_tensor(plan: Plan, wrapped: bool, data: st.DataObject) -> None:
    tensor = plan.build()

    def agent(tensor: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(x=tensor.as_subclass(Wrapped) if wrapped else tensor)

    before, twin = look(agent(tensor)), twin_of(tensor)
    assert before.opaque == {}
    assert compare(before, look(agent(twin))) == []
    # The bytes that the view shows, found without a word of the suite's.
    width = tensor.element_size()
    shown = torch.zeros(tensor.untyped_storage().nbytes(), dtype=torch.bool)
    places = torch.arange(len(shown)).as_strided(
        (*tensor.shape, width),
        (*(width * stride for stride in tensor.stride()), 1),
        tensor.storage_offset() * width,
    )
    shown[places.reshape(-1)] = True
    if len(shown):
        index = data.draw(st.integers(0, len(shown) - 1))
        bytes_under(twin)[index] ^= 1
        assert bool(compare(before, look(agent(twin)))) == bool(shown[index])


LAYOUTS = {
    "coo": lambda x: x.to_sparse(),
    "uncoalesced": lambda x: torch.sparse_coo_tensor([[0, 0], [1, 1]], [x[0, 1], x[0, 0]], x.shape),
    "csr": lambda x: x.to_sparse_csr(),
    "csc": lambda x: x.to_sparse_csc(),
    "bsr": lambda x: x.to_sparse_bsr((1, 1)),
    "bsc": lambda x: x.to_sparse_bsc((1, 1)),
    "nested": lambda x: torch.nested.nested_tensor([x[0], x[1, :1]]),
    "jagged": lambda x: torch.nested.nested_tensor([x[0], x[1, :1]], layout=torch.jagged),
    "quantized": lambda x: torch.quantize_per_tensor(x, 1.0, 0, torch.quint8),
    "two in a byte": lambda x: torch.quantize_per_channel(
        x, torch.ones(2), torch.zeros(2), 0, torch.quint4x2
    ),
    "parameter": torch.nn.Parameter,
}


@given(layout=st.sampled_from(sorted(LAYOUTS)), values=st.lists(st.integers(1, 7), min_size=4, max_size=4))
def test_any_layout(layout: str, values: list[int]) -> None:
    def agent(values: list[int]) -> SimpleNamespace:
        return SimpleNamespace(x=LAYOUTS[layout](torch.tensor(values, dtype=torch.float32).reshape(2, 2)))

    before = look(agent(values))
    assert before.opaque == {}
    assert compare(before, look(agent(values))) == []
    assert compare(before, look(agent([values[0] + 1, *values[1:]])))


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.empty(3, device="meta"),
        UninitializedParameter,
        UninitializedBuffer,
        lambda: torch.empty(0),
        lambda: torch.empty(2, 0),
    ],
    ids=["meta", "lazy parameter", "lazy buffer", "empty", "empty rows"],
)
def test_a_tensor_without_data_is_told_by_its_shape(make: Any) -> None:
    before = look(SimpleNamespace(x=make()))
    assert "agent.x" in before.leaves
    assert before.opaque == {}
    assert compare(before, look(SimpleNamespace(x=make()))) == []
    assert compare(before, look(SimpleNamespace(x=torch.ones(3))))


def test_a_tensor_whose_memory_was_taken_away_is_opaque_and_ends_nothing() -> None:
    gone = torch.ones(3)
    gone.untyped_storage().resize_(0)
    snapshot = look(SimpleNamespace(gone=gone, counter=1))
    assert "its memory has 0 of 12 bytes" in snapshot.opaque["agent.gone"]
    assert gone.untyped_storage().nbytes() == 0
    assert snapshot.leaves["agent.counter"].value == 1


ARRAYS = npst.arrays(
    dtype=st.one_of(
        npst.scalar_dtypes(),
        npst.unicode_string_dtypes(),
        npst.byte_string_dtypes(),
        npst.array_dtypes(),
        npst.nested_dtypes(),
        st.just(np.dtype(np.longdouble)),
        st.just(np.dtype(np.clongdouble)),
        st.just(np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    ),
    shape=npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)
LOOKS = {
    "whole": lambda x: x,
    "fortran": np.asfortranarray,
    "reversed": lambda x: x[..., ::-1] if x.ndim else x,
    "transposed": lambda x: x.T,
    "masked": lambda x: np.ma.masked_array(x, mask=False),
    "recarray": lambda x: x.view(np.recarray),
    "matrix": lambda x: x.view(np.matrix) if x.ndim == 2 else x,
    "read-only": lambda x: np.broadcast_to(x, (2, *x.shape)),
}


@given(array=ARRAYS, name=st.sampled_from(sorted(LOOKS)), data=st.data())
def test_any_array(array: Any, name: str, data: st.DataObject) -> None:
    before = look(SimpleNamespace(x=LOOKS[name](array)))
    assert before.opaque == {}
    twin = copy.deepcopy(array)
    assert compare(before, look(SimpleNamespace(x=LOOKS[name](twin)))) == []
    if not twin.size or twin.dtype.names is not None or twin.dtype.kind in "VSU" or twin.dtype.char in "gG":
        return  # which of their bytes are seen is asked below
    raw = twin.reshape(-1).view(np.uint8) if twin.ndim else twin.reshape(1).view(np.uint8)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1
    assert compare(before, look(SimpleNamespace(x=LOOKS[name](twin))))


@pytest.mark.parametrize("dtype", ["S2", "U2", "V3", "i2,f4", "g", "G", "M8[s]", "m8[D]", ">f8", "O"])
def test_every_element_of_an_array_counts(dtype: str) -> None:
    def agent(value: Any) -> SimpleNamespace:
        return SimpleNamespace(x=np.array([value, value], dtype))

    value, other = ((1, 2.0), (1, 3.0)) if "," in dtype else (b"a", b"b") if dtype == "V3" else (1, 2)
    before = look(agent(value))
    assert compare(before, look(agent(value))) == []
    assert compare(before, look(agent(other)))


def test_padding_is_no_state() -> None:
    def agent(padding: int) -> SimpleNamespace:
        raw = np.full(16, padding, np.uint8)
        raw[:1], raw[8:] = 1, 0
        return SimpleNamespace(x=raw.view(np.dtype([("a", "i1"), ("b", "f8")], align=True)))

    assert compare(look(agent(0)), look(agent(255))) == []


def test_the_memory_of_a_file_is_compared_not_its_name(tmp_path: Any) -> None:
    def agent(name: str, value: int) -> Any:
        mapped = np.memmap(tmp_path / name, np.uint8, "w+", shape=(3,))
        mapped[1] = value
        return mapped

    assert compare(look(agent("a", 1)), look(agent("a", 1))) == []
    assert [one.path for one in compare(look(agent("a", 1)), look(agent("a", 2)))] == ["agent"]


def test_fake_tensors_cost_one_leaf() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        fake = torch.ones(3)
    snapshot = look(SimpleNamespace(fake=fake, counter=1))
    assert "agent.counter" in snapshot.leaves
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compare(snapshot, look(SimpleNamespace(fake=fake, counter=1))) == []
