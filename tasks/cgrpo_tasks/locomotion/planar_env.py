# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Robots that move in the plane of x and z: two slides and a hinge, then the robot's own joints."""

from __future__ import annotations

from typing import ClassVar

import torch

from .env import LocomotionEnv, ObservationTerm

ROOT_JOINTS = ("rootx:0", "rootx:1", "rootx:2")
"""MuJoCo's ``rootx``, ``rootz`` and ``rooty``: Newton merges a body's joints into one and numbers its axes."""


class PlanarEnv(LocomotionEnv):
    """Environment of a robot whose joints are those of the root and the actuated ones, in the actions' order."""

    ROOT_HEIGHT: ClassVar[float]
    """``ref`` of the joint ``rootz`` [m], which Newton leaves out of the joint's position."""

    VELOCITY_CLIP: ClassVar[tuple[float, float] | None] = None
    """Limits [m/s, rad/s] of the observed velocities."""

    @classmethod
    def observation_terms(cls, cfg) -> list[ObservationTerm]:
        """All positions but x, then all velocities."""
        joints, clip = len(cls.ACTUATORS), cls.VELOCITY_CLIP
        return [
            ObservationTerm("root_height", 1, "m"),
            ObservationTerm("root_pitch", 1, "rad"),
            ObservationTerm("joint_pos", joints, "rad"),
            ObservationTerm("root_lin_vel", 2, "m/s", clip),
            ObservationTerm("root_pitch_rate", 1, "rad/s", clip),
            ObservationTerm("joint_vel", joints, "rad/s", clip),
        ]

    def _read_state(self) -> tuple[torch.Tensor, torch.Tensor]:
        qpos = self.robot.data.joint_pos.torch.index_select(1, self._joints)
        qpos[:, 1] += self.ROOT_HEIGHT
        return qpos, self.robot.data.joint_vel.torch.index_select(1, self._joints)

    def _write_state(self, env_ids: torch.Tensor, qpos: torch.Tensor, qvel: torch.Tensor) -> None:
        position = qpos.clone()
        position[:, 1] -= self.ROOT_HEIGHT
        self.robot.write_joint_state_to_sim_index(
            position=position, velocity=qvel, joint_ids=self._joints, env_ids=env_ids
        )

    def _start_position(self, count: int) -> torch.Tensor:
        """Draw positions ``[K, nq]`` around the upright posture."""
        qpos = self._uniform(count, len(self.JOINTS))
        qpos[:, 1] += self.ROOT_HEIGHT
        return qpos

    def _forward_progress(self, qpos_before: torch.Tensor) -> torch.Tensor:
        return self.qpos[:, 0] - qpos_before[:, 0]

    def _observe(self) -> torch.Tensor:
        qvel = self.qvel if self.VELOCITY_CLIP is None else self.qvel.clamp(*self.VELOCITY_CLIP)
        return torch.cat((self.qpos[:, 1:], qvel), dim=-1)
