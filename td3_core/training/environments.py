# SPDX-License-Identifier: MIT
"""Gymnasium environments in the agent's shapes: actions in [-1, 1], channel-first images, float32."""

from __future__ import annotations

import difflib
import os
import warnings
from typing import Any, TypeAlias

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

Observation: TypeAlias = NDArray[Any] | dict[str, NDArray[Any]]
Env: TypeAlias = gym.Env[Any, Any]

CAR_RACING = "CarRacing-v3"
_IMAGE_CHANNELS = (1, 3, 4)


class EnvError(ValueError):
    """An environment cannot be used; the message names it, the reason and the fix."""


def make_env(name: str = CAR_RACING) -> Env:
    """Build a Gymnasium environment that speaks the agent's language.

    Actions are float32 vectors in [-1, 1], one entry per dimension of the environment's action space.
    Observations are one of: a channel-first image, a float32 vector, or a dict of both with the keys
    ``"image"`` and ``"vector"``. ``CarRacing-v3`` gives the dict: a 3 x 42 x 42 uint8 image and 7 values of
    the car's state (see `CarRacingObservations`).

    Args:
        name: The identifier of a registered environment, such as ``"Pendulum-v1"``. ``"module:Name-v0"``
            imports ``module`` first, so that it can register its environments.

    Raises:
        EnvError: The environment is unknown, needs a package that is missing, or its spaces are not
            supported.
    """
    bare = _make_registered(name)
    try:
        env: Env = UnitActions(bare)
        if name == CAR_RACING:
            env = CarRacingObservations(env)
        return AgentObservations(env, name=name)
    except EnvError:
        bare.close()
        raise


def is_registered(name: str) -> bool:
    """Whether an environment is made by this name without importing what the name says."""
    return ":" not in name and name in gym.registry


def spaces_of(env: Env) -> dict[str, Any]:
    """The fields of a `TD3Config` that an environment of `make_env` decides.

    Returns:
        ``vector_size`` (0 without a vector), ``action_size``, ``max_action``, ``image_shape`` (None without
        an image) and, with an image, ``image_dtype`` (``"uint8"`` or ``"float32"``).

    Raises:
        EnvError: The action space is not a flat Box with the same bound, up to the sign, everywhere.
    """
    space, action = env.observation_space, env.action_space
    parts = dict(space.spaces) if isinstance(space, spaces.Dict) else {_kind(space): space}
    image, vector = parts.get("image"), parts.get("vector")
    if not isinstance(action, spaces.Box) or action.shape != (action.low.size,) or not _symmetric(action):
        raise _refusal(env, f"has the action space {action}; wrap it in UnitActions")
    fields = {
        "vector_size": 0 if vector is None else int(np.prod(vector.shape or ())),
        "action_size": int(action.shape[0]),
        "max_action": float(action.high[0]),
        "image_shape": None if image is None else tuple(image.shape or ()),
    }
    return fields if image is None else {**fields, "image_dtype": str(image.dtype)}


def name_of(env: Env) -> str:
    """The name that makes this environment again through `make_env`, or else the best name it has."""
    if isinstance(env, AgentObservations) and env.name:
        return env.name
    return env.spec.id if env.spec else type(env.unwrapped).__name__


class UnitActions(gym.ActionWrapper[Any, Any, Any]):
    """Maps the agent's action vector in [-1, 1] to the environment's Box, whatever its bounds and shape."""

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        box = env.action_space
        if not isinstance(box, spaces.Box):
            raise _refusal(
                env,
                f"has the action space {box}, but TD3 needs continuous actions (a Box); "
                "choose one such as 'Pendulum-v1' or 'CarRacing-v3'",
            )
        if not box.is_bounded("both"):
            raise _refusal(env, f"has an action space without finite bounds, {box}; bound it in a wrapper")
        self._box = box
        self._low = box.low.astype(np.float64).ravel()
        self._high = box.high.astype(np.float64).ravel()
        self.action_space = spaces.Box(-1.0, 1.0, self._low.shape, np.float32)

    def action(self, action: Any) -> NDArray[Any]:
        """The environment's action for the agent's ``action`` (values outside [-1, 1] are clipped)."""
        unit = np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        scaled = self._low + (unit + 1.0) * 0.5 * (self._high - self._low)
        return scaled.astype(self._box.dtype).reshape(self._box.shape)


