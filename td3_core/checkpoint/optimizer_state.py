# SPDX-License-Identifier: MIT
"""What a checkpoint keeps of optimizers and schedules: taken out, compared by name, and put back in place.

``Optimizer.load_state_dict`` accepts entries that are missing, unexpected or of another shape, and shares
tensors with what it is given. So state is compared here first, then loaded into a *staged* optimizer that
was built from the checkpoint's config, and only the finished result is adopted by the agent's own.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch

from td3_core.checkpoint.plain_data import plain_data
from td3_core.optimizers import build_optimizer, build_scheduler
from td3_core.quoting import LISTED, quoted
from td3_core.validation import is_count, is_plain_number

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from td3_core.config import OptimizerConfig

#: Follows from the class and is not known to every version of torch.
_DERIVED_OPTIONS = frozenset({"decoupled_weight_decay"})
#: Only set while a schedule is built or steps, and not known to every version of torch.
_TRANSIENT_ATTRIBUTES = frozenset({"verbose", "_is_initial", "_get_lr_called_within_step"})
#: What torch keeps beside an optimizer's groups and state: that it has stepped, and whether it is fused.
_MARKS = ("_opt_called", "_step_supports_amp_scaling", "_need_device_dtype_check_for_fused")
#: What schedules count, by which they index lists and compute powers.
_COUNTS = frozenset({"last_epoch", "_step_count"})


def capture_optimizer(optimizer: Optimizer | None) -> dict[str, Any] | None:
    """The optimizer's ``state_dict`` with one entry per parameter, empty where it has never stepped.

    Without the empty entries a lost one could not be told from one that never was.
    """
    if optimizer is None:
        return None
    packed = optimizer.state_dict()
    groups = [_without(group, _DERIVED_OPTIONS) for group in packed["param_groups"]]
    entries = {index: entry for index, entry in packed["state"].items() if entry}
    missing: dict[int, Any] = {
        index: {} for group in groups for index in group["params"] if index not in entries
    }
    return {"state": {**entries, **missing}, "param_groups": groups}


def capture_scheduler(scheduler: LRScheduler | None) -> dict[str, Any] | None:
    """The scheduler's ``state_dict``, less what only lives while it is built or steps."""
    return None if scheduler is None else _without(scheduler.state_dict(), _TRANSIENT_ATTRIBUTES)


class Staged:
    """An optimizer and its schedule as a config describes them, over the parameters of a live network."""

    def __init__(self, config: OptimizerConfig, network: torch.nn.Module) -> None:
        self.names: list[str] = [name for name, _ in network.named_parameters()]
        self.optimizer: Optimizer = build_optimizer(config, network)
        self.scheduler: LRScheduler | None = build_scheduler(config, self.optimizer)

    def load(self, optimizer_state: Mapping[str, Any], scheduler_state: Mapping[str, Any] | None) -> None:
        """Take over a captured state that has no mismatches; it is copied."""
        group = self.optimizer.param_groups[0]
        saved = plain_data(optimizer_state, copy=True)
        saved["state"] = {index: entry for index, entry in saved["state"].items() if entry}
        self.optimizer.load_state_dict(saved)
        # In the order in which torch builds a group, which its own loading does not keep.
        self.optimizer.param_groups[0] = {
            key: self.optimizer.param_groups[0].get(key, value) for key, value in group.items()
        }
        if self.scheduler is not None and scheduler_state is not None:
            current = vars(self.scheduler)
            values = plain_data(scheduler_state, copy=True)
            for key, value in values.items():
                if isinstance(current.get(key), Counter):
                    values[key] = Counter(value)
            self.scheduler.load_state_dict(values)
            if scheduler_state["last_epoch"] > 0:
                # The mark by which torch knows that the optimizer stepped before its schedule did.
                self.optimizer._opt_called = True  # type: ignore[attr-defined]  # noqa: SLF001

    def adopt_into(self, optimizer: Optimizer, scheduler: LRScheduler | None) -> None:
        """Make the live optimizer and scheduler equal to the staged ones; nothing here can fail."""
        optimizer.defaults = self.optimizer.defaults
        optimizer.state.clear()
        optimizer.state.update(self.optimizer.state)
        group = optimizer.param_groups[0]
        group.clear()
        group.update(self.optimizer.param_groups[0])
        for mark in _MARKS:
            vars(optimizer).pop(mark, None)
            if mark in vars(self.optimizer):
                vars(optimizer)[mark] = vars(self.optimizer)[mark]
        if scheduler is not None and self.scheduler is not None:
            attributes = {**vars(self.scheduler), "optimizer": optimizer}
            vars(scheduler).clear()
            vars(scheduler).update(attributes)

    def optimizer_mismatches(self, where: str, saved: Any) -> list[str]:
        """Every piece of a saved optimizer state that this optimizer could not have, by name."""
        if not isinstance(saved, dict) or set(saved) != {"state", "param_groups"}:
            return [f"{where}: must hold state and param_groups"]
        if not isinstance(saved["param_groups"], list) or not isinstance(saved["state"], dict):
            return [f"{where}: param_groups must be a list and state a dict"]
        if len(saved["param_groups"]) != 1 or not isinstance(saved["param_groups"][0], dict):
            return [f"{where}.param_groups: must hold exactly one group"]
        group: dict[str, Any] = saved["param_groups"][0]
        packed = self.optimizer.state_dict()["param_groups"][0]
        problems = _differences(f"{where}.param_groups[0]", group, _without(packed, _DERIVED_OPTIONS))
        if not problems and not (
            all(type(number) is int for number in group["params"]) and group["params"] == packed["params"]
        ):
            problems.append(
                f"{where}.param_groups[0]['params']: must be the numbers of {len(self.names)} parameters"
            )
        if problems:
            return problems
        problems += key_mismatches(f"{where}.state", saved["state"], dict.fromkeys(range(len(self.names))))
        parameters = self.optimizer.param_groups[0]["params"]
        for index, (name, parameter) in enumerate(zip(self.names, parameters, strict=True)):
            if index in saved["state"]:
                place = f"{where}.state[{index}]"
                problems += self._entry_mismatches(place, name, saved["state"][index], parameter, group)
        return problems

    def _entry_mismatches(
        self, where: str, name: str, entry: Any, parameter: torch.Tensor, group: Mapping[str, Any]
    ) -> list[str]:
        if not isinstance(entry, dict):
            return [f"{where} ({name}): must be a dict"]
        required, optional = _entry_names(type(self.optimizer).__name__, group)
        problems = [
            f"{where}[{quoted(key)}] ({name}): unexpected" for key in _foreign(entry, required | optional)
        ]
        if entry:
            problems += [f"{where}[{key!r}] ({name}): missing" for key in sorted(required - set(entry))]
        for key, value in entry.items():
            if key not in required | optional:
                continue
            shape = () if key == "step" else tuple(parameter.shape)
            dtypes = (torch.float32, torch.float64) if key == "step" else (parameter.dtype,)
            if not isinstance(value, torch.Tensor):
                problems.append(f"{where}[{key!r}] ({name}): must be a tensor, not {type(value).__name__}")
            elif tuple(value.shape) != shape or value.dtype not in dtypes:
                got = f"{quoted(tuple(value.shape))} {value.dtype}"
                problems.append(
                    f"{where}[{key!r}] ({name}): {got} in the checkpoint, {shape} {dtypes[0]} in the agent"
                )
            elif key == "step" and not (value.item() >= 0 and float(value).is_integer()):
                problems.append(
                    f"{where}[{key!r}] ({name}): {value.item()} in the checkpoint, must be a count"
                )
        return problems

    def scheduler_mismatches(self, where: str, saved: Any) -> list[str]:
        """Every piece of a saved scheduler state that this schedule could not have, by name."""
        if (saved is None) != (self.scheduler is None):
            return [f"{where}: {'missing from' if saved is None else 'unexpected in'} the checkpoint"]
        if self.scheduler is None:
            return []
        if not isinstance(saved, dict):
            return [f"{where}: must be a dict, not {type(saved).__name__}"]
        return _differences(where, saved, _without(self.scheduler.state_dict(), _TRANSIENT_ATTRIBUTES))


