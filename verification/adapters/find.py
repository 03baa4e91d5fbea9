# SPDX-License-Identifier: MIT
"""Finds the adapter that a user names: one of the built-in ones, or ``module:object``."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from verification.errors import AdapterError, UsageError, nearest
from verification.specimens import SPECIMENS

if TYPE_CHECKING:
    from verification.adapter import Adapter

#: Short names of the built-in adapters, each with its place and the extra that installs its library.
BUILT_IN = {
    "td3_core": ("verification.adapters.td3_core:TD3Core", None),
    "stable_baselines3": ("verification.adapters.stable_baselines3:StableBaselines3", "sb3"),
    "sb3_sac": ("verification.adapters.sb3_family:SAC", "sb3"),
    "sb3_dqn": ("verification.adapters.sb3_family:DQN", "sb3"),
    "sb3_ppo": ("verification.adapters.sb3_family:PPO", "sb3"),
    "sb3_tqc": ("verification.adapters.sb3_family:TQC", "sb3"),
    "tianshou": ("verification.adapters.tianshou:Tianshou", "tianshou"),
}


def load_adapter(target: str) -> Adapter:
    """The adapter named by ``target``, constructed if a class is named.

    Modules are looked for in the current folder, too.

    Raises:
        UsageError: in one sentence, naming the piece and the fix.
    """
    place, extra = BUILT_IN.get(target, (SPECIMENS.get(target, target), None))
    module_name, separator, attribute = place.partition(":")
    if not separator:
        raise UsageError(
            f"there is no adapter {target!r}; {nearest(target, [*BUILT_IN, *SPECIMENS])}"
            "built-in adapters are "
            f"{', '.join(BUILT_IN)}, any other is named module:object"
        )
    if not module_name or not attribute:
        raise UsageError(
            f"{target!r} names no adapter; write module:object, such as my_agent.adapter:MyAdapter"
        )
    module = _import(module_name, extra, target)
    found = getattr(module, attribute, None)
    if found is None:
        public = [name for name in vars(module) if not name.startswith("_")]
        raise UsageError(
            f"the module {module_name} has no {attribute!r}; {nearest(attribute, public)}"
            "check the name behind the colon"
        )
    if not inspect.isclass(found):
        return cast("Adapter", found)
    try:
        return cast("Adapter", found())
    except Exception as error:
        raise AdapterError(
            f"{attribute}() raised {type(error).__name__}: {error}; an adapter is built without arguments"
        ) from error


def place_of(target: str) -> str:
    """The module and the object that a target stands for."""
    return BUILT_IN[target][0] if target in BUILT_IN else target


def _import(name: str, extra: str | None, target: str) -> object:
    folder = str(Path.cwd())
    if folder not in sys.path:
        # Last, because in a checkout of this project it holds another copy of this package.
        sys.path.append(folder)
    try:
        return importlib.import_module(name)
    except ImportError as error:
        missing = getattr(error, "name", None) or str(error)
        if extra is not None:
            raise UsageError(
                f"the adapter {target} needs {missing}, which is not installed; "
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