class CarRacingObservations(gym.ObservationWrapper[Any, Any, Any]):
    """CarRacing's picture at a quarter of its pixels, and the car's state that one picture cannot show.

    ``image``: the 84 x 84 pixels above the instrument panel, each 2 x 2 block averaged, height x width x RGB.
    ``vector``: speed (100 units/s), angular velocity of the four wheels (100 rad/s), steering angle of the
    front wheels (0.4 rad, the limit of the joint) and yaw rate (5 rad/s), each divided by the unit in
    parentheses to be near [-1, 1].
    """

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        self.observation_space = spaces.Dict(
            {
                "image": spaces.Box(0, 255, (42, 42, 3), np.uint8),
                "vector": spaces.Box(-np.inf, np.inf, (7,), np.float32),
            }
        )

    def observation(self, observation: Any) -> dict[str, NDArray[Any]]:
        """The reduced picture and the car's state."""
        road = observation[:84, 6:90].astype(np.uint16)
        blocks = road.reshape(42, 2, 42, 2, 3).sum(axis=(1, 3), dtype=np.uint16)
        car: Any = self.env.unwrapped
        hull, wheels = car.car.hull, car.car.wheels
        state = [
            np.hypot(hull.linearVelocity[0], hull.linearVelocity[1]) / 100.0,
            *(wheel.omega / 100.0 for wheel in wheels),
            wheels[0].joint.angle / 0.4,
            hull.angularVelocity / 5.0,
        ]
        return {"image": (blocks // 4).astype(np.uint8), "vector": np.array(state, np.float32)}


class AgentObservations(gym.ObservationWrapper[Any, Any, Any]):
    """Turns Box and Dict observations into the agent's: a channel-first image, a float32 vector, or both.

    A Box with two or three dimensions is an image (uint8 is kept, floats become float32; channels that come
    last are moved to the front); one with fewer is a vector. In a Dict, at most one entry may be an image;
    the others are joined to one vector in the order of the space. ``name`` is what `make_env` was given.
    """

    def __init__(self, env: Env, *, name: str = "") -> None:
        super().__init__(env)
        self.name = name
        space = env.observation_space
        self._parts = dict(space.spaces) if isinstance(space, spaces.Dict) else {"": space}
        for key, part in self._parts.items():
            if not isinstance(part, spaces.Box) or len(part.shape) > 3:
                where = f" in its entry {key!r}" if key else ""
                raise _refusal(
                    env,
                    f"has the observation space {part}{where}; supported are Box spaces of at most three "
                    "dimensions and a Dict of them, so convert it in a wrapper",
                )
        self._images = [name for name, part in self._parts.items() if _kind(part) == "image"]
        self._vectors = [name for name in self._parts if name not in self._images]
        if len(self._images) > 1:
            raise _refusal(
                env,
                f"observes more than one image ({', '.join(self._images)}); join them along the channels "
                "in a wrapper",
            )
        described: dict[str, spaces.Space[Any]] = {}
        if self._images:
            described["image"] = _image_space(self._parts[self._images[0]])
        if self._vectors:
            size = sum(int(np.prod(self._parts[name].shape or ())) for name in self._vectors)
            described["vector"] = spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self.observation_space = (
            spaces.Dict(described) if len(described) > 1 else next(iter(described.values()))
        )

    def observation(self, observation: Any) -> Observation:
        """The agent's form of ``observation``, in memory of its own."""
        entries = observation if isinstance(self.env.observation_space, spaces.Dict) else {"": observation}
        converted: dict[str, NDArray[Any]] = {}
        if self._images:
            converted["image"] = _channels_first(np.asarray(entries[self._images[0]]))
        if self._vectors:
            flat = [np.asarray(entries[name], np.float32).ravel() for name in self._vectors]
            converted["vector"] = np.concatenate(flat)
        return converted if len(converted) > 1 else next(iter(converted.values()))


def _make_registered(name: str) -> Env:
    module, _, identifier = name.rpartition(":")
    if not module and identifier not in gym.registry:
        nearest = difflib.get_close_matches(identifier, gym.registry, n=1, cutoff=0.5)
        advice = f"did you mean {nearest[0]!r}?" if nearest else "gymnasium.pprint_registry() lists the names"
        raise EnvError(f"there is no environment {name!r}; {advice}")
    # The simulator draws its pictures with pygame: no window, no greeting.
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        # Box2D's compiled module warns about its own type definitions on import; as an error it is a crash.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return gym.make(name, disable_env_checker=True)
    except gym.error.DependencyNotInstalled as error:
        if "box2d" in str(getattr(gym.registry.get(identifier), "entry_point", "")):
            raise EnvError(
                f"environment {name!r} needs Box2D, which is not installed; "
                "run: pip install 'td3-verification[train]'"
            ) from error
        raise EnvError(f"environment {name!r} needs a package that is missing: {error}") from error
    except (gym.error.Error, ImportError) as error:
        raise EnvError(f"environment {name!r} cannot be made: {error}") from error


def _symmetric(box: spaces.Box) -> bool:
    bound = box.high.flat[0]
    return bool(np.all(box.high == bound) and np.all(box.low == -bound))


def _refusal(env: Env, reason: str) -> EnvError:
    return EnvError(f"environment {name_of(env)!r} {reason}")


def _kind(space: spaces.Space[Any]) -> str:
    return "image" if len(space.shape or ()) in (2, 3) else "vector"


def _image_space(space: spaces.Space[Any]) -> spaces.Box:
    sample = _channels_first(np.zeros(space.shape or (), space.dtype))
    high: float = 255 if sample.dtype == np.uint8 else np.inf
    return spaces.Box(0 if sample.dtype == np.uint8 else -high, high, sample.shape, sample.dtype.type)


def _channels_first(image: NDArray[Any]) -> NDArray[Any]:
    if image.ndim == 2:
        image = image[None]
    elif image.shape[2] in _IMAGE_CHANNELS and image.shape[0] not in _IMAGE_CHANNELS:
        image = image.transpose(2, 0, 1)
    # A copy: some environments write the next picture into the array they returned.
    return np.array(image, dtype=np.uint8 if image.dtype == np.uint8 else np.float32, order="C")
