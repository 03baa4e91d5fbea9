# SPDX-License-Identifier: MIT
"""Finds the adapter that a user names: a built-in one, ``module:object``, or a script with its functions."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from verification.adapters.completing import complete, of_functions
from verification.adapters.signatures import ARGUMENTS
from verification.errors import MISTAKES, AdapterError, UsageError, nearest, shortly
from verification.processes.time_limits import TimeIsUp, limited
from verification.specimens import SPECIMENS

if TYPE_CHECKING:
    from types import ModuleType

    from verification.adapter import Adapter

#: Short names of the built-in adapters, each with its place and the extra that installs its library.
BUILT_IN: dict[str, tuple[str, str | None]] = {
    "td3_core": ("verification.adapters.td3_core:TD3Core", None),
    "stable_baselines3": ("verification.adapters.stable_baselines3:StableBaselines3", "sb3"),
    "sb3_sac": ("verification.adapters.sb3_family:SAC", "sb3"),
    "sb3_dqn": ("verification.adapters.sb3_family:DQN", "sb3"),
    "sb3_ppo": ("verification.adapters.sb3_family:PPO", "sb3"),
    "sb3_tqc": ("verification.adapters.sb3_family:TQC", "sb3"),
    "sb3_crossq": ("verification.adapters.sb3_family:CrossQ", "sb3"),
    "tianshou": ("verification.adapters.tianshou:Tianshou", "tianshou"),
    "skrl_td3": ("verification.adapters.skrl:TD3", "skrl"),
    "skrl_sac": ("verification.adapters.skrl:SAC", "skrl"),
    "skrl_ppo": ("verification.adapters.skrl:PPO", "skrl"),
    "rsl_rl": ("verification.adapters.rsl_rl:RslRl", "rsl_rl"),
    "torchrl": ("verification.adapters.torchrl:TorchRL", "torchrl"),
    "d3rlpy_sac": ("verification.adapters.d3rlpy:SAC", "d3rlpy"),
    "d3rlpy_td3": ("verification.adapters.d3rlpy:TD3", "d3rlpy"),
    "agilerl": ("verification.adapters.agilerl:AgileRL", "agilerl"),
    "xuance": ("verification.adapters.xuance:XuanCe", "xuance"),
    "torch_loop": ("verification.adapters.torch_loop:TorchLoop", None),
    "lightning_fabric": ("verification.adapters.lightning_fabric:LightningFabric", "fabric"),
}

# What a script declares besides functions. Its name is that of its file, and a ``horizon`` is often a
# rollout's length.
_DECLARED = frozenset({"volatile", "callers", "expected_failures", "time_limit"})
# Seconds: libraries take a while on a cold disk, and a script that trains when it is imported never ends.
_IMPORT_LIMIT = 120.0
_GUARD = 'put what it does when it is run under `if __name__ == "__main__":`'


def load_adapter(target: str) -> Adapter:
    """The adapter named by ``target``, constructed if a class is named, and completed if it has few members.

    A target is the name of a built-in adapter, ``module:object``, ``file.py:object``, or a script: a file
    with the functions ``build``, ``learn``, ``save`` and ``load``. Modules are looked for in the current
    folder, too.

    Raises:
        UsageError: in one sentence, naming the piece and the fix.
        AdapterError: for a member that cannot be understood.
    """
    place, _ = BUILT_IN.get(target, (SPECIMENS.get(target, target), None))
    if target_is_script(place):
        return of_functions(_members_of(import_file(place)), Path(place).stem)
    found = find_object(target)
    if not inspect.isclass(found):
        return complete(found)
    try:
        adapter = found()
    except MISTAKES as error:
        name = place.partition(":")[2]
        raise AdapterError(
            f"{name}() raised {shortly(error)}; an adapter is built without arguments"
        ) from error
    return complete(adapter)


def find_object(target: str) -> object:
    """What a target with a colon names, or a built-in adapter's class.

    Raises:
        UsageError: in one sentence, naming the piece and the fix.
    """
    place, extra = BUILT_IN.get(target, (SPECIMENS.get(target, target), None))
    module_name, separator, attribute = place.partition(":")
    if not separator:
        file = f"{target}.py"
        near = f"did you mean {file}? " if Path(file).is_file() else nearest(target, [*BUILT_IN, *SPECIMENS])
        raise UsageError(
            f"there is no adapter {target!r}; {near}built-in adapters are {', '.join(BUILT_IN)}, "
            "any other is named module:object, or file.py"
        )
    if not module_name or not attribute:
        raise UsageError(
            f"{target!r} names no adapter; write module:object, such as my_agent.adapter:MyAdapter"
        )
    module = _module(module_name, extra, target)
    found = getattr(module, attribute, None)
    if found is None:
        public = [name for name in vars(module) if not name.startswith("_")]
        raise UsageError(
            f"the module {module_name} has no {attribute!r}; {nearest(attribute, public)}"
            "check the name behind the colon"
        )
    return found


def target_is_script(target: str) -> bool:
    """Whether a target names a file whose functions are the adapter."""
    return target.endswith(".py") and ":" not in target


def place_of(target: str) -> str:
    """The module and the object that a target stands for."""
    return BUILT_IN[target][0] if target in BUILT_IN else target


def _members_of(script: ModuleType) -> dict[str, object]:
    """What of a script is an adapter's: functions by their names, and what it declares."""
    names = {name for name in ARGUMENTS if callable(getattr(script, name, None))}
    return {name: getattr(script, name) for name in sorted({*names, *_DECLARED} & vars(script).keys())}


