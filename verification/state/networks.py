# SPDX-License-Identifier: MIT
"""How the walker visits torch's own objects: modules, optimizers, schedulers, scalers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from verification.state.containers import sort_keys
from verification.state.introspect import member, type_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Set

    from verification.state.walker import Walker

# Names that torch itself recreates: none of them survives, or needs to survive, a new process.
_MODULE_BOOKKEEPING = frozenset(vars(torch.nn.Module())) | {"_is_full_backward_hook", "_compiled_call_impl"}
_MODULE_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
# ``defaults`` is consulted only when a parameter group is added, and no load restores it; LBFGS counts
# its parameters' elements once.
_OPTIMIZER_BOOKKEEPING = frozenset(
    {"param_groups", "state", "defaults", "step", "_opt_called", "_zero_grad_profile_name", "_step_count"}
    | {"_warned_capturable_if_run_uncaptured", "_patch_step_function", "_numel_cache"}
)
_OPTIMIZER_HOOKS = ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks")
_SCHEDULER_BOOKKEEPING = frozenset({"_get_lr_called_within_step", "_is_initial", "verbose"})
_SCRIPT_BOOKKEEPING = frozenset({"_c", "_concrete_type", "_initializing", "forward"})


def visit_module(walker: Walker, module: torch.nn.Module, path: str, role: str, depth: int) -> None:
    """A module: its mode, parameters, buffers, children, hooks and attributes."""
    if walker.seen(module, path, role):
        return
    walker.record(path, role, "object", type_name(module).encode(), type_name(module))
    held = vars(module)
    if _is_compiled(module):  # what torch.compile keeps beside the module is made anew by it
        walker.visit(held["_modules"]["_orig_mod"], f"{path}._orig_mod", role, depth + 1)
        return
    walker.visit(module.training, f"{path}.training", "mode", depth + 1)
    for registry, child_role in (("_parameters", "parameter"), ("_buffers", "buffer"), ("_modules", role)):
        for name, child in getattr(module, registry).items():
            if child is not None:
                walker.visit(child, member(path, name, module), child_role, depth + 1)
    skip: Set[str] = _MODULE_BOOKKEEPING
    for registry in _MODULE_HOOKS:
        if hooks := held.get(registry):
            skip = skip | _recomputed(hooks.values())
            own = [hook for hook in hooks.values() if getattr(hook, "__self__", None) is not module]
            _visit_hooks(walker, own, f"{path}.{registry}", role, depth)
    walker.children(module, path, role, depth, skip=skip)


def visit_script_module(walker: Walker, module: Any, path: str, role: str, depth: int) -> None:
    """A TorchScript module: what Python sees of it, and the attributes that only its compiled code sees."""
    if walker.seen(module, path, role):
        return
    walker.record(path, role, "object", type_name(module).encode(), type_name(module))
    walker.visit(module.training, f"{path}.training", "mode", depth + 1)
    children = [(name, child, "parameter") for name, child in module.named_parameters(recurse=False)]
    children += [(name, child, "buffer") for name, child in module.named_buffers(recurse=False)]
    children += [(name, child, role) for name, child in module.named_children()]
    for name, child, child_role in children:
        walker.visit(child, member(path, name, module), child_role, depth + 1)
    known = {name for name, *_ in children} | {"training"}
    for name in sorted(_script_attributes(module) - known):
        walker.visit(getattr(module, name), f"{path}.{name}", role, depth + 1)
    made = {name for name in vars(module) if name.startswith("__")}
    walker.children(module, path, role, depth, skip=_SCRIPT_BOOKKEEPING | _MODULE_BOOKKEEPING | made)


def _script_attributes(module: Any) -> set[str]:
    concrete = vars(module).get("_concrete_type")
    return set(concrete.get_attributes()) if concrete is not None else set()


def _is_compiled(module: torch.nn.Module) -> bool:
    """Whether a module is torch.compile's wrapper of another; to import its type would take seconds."""
    kind = type(module)
    return kind.__name__ == "OptimizedModule" and kind.__module__ == "torch._dynamo.eval_frame"


