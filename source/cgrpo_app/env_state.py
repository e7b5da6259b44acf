# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Everything an Isaac Lab environment carries from one step to the next, for a resume that is exact on the CPU.

Isaac Lab saves joint and root states (``scene.get_state``), but a step also depends on commands, timers, last actions,
drive targets, warm starts of the solver and more, spread over managers, terms, assets and the physics manager. None of
them can be asked for its state, so this module walks the objects and takes every array and every number it meets.
"""

import contextlib
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch
import warp as wp

from isaaclab.utils.string import string_to_callable

from cgrpo_app.errors import UserError

SIMULATION = ("newton", "mujoco_warp")
ENVIRONMENT = ("isaaclab", "cgrpo_tasks")
"""Top-level packages whose objects are entered, with those of the environment's class and configuration; anything else
is either an array, a number or not state."""

SKIPPED = frozenset(
    {"cfg", "_cfg", "_env", "env", "sim", "viewer", "_visualizers", "metadata", "extras", "obs_buf"}
    | {"model", "mj_model", "mjw_model", "_worlds", "_graphs"}
)
"""Attributes that hold settings, back references, physical parameters (which the seed gives again at start) or what the
next step computes anew. Parameters that a task changes after the start are therefore not restored."""


NUMBERS = (bool, int, float)


class IsaacLabEnvState:
    """State of one environment; see :class:`cgrpo_lab.runners.cgrpo_runner.EnvState`."""

    def __init__(self, env: Any) -> None:
        """Watch an environment.

        Args:
            env: The environment in rsl_rl's wrapper.
        """
        self.env = env

    def state_dict(self) -> dict[str, Any]:
        """Copies of all arrays, and all numbers, by path; and the current observations."""
        arrays: dict[str, torch.Tensor] = {}
        numbers: dict[str, float | int | bool] = {}
        for path, _, _, value in self._slots():
            if isinstance(value, NUMBERS):
                numbers[path] = value
            else:
                arrays[path] = _as_tensor(value).clone()
        observations = {name: value.clone() for name, value in self.env.get_observations().items()}
        return {"arrays": arrays, "numbers": numbers, "observations": observations}

    @torch.inference_mode()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put the environment where another one with the same settings was.

        Raises:
            UserError: If the environment was made with other settings (its arrays have other names or shapes).
        """
        # A first step creates what is created on first use.
        self.env.step(torch.zeros(self.env.num_envs, self.env.num_actions, device=self.env.device))
        slots = {path: (owner, key, value) for path, owner, key, value in self._slots()}
        for path, saved in state["arrays"].items():
            if path not in slots or _as_tensor(slots[path][2]).shape != saved.shape:
                raise UserError(
                    f"--resume: the run was made with other settings ({path} does not fit); give the same task, "
                    "--num_envs, physics and overrides, or start a new run from it with --checkpoint."
                )
            _as_tensor(slots[path][2]).copy_(saved)
        for path, saved in state["numbers"].items():
            # What is immutable is equal in both, so only what differs is assigned.
            if path in slots and slots[path][2] != saved:
                owner, key, _ = slots[path]
                _assign(owner, key, saved)
        self.env.unwrapped.obs_buf = {name: value.clone() for name, value in state["observations"].items()}

    def _slots(self) -> Iterator[tuple[str, Any, Any, Any]]:
        """Path, owner, key and value of every array and number reachable from environment and physics."""
        base = self.env.unwrapped
        environment = {*ENVIRONMENT, _package(base), _package(base.cfg)}
        seen: set[int] = set()
        for name, root in self._roots().items():
            yield from _walk(name, root, seen, environment)

    def _roots(self) -> dict[str, Any]:
        """Where state begins: the environment, and the physics manager's class, which keeps it in class variables."""
        base = self.env.unwrapped
        # Isaac Lab names the class by a string that it resolves on first use.
        return {"env": base, "physics": string_to_callable(str(base.sim.physics_manager))}


def _walk(path: str, owner: Any, seen: set[int], environment: set[str]) -> Iterator[tuple[str, Any, Any, Any]]:
    """Depth first through attributes and containers; every object once."""
    if id(owner) in seen:
        return
    seen.add(id(owner))
    for key, value in _children(owner):
        where = f"{path}.{key}"
        if isinstance(value, (torch.Tensor, wp.array, np.ndarray)):
            if _is_plain(value):
                yield where, owner, key, value
        elif type(value) in NUMBERS:  # not their subclasses: enumerations are settings
            # Numbers of Newton and MuJoCo Warp are dimensions of the model, which the settings fix.
            if _package(owner) in environment:
                yield where, owner, key, value
        elif (
            isinstance(value, (dict, list, tuple))
            or (package := _package(value)) in environment
            or package in SIMULATION
        ):
            yield from _walk(where, value, seen, environment)


def _children(owner: Any) -> list[tuple[Any, Any]]:
    """Named parts of an object, a class or a container."""
    if isinstance(owner, dict):
        return [(key, value) for key, value in owner.items() if isinstance(key, (str, int))]
    if isinstance(owner, (list, tuple)):
        return list(enumerate(owner))
    if isinstance(owner, type):
        merged: dict[str, Any] = {}
        for base in reversed(owner.__mro__[:-1]):
            merged.update(vars(base))
        items = merged.items()
    else:
        items = {**_slot_values(owner), **_attributes(owner)}.items()
    return [(key, value) for key, value in items if key not in SKIPPED and not key.startswith("__")]


def _attributes(owner: Any) -> dict[str, Any]:
    """Instance attributes; objects of slots and of C have no dictionary."""
    try:
        return vars(owner)
    except TypeError:
        return {}


def _slot_values(owner: Any) -> dict[str, Any]:
    """Attributes kept in slots that have been set."""
    values: dict[str, Any] = {}
    for base in type(owner).__mro__:
        for name in vars(base).get("__slots__", ()):
            with contextlib.suppress(AttributeError, KeyError):
                values[name] = vars(base)[name].__get__(owner)
    return values


def _package(value: Any) -> str:
    """Project an object's class belongs to, the parts of Isaac Lab being one; none for classes and functions."""
    if isinstance(value, (type, FunctionType, MethodType, BuiltinFunctionType)):
        return ""
    package = type(value).__module__.split(".")[0]
    return "isaaclab" if package.startswith("isaaclab") else package


def _is_plain(value: Any) -> bool:
    """Whether an array holds numbers that can be copied."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fiub" and value.flags.writeable
    if isinstance(value, wp.array):
        return value.ptr is not None and value.size > 0 and not wp.types.type_is_struct(value.dtype)
    return value.numel() > 0


def _as_tensor(value: Any) -> torch.Tensor:
    """View of an array as a tensor that shares its memory."""
    if isinstance(value, wp.array):
        return wp.to_torch(value, requires_grad=False)
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


def _assign(owner: Any, key: Any, value: Any) -> None:
    """Set a number in its owner; one in a tuple cannot change."""
    if isinstance(owner, (dict, list)):
        owner[key] = value
    elif isinstance(owner, type):
        definer = next(base for base in owner.__mro__ if key in vars(base))
        setattr(definer, key, value)
    elif not isinstance(owner, tuple):
        setattr(owner, key, value)