def _entry_names(optimizer: str, group: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """What an optimizer keeps per parameter: names that it needs under its options, and names it may have."""
    if optimizer in ("Adam", "AdamW"):
        needed = {"step", "exp_avg", "exp_avg_sq"} | ({"max_exp_avg_sq"} if group["amsgrad"] else set())
        return needed, {"max_exp_avg_sq"}
    if optimizer == "RMSprop":
        needed = {"step", "square_avg"} | ({"grad_avg"} if group["centered"] else set())
        return needed | ({"momentum_buffer"} if group["momentum"] > 0 else set()), {
            "grad_avg",
            "momentum_buffer",
        }
    return set(), {"momentum_buffer"}


def _differences(where: str, saved: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    problems = key_mismatches(where, saved, own)
    for key in saved:
        if key in own and not (_is_like(saved[key], own[key]) and _is_usable(key, saved[key])):
            got, mine = quoted(saved[key]), quoted(own[key])
            problems.append(f"{where}[{key!r}]: {got} in the checkpoint, like {mine} in the agent")
    return problems


def key_mismatches(where: str, saved: Mapping[Any, Any], own: Mapping[Any, Any]) -> list[str]:
    """Every key that only one of the two has, by name; of unexpected ones as many as a message lists."""
    problems = [f"{where}[{key!r}]: missing from the checkpoint" for key in own if key not in saved]
    return problems + [
        f"{where}[{quoted(key)}]: unexpected in the checkpoint" for key in _foreign(saved, own)
    ]


def _foreign(saved: Mapping[Any, Any], known: Container[Any]) -> Iterator[Any]:
    return islice((key for key in saved if key not in known), LISTED)


def unusable_values(where: str, values: Mapping[str, Any]) -> list[str]:
    """The values of a group of parameters or a schedule with which nobody can train, by name."""
    return [
        f"{where}[{key!r}] is {quoted(value)}, which is no number to train with"
        for key, value in values.items()
        if not _is_usable(key, value)
    ]


def _is_usable(key: object, value: Any) -> bool:
    if key in _COUNTS:
        return is_count(value)
    if isinstance(value, dict):
        return all(map(_is_usable, value, value.values()))
    if isinstance(value, list | tuple):
        return all(_is_usable(None, item) for item in value)
    return is_plain_number(value) or value is None or type(value) in (bool, str)


def _is_like(value: Any, own: Any) -> bool:
    """Whether a saved value could stand where there is ``own``: of its kind, and as long."""
    if isinstance(own, Counter):
        return isinstance(value, dict) and all(map(is_count, value)) and all(map(is_count, value.values()))
    if isinstance(own, dict):
        return (
            isinstance(value, dict)
            and set(value) == set(own)
            and all(_is_like(value[k], own[k]) for k in own)
        )
    if isinstance(own, list | tuple):
        return type(value) is type(own) and len(value) == len(own) and all(map(_is_like, value, own))
    if own is None or type(own) is bool:
        return value is None or type(value) is bool
    if type(own) is str:
        return type(value) is str and value == own
    return type(value) in (int, float)


def _without(mapping: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key not in names}