def _module(name: str, extra: str | None, target: str) -> ModuleType:
    """The module in front of the colon, which may be a file."""
    if name.endswith(".py"):
        return import_file(name)
    if "/" in name or "\\" in name:
        file, _, attribute = f"{name}.py", *target.partition(":")[1:]
        raise UsageError(
            f"there is no module {name!r}; a file is named with its ending, as {file}:{attribute}, "
            "a module with dots and without folders in front"
        )
    return _import(name, extra, target)


def import_file(written: str) -> ModuleType:
    """The module that is a file, imported by its name, so that other processes find it, too."""
    file = Path(written).absolute()
    if not file.is_file():
        raise UsageError(f"there is no file {written}; name it as for Python, such as folder/my_train.py")
    root, parts = file.parent, [file.stem]
    while (root / "__init__.py").is_file():  # part of a package, whose modules it may import
        parts.insert(0, root.name)
        root = root.parent
    if "." in file.stem:
        raise UsageError(f"{written} has a dot in its name, so that nothing can import it; rename the file")
    module = _import(".".join(parts), None, written, root)
    found = getattr(module, "__file__", None)
    if found is None or not Path(found).samefile(file):
        raise UsageError(f"{written} is hidden by another module of its name ({found}); rename the file")
    return module


def _import(name: str, extra: str | None, target: str, root: Path | None = None) -> ModuleType:
    folder = str(root or Path.cwd())
    if folder not in sys.path:
        # Last, because in a checkout of this project it holds another copy of this package.
        sys.path.append(folder)
    arguments, sys.argv = sys.argv, [name]  # what is typed behind `verify` is not the script's
    try:
        with limited(_IMPORT_LIMIT, f"importing {name}"):
            return importlib.import_module(name)
    except TimeIsUp as up:
        inner = [one for one in up.importing if not f"{name}.".startswith(f"{one}.")]
        within = f" (it was importing {inner[0]})" if inner else ""
        raise UsageError(
            f"the module {name} was not imported within {_IMPORT_LIMIT:g} s{within}; {_GUARD}"
        ) from None
    except SystemExit as left:
        raise UsageError(f"the module {name} ends the program at its import ({left}); {_GUARD}") from None
    except ImportError as error:
        missing = getattr(error, "name", None) or str(error)
        if extra is not None:
            raise UsageError(
                f"the adapter {target} needs {missing.partition('.')[0]}, which is not installed; "
                f"run: python -m pip install 'td3-verification[{extra}]'"
            ) from error
        if missing == name or name.startswith(f"{missing}."):
            raise UsageError(
                f"there is no module {missing!r}, neither installed nor in {folder}; "
                "check the name before the colon"
            ) from error
        raise UsageError(f"the module {name} does not import: {error}") from error
    except Exception as error:
        raise UsageError(f"the module {name} does not import: {type(error).__name__}: {error}") from error
    finally:
        sys.argv = arguments
