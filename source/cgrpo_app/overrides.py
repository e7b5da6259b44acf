# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Overrides of the command line: each must name a field there is and hold a value of its kind.

Isaac Lab would make a field that nobody reads of a misspelt name, and takes any text for any value.
"""

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cgrpo_app.errors import UserError

NOTHING = ("null", "none")
"""Values that switch off a part of a section, such as a term of the rewards."""

WHOLE = ("env", "agent", "env.sim")
"""Sections that need all their parts."""

OPTIONS = {
    "env.seed": "--seed",
    "env.sim.device": "--device",
    "agent.device": "--device",
    "agent.resume": "--resume",
    "agent.load_run": "--load_run",
    "agent.load_checkpoint": "--checkpoint",
}
"""Fields that the commands set from options of their own, whatever an override says."""


def resolve_config(task: str, entry_point: str, overrides: Sequence[str], *, play_mode: bool) -> tuple[Any, Any]:
    """Isaac Lab's configurations of environment and agent with presets and overrides applied.

    Args:
        task: Task id.
        entry_point: Agent's entry point.
        overrides: Hydra overrides and presets.
        play_mode: Whether to apply the task's settings for playing.

    Raises:
        UserError: If a preset or an override cannot be used.
    """
    from isaaclab_tasks.utils import resolve_task_config

    def resolved(chosen: Sequence[str]) -> dict[str, Any]:
        env_cfg, agent_cfg = resolve_task_config(task, entry_point, play_mode=play_mode, overrides=chosen)
        return {"env": env_cfg, "agent": agent_cfg}

    try:
        values = _values(task, entry_point, overrides)
        before = resolved([item for item in overrides if item not in values])
        for item in values:
            check_override(item, before)
        after = resolved(overrides) if values else before
        for item in values:
            _check_kind(item, _value(item, before), _value(item, after))
        return after["env"], after["agent"]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        # Isaac Lab has no error class of its own for overrides; an override is the only input this call has.
        if not overrides:
            raise
        raise UserError(f"{' '.join(overrides)}: {_trouble(error)}") from error


def check_override(item: str, configs: Mapping[str, Any]) -> None:
    """Check that an override sets a field, and no whole section.

    Args:
        item: Override such as ``agent.algorithm.clip_param=0.1``.
        configs: Configurations by their first name, ``env`` and ``agent``.

    Raises:
        UserError: If there is no such field, or it holds a section.
    """
    key, _, text = item.partition("=")
    if key in OPTIONS:
        raise UserError(f"{item}: has no effect; use {OPTIONS[key]}.")
    *parents, name = key.split(".")
    if not parents:
        raise UserError(f"{item}: names no variant of this task; leave it out.")
    owner: Any = configs
    for depth, parent in enumerate(parents):
        section, owner = owner, _member(item, ".".join(parents[:depth]), owner, parent)
    path = ".".join(parents)
    if parents[-1] == "params" and hasattr(section, "func"):
        _check_parameter(item, section.func, name)
    value = owner.get(name) if isinstance(owner, Mapping) else _member(item, path, owner, name)
    is_switched_off = text.lower() in NOTHING and path not in WHOLE
    if _is_section(value) and not is_switched_off:
        raise UserError(
            f"{item}: is a section of settings; set one of them, {key}.NAME, of {', '.join(_names(value))}."
        )


def _check_parameter(item: str, term: Callable, name: str) -> None:
    """Raise a UserError if a term of a manager, a function or a class with ``__call__``, has no such parameter."""
    parameters = inspect.signature(term.__call__ if inspect.isclass(term) else term).parameters
    known = [other for other in parameters if other not in ("self", "env", "env_ids")]
    if name not in known and all(p.kind is not p.VAR_KEYWORD for p in parameters.values()):
        raise UserError(f"{item}: {term.__name__} has no parameter {name!r}; it has {', '.join(known) or 'none'}.")


def _check_kind(item: str, before: Any, after: Any) -> None:
    """Raise a UserError if an override puts a value of another kind in the place of one; None fits anywhere."""
    key, _, text = item.partition("=")
    fits, kind = True, ""
    if isinstance(before, bool):
        fits, kind = isinstance(after, bool), "true or false"
    elif isinstance(before, int | float):
        fits, kind = isinstance(after, int | float | list | tuple) and not isinstance(after, bool), "a number"
    elif isinstance(before, str):
        fits, kind = isinstance(after, str | list | tuple), f"text; in quotes, '{key}=\"{text}\"', it is"
    elif isinstance(before, list | tuple):
        are_names = all(isinstance(entry, str) for entry in before)
        fits, kind = isinstance(after, list | tuple) or (are_names and isinstance(after, str)), "a list such as [1, 2]"
    # A dictionary may give one value for each joint.
    if not fits and after is not None and not isinstance(after, Mapping):
        raise UserError(f"{item}: must be {kind}.")


def _value(item: str, configs: Mapping[str, Any]) -> Any:
    """What the configurations hold in the place that an override names; None for a new key of a dictionary."""
    value: Any = configs
    for name in item.partition("=")[0].split("."):
        value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    return value


def _values(task: str, entry_point: str, overrides: Sequence[str]) -> list[str]:
    """Overrides that set a value; the others choose a preset."""
    from isaaclab_tasks.utils import load_cfg_from_registry
    from isaaclab_tasks.utils.hydra import collect_presets

    dotted = [item for item in overrides if item.startswith(("env.", "agent.", "env="))]
    if not dotted:
        return []
    presets = {
        *collect_presets(load_cfg_from_registry(task, "env_cfg_entry_point"), "env"),
        *collect_presets(load_cfg_from_registry(task, entry_point), "agent"),
    }
    return [item for item in dotted if not _chooses(item, presets)]


def _chooses(item: str, presets: set[str]) -> bool:
    """Whether an override names an alternative at the path of a preset; numbers and the like replace its value."""
    key, _, text = item.partition("=")
    return key in presets and text.isidentifier() and text.lower() not in (*NOTHING, "true", "false")


def _member(item: str, path: str, owner: Any, name: str) -> Any:
    """Field of a section or entry of a dictionary.

    Raises:
        UserError: If there is none of this name; with the nearest ones.
    """
    members = owner if isinstance(owner, Mapping) else vars(owner) if _is_section(owner) else None
    if members is None:
        raise UserError(f"{item}: {path} holds one value, no settings; give it as a whole, {path}=VALUE.")
    if name not in members:
        known = _names(owner)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        nearest = f"the nearest are {', '.join(near)}" if near else f"there are {', '.join(known)}"
        raise UserError(f"{item}: {path} has no setting {name!r}; {nearest}.")
    return members[name]


def _is_section(value: Any) -> bool:
    """Whether a value is a configuration class of Isaac Lab or rsl_rl."""
    return hasattr(value, "__dataclass_fields__")


def _names(owner: Any) -> list[str]:
    """Names of the settings of a section or the entries of a dictionary."""
    members = owner if isinstance(owner, Mapping) else vars(owner)
    return [str(name) for name in members if not str(name).startswith("_")]


def _trouble(error: BaseException) -> str:
    """First line of Isaac Lab's message about an override, and the presets it lists below, if it does."""
    lines = str(error.args[0] if error.args else error).strip().splitlines() or [type(error).__name__]
    below = [line.strip() for line in lines[1:] if line.startswith("  ")]
    presets = [line for line in below if not line.startswith(("->", "..."))]
    return lines[0] + (f"; available: {', '.join(presets)}" if presets else "")
