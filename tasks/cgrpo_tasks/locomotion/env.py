# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Environment that the locomotion tasks share: Gymnasium's rules over Isaac Lab's physics."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from isaaclab.assets import Articulation
from isaaclab.envs import DirectRLEnv

from .env_cfg import LocomotionEnvCfg


@dataclass(frozen=True)
class ObservationTerm:
    """A part of the observation."""

    name: str
    size: int
    unit: str
    clip: tuple[float, float] | None = None


class LocomotionEnv(DirectRLEnv):
    """E robots that are to run in the direction of x, in MuJoCo's coordinates and order.

    ``extras["outcome_value"]`` maps each reward term, named as in Gymnasium's ``info``, to its sum over env e's most
    recently finished episode, float ``[E]``.

    Attributes:
        qpos: Positions after the last step or reset, as MuJoCo lays them out, float ``[E, nq]``.
        qvel: Velocities, likewise, float ``[E, nv]``.
    """

    cfg: LocomotionEnvCfg

    ACTUATORS: ClassVar[dict[str, float]]
    """Joints in the order of the actions with the effort [N m] of action 1."""

    JOINTS: ClassVar[tuple[str, ...]]
    """Isaac Lab's names of all joints but a free one, in MuJoCo's order."""

    def __init__(self, cfg: LocomotionEnvCfg, render_mode: str | None = None, **kwargs) -> None:
        """Create the robots.

        Args:
            cfg: Rules and physics.
            render_mode: See :class:`isaaclab.envs.DirectRLEnv`.
            **kwargs: Passed on to it.
        """
        super().__init__(cfg, render_mode, **kwargs)
        self.robot: Articulation = self.scene["robot"]
        self._joints = self._joint_ids(self.JOINTS)
        self._actuated = self._joint_ids(self.ACTUATORS)
        self._gear = torch.tensor(list(self.ACTUATORS.values()), device=self.device)
        self.actions = torch.zeros(self.num_envs, len(self.ACTUATORS), device=self.device)
        # Buffers that resets write to are made here and kept: torch refuses to write outside of its inference mode to
        # what was made inside, as rollouts are.
        self._efforts = self.robot.actuators.output_command.effort.torch
        self.qpos, self.qvel = self._read_state()
        self._forward_velocity = torch.zeros(self.num_envs, device=self.device)
        self._sums = {name: torch.zeros(self.num_envs, device=self.device) for name in self._reward_names()}
        self.extras["outcome_value"] = {name: torch.zeros_like(total) for name, total in self._sums.items()}

    def _joint_ids(self, names: Iterable[str]) -> torch.Tensor:
        """Isaac Lab's indices of joints; on the device, where indexing with them does not wait for the host."""
        ids, _ = self.robot.find_joints(list(names), preserve_order=True)
        return torch.tensor(ids, device=self.device)

    @classmethod
    @abstractmethod
    def observation_terms(cls, cfg: LocomotionEnvCfg) -> list[ObservationTerm]:
        """Return the parts of the observation in their order."""

    @abstractmethod
    def _read_state(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return positions ``[E, nq]`` and velocities ``[E, nv]`` in MuJoCo's layout."""

    @abstractmethod
    def _write_state(self, env_ids: torch.Tensor, qpos: torch.Tensor, qvel: torch.Tensor) -> None:
        """Move the robots of some envs, K in number, to ``qpos`` ``[K, nq]`` and ``qvel`` ``[K, nv]``."""

    @abstractmethod
    def _draw_start(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw ``count`` random starts, positions ``[K, nq]`` and velocities ``[K, nv]``."""

    @abstractmethod
    def _forward_progress(self, qpos_before: torch.Tensor) -> torch.Tensor:
        """Return how far [m] the robots came in this step, ``[E]``."""

    @abstractmethod
    def _is_healthy(self) -> torch.Tensor:
        """Return whether episodes may go on, bool ``[E]``."""

    @abstractmethod
    def _reward_names(self) -> tuple[str, ...]:
        """Return the names of the reward terms."""

    @abstractmethod
    def _reward_terms(self) -> dict[str, torch.Tensor]:
        """Return the terms that are summed to the reward, each ``[E]``."""

    def set_state(self, env_ids: torch.Tensor, qpos: torch.Tensor, qvel: torch.Tensor) -> None:
        """Put robots into states, as ``set_state`` of Gymnasium's environments.

        Args:
            env_ids: Envs, int ``[K]``.
            qpos: Positions in MuJoCo's layout, ``[K, nq]``.
            qvel: Velocities in MuJoCo's layout, ``[K, nv]``.
        """
        self.qpos[env_ids], self.qvel[env_ids] = qpos, qvel
        self._write_state(env_ids, qpos, qvel)

    def copy_starts(self, env_ids: torch.Tensor, source_ids: torch.Tensor) -> None:
        """Put envs, int ``[K]``, into the states of others ``[K]``; :mod:`cgrpo_app.group_resets` asks for it."""
        self.set_state(env_ids, self.qpos[source_ids], self.qvel[source_ids])

    def policy_description(self) -> dict[str, list[dict[str, Any]]]:
        """Describe the policy's input and output in the words of :func:`cgrpo_app.env_description.describe_env`."""
        observations = [
            {
                "name": term.name,
                "group": "policy",
                "size": term.size,
                "scale": 1.0,
                "clip": None if term.clip is None else list(term.clip),
                "unit": term.unit,
                "note": "in MuJoCo's order, as in the official observation",
            }
            for term in self.observation_terms(self.cfg)
        ]
        size = len(self.ACTUATORS)
        action = {
            "name": "joint_effort",
            "kind": "JointEffortAction",
            "size": size,
            "joint_names": list(self.ACTUATORS),
            "scale": list(self.ACTUATORS.values()),
            "offset": [0.0] * size,
            "clip": [[-effort, effort] for effort in self.ACTUATORS.values()],
        }
        return {"observations": observations, "actions": [action]}

    def _pre_physics_step(self, actions: torch.Tensor) -> None:
        # Gymnasium's action space ends at -1 and 1; what lies beyond is neither applied nor paid for.
        self.actions.copy_(actions.clamp(-1.0, 1.0))

    def _apply_action(self) -> None:
        # The robot has no actuator models that would turn target commands into these.
        self._efforts[:, self._actuated] = self._gear * self.actions

    def _get_dones(self) -> tuple[torch.Tensor, torch.Tensor]:
        before = self.qpos.clone()
        for buffer, value in zip((self.qpos, self.qvel), self._read_state(), strict=True):
            buffer.copy_(value)
        self._forward_velocity = self._forward_progress(before) / self.step_dt
        return ~self._is_healthy(), self.episode_length_buf >= self.max_episode_length

    def _get_rewards(self) -> torch.Tensor:
        terms = self._reward_terms()
        for name, term in terms.items():
            self._sums[name] += term
        return functools.reduce(torch.add, terms.values())

    def _control_reward(self) -> torch.Tensor:
        """Return what the actions cost, with negative sign, ``[E]``."""
        return -self.cfg.ctrl_cost_weight * self.actions.square().sum(dim=-1)

    def _survival(self) -> torch.Tensor:
        """Reward for not having fallen, ``[E]``, for tasks of :class:`UprightEnvCfg`."""
        if self.cfg.survives_last_step:
            return torch.full((self.num_envs,), self.cfg.healthy_reward, device=self.device)
        return self.cfg.healthy_reward * (~self.reset_terminated)

    def _reset_idx(self, env_ids: Sequence[int]) -> None:
        for name, published in self.extras.get("outcome_value", {}).items():
            published[env_ids] = self._sums[name][env_ids]
            self._sums[name][env_ids] = 0.0
        super()._reset_idx(env_ids)
        self.set_state(env_ids, *self._draw_start(len(env_ids)))

    def _get_observations(self) -> dict[str, torch.Tensor]:
        return {"policy": self._observe()}

    @abstractmethod
    def _observe(self) -> torch.Tensor:
        """Return the observation, ``[E, D]``."""

    def _uniform(self, count: int, size: int) -> torch.Tensor:
        """Draw the uniform noise of starts, ``[K, size]``."""
        scale = self.cfg.reset_noise_scale
        return torch.empty(count, size, device=self.device).uniform_(-scale, scale)