def _recomputed(hooks: Iterable[object]) -> set[str]:
    """The weights that the norms of old compute before every use, from parameters beside them."""
    return {hook.name for hook in hooks if isinstance(hook, WeightNorm | SpectralNorm)}


def _visit_hooks(walker: Walker, hooks: Iterable[object], path: str, role: str, depth: int) -> None:
    """Hooks by their order: the numbers that they are filed under count up in a process."""
    for index, hook in enumerate(hooks):
        walker.visit(hook, f"{path}.values()[{index}]", role, depth + 1)


def visit_user_of_parameters(walker: Walker, obj: Any, path: str, role: str, depth: int) -> None:
    """Optimizers and schedulers come once every network was found: a path names what a tensor *is*."""
    if isinstance(obj, torch.optim.Optimizer):
        walker.postpone(_visit_optimizer, obj, path, "option", depth, rank=0)
    else:
        walker.postpone(_visit_scheduler, obj, path, "schedule", depth, rank=1)


def _visit_scheduler(walker: Walker, scheduler: Any, path: str, role: str, depth: int) -> None:
    walker.attributes(scheduler, path, role, depth, skip=_SCHEDULER_BOOKKEEPING)


def _visit_optimizer(
    walker: Walker, optimizer: torch.optim.Optimizer, path: str, role: str, depth: int
) -> None:
    if walker.seen(optimizer, path, role):
        return
    walker.record(path, role, "object", type_name(optimizer).encode(), type_name(optimizer))
    parameters: list[torch.Tensor] = []
    for index, group in enumerate(optimizer.param_groups):
        parameters += group["params"]
        _visit_group(walker, group, f"{path}.param_groups[{index}]", role, depth + 1)
    walker.trained += parameters
    # Entries are found by their parameter's position, as in a state dict: the order in which they
    # were created depends on which gradient came first and changes nothing.
    position = {id(parameter): index for index, parameter in enumerate(parameters)}
    kind = type_name(optimizer.state)  # only a defaultdict takes in a parameter's first gradient
    walker.record_unless_volatile(f"{path}.state", "moment", "container", b"", "entries", type=kind)
    stale = 0
    for parameter, entry in optimizer.state.items():
        if not entry:
            continue  # reading a defaultdict creates empty entries
        if id(parameter) in position:
            key = f"{path}.state[{position[id(parameter)]}]"
        else:
            key = f"{path}.state[stale {stale}]"
            stale += 1
        walker.visit(entry, key, "moment", depth + 1)
    for registry in _OPTIMIZER_HOOKS:
        if hooks := vars(optimizer).get(registry):
            _visit_hooks(walker, hooks.values(), f"{path}.{registry}", role, depth)
    skip = _OPTIMIZER_BOOKKEEPING | {name for name in vars(optimizer) if name.endswith("_hooks")}
    walker.children(optimizer, path, role, depth, skip=skip)


def _visit_group(walker: Walker, group: dict[str, Any], path: str, role: str, depth: int) -> None:
    """A group of parameters, which torch makes anew by loading, with its keys in another order."""
    first = walker.path_of(group)
    if first is not None:
        sort_keys(walker, first, group)
    walker.visit(group, path, role, depth)


def visit_scaler(walker: Walker, scaler: torch.amp.GradScaler, path: str, role: str, depth: int) -> None:
    """A gradient scaler."""
    # Until its first use a scaler keeps as its first scale what it will make a tensor of: to have been
    # used, or loaded, or neither, is no state.
    held = vars(scaler)
    names = [name for name in ("scale", "growth_tracker") if f"_{name}" in held]
    for name in names:
        tensor = held[f"_{name}"]
        value = held[f"_init_{name}"] if tensor is None else tensor.item()
        walker.visit(value, f"{path}._{name}", role, depth + 1)
    skip = {f"{prefix}_{name}" for prefix in ("", "_init") for name in names}
    walker.attributes(scaler, path, role, depth, skip=skip)
