# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What a robot needs to know to use an exported policy: the layout of observations and actions, read from the env.

Isaac Lab's managers are asked; an environment without managers describes itself (``policy_description()``, see
:class:`cgrpo_tasks.locomotion.env.LocomotionEnv`), or only sizes are known.
"""

from typing import Any

import gymnasium as gym
import torch

from isaaclab.envs import DirectRLEnv, ManagerBasedRLEnv
from isaaclab.envs.mdp.actions.joint_actions import JointAction
from isaaclab.managers import ObservationTermCfg
from isaaclab.utils.string import string_to_callable

import cgrpo_lab


def observation_names(env: ManagerBasedRLEnv | DirectRLEnv) -> dict[str, list[str]]:
    """Name of every entry of each observation group, for example ``joint_pos[2]``."""
    if isinstance(env, DirectRLEnv):
        names: dict[str, list[str]] = {}
        for term in _described_by_itself(env)["observations"]:
            names.setdefault(term["group"], []).extend(f"{term['name']}[{i}]" for i in range(term["size"]))
        return names
    manager = env.observation_manager
    return {
        group: [
            f"{term}[{i}]"
            for term, shape in zip(terms, manager.group_obs_term_dim[group], strict=True)
            for i in range(torch.Size(shape).numel())
        ]
        for group, terms in manager.active_terms.items()
    }


def describe_env(env: ManagerBasedRLEnv | DirectRLEnv, task: str, obs_groups: list[str]) -> dict[str, Any]:
    """Metadata of a policy for this environment.

    Args:
        env: The unwrapped environment.
        task: Task id.
        obs_groups: Observation groups that the policy sees, in their order.

    Returns:
        Plain values: task, version, control rate [Hz], observation terms with size, scale, clip (of the scaled values)
        and unit in the order of the policy's input, and action terms with joint names, scale, offset and clip
        [rad or N m] in the order of its output; ``rules`` of the task where it registers a function ``describe_rules``
        that tells them.
    """
    if isinstance(env, DirectRLEnv):
        layout = _described_by_itself(env)
        layout["observations"] = [term for term in layout["observations"] if term["group"] in obs_groups]
    else:
        registered = gym.spec(task).kwargs
        layout = {
            "observations": _observation_terms(env, obs_groups, registered),
            "actions": [_action_term(env, name) for name in env.action_manager.active_terms],
        }
        if "describe_rules" in registered:
            layout["rules"] = string_to_callable(registered["describe_rules"])(env)
    return {
        "format": "cgrpo_lab.policy/1",
        "version": cgrpo_lab.__version__,
        "task": task,
        "control_rate_hz": 1.0 / env.step_dt,
        **layout,
    }


def _described_by_itself(env: DirectRLEnv) -> dict[str, list[dict[str, Any]]]:
    """What an environment without managers says of its policy; sizes alone where it has no ``policy_description``."""
    if hasattr(env, "policy_description"):
        return env.policy_description()
    unknown = {"scale": 1.0, "clip": None, "unit": "unspecified", "note": ""}
    sizes = {group: torch.Size(space.shape).numel() for group, space in env.single_observation_space.items()}
    observations = [{"name": group, "group": group, "size": size, **unknown} for group, size in sizes.items()]
    action = {"name": "action", "kind": type(env).__name__, "size": env.single_action_space.shape[0]}
    return {"observations": observations, "actions": [action]}


def _observation_terms(env: ManagerBasedRLEnv, groups: list[str], registered: dict[str, Any]) -> list[dict[str, Any]]:
    """Size, scale, clip, unit and meaning of each term; the last two as the task registers them."""
    units, notes = registered.get("observation_units", {}), registered.get("observation_notes", {})
    manager = env.observation_manager
    terms = []
    for group in groups:
        group_cfg = vars(env.cfg.observations)[group]
        for name, shape in zip(manager.active_terms[group], manager.group_obs_term_dim[group], strict=True):
            scale, clip = _scale_and_clip(vars(group_cfg)[name])
            terms.append(
                {
                    "name": name,
                    "group": group,
                    "size": torch.Size(shape).numel(),
                    "scale": scale,
                    "clip": clip,
                    "unit": units.get(name, "unspecified"),
                    "note": notes.get(name, ""),
                }
            )
    return terms


def _scale_and_clip(cfg: ObservationTermCfg) -> tuple[float | list[float], list | None]:
    """Scale of a term and limits of the scaled values, low and high, each one number or one per entry.

    Isaac Lab's managers clip before they scale.
    """
    scale = 1.0 if cfg.scale is None else cfg.scale
    if not cfg.clip:
        return _plain(scale), None
    ends = torch.stack([bound * torch.as_tensor(scale) for bound in cfg.clip])
    # A negative scale exchanges the ends.
    return _plain(scale), ends.sort(dim=0).values.tolist()


def _action_term(env: ManagerBasedRLEnv, name: str) -> dict[str, Any]:
    """Joint names in order and the affine map from the policy's output to the joint command."""
    term = env.action_manager.get_term(name)
    description: dict[str, Any] = {"name": name, "kind": type(term).__name__, "size": term.action_dim}
    if isinstance(term, JointAction):
        io = term.IO_descriptor
        description |= {
            "joint_names": list(io.joint_names),
            "scale": _per_joint(io.scale, term.action_dim),
            "offset": _per_joint(io.offset, term.action_dim),
            "clip": _plain(io.clip),
        }
    return description


def _per_joint(value: float | list | torch.Tensor, size: int) -> list[float]:
    """One number per joint; Isaac Lab keeps per-joint values with a leading env dimension."""
    if isinstance(value, torch.Tensor):
        value = value[0].tolist() if value.dim() > 1 else value.tolist()
    return [float(value)] * size if isinstance(value, (int, float)) else [float(v) for v in value]


def _plain(value: Any) -> Any:
    """Numbers, lists and dictionaries without tensors or tuples."""
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    return value
