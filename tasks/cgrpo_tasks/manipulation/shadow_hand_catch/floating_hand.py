# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""One of the hands as the task sees it: joints in the source's order, fingertips, palm and base."""

from __future__ import annotations

import torch

from isaaclab.assets import Articulation
from isaaclab.utils.math import euler_xyz_from_quat, quat_apply_inverse, quat_mul

from cgrpo_tasks.assets.shadow_hand_catch import BASE_JOINT_NAMES, MOUNT_IN_BASE
from cgrpo_tasks.assets.shadow_hand_mjcf import ACTUATED_JOINTS, FINGERTIPS, JOINTS


class FloatingHand:
    """Reads and commands E hands.

    Attributes:
        joint_limits: Lower and upper limits of the 24 joints [rad], ``[2, 24]``.
        target_limits: Those of the 20 joints with an actuator, ``[2, 20]``.
    """

    def __init__(self, articulation: Articulation, physics, prim_name: str) -> None:
        """Look names up.

        Args:
            articulation: The hands.
            physics: Physics manager, which keeps the fields of ``MjData``.
            prim_name: Name of the hand's prim in an environment.
        """
        self._hand, self._physics, device = articulation, physics, articulation.device

        def ids(found: tuple[list[int], list[str]]) -> torch.Tensor:
            # On the device, where indexing with them does not wait for the host.
            return torch.tensor(found[0], device=device)

        self._joints = ids(articulation.find_joints(list(JOINTS), preserve_order=True))
        self._base_joints = ids(articulation.find_joints(list(BASE_JOINT_NAMES), preserve_order=True))
        self._all_joints = torch.cat((self._base_joints, self._joints))
        self._actuated = ids(articulation.find_joints(list(ACTUATED_JOINTS), preserve_order=True))
        self._among_joints = torch.tensor([JOINTS.index(name) for name in ACTUATED_JOINTS], device=device)
        self._tips = ids(articulation.find_bodies(list(FINGERTIPS), preserve_order=True))
        self._mount, self._forearm, self._palm = (
            ids(articulation.find_bodies([name])) for name in ("hand_mount", "forearm", "palm")
        )
        bodies = physics.mujoco_body_ids(["hand_mount", *FINGERTIPS], below=prim_name)
        self._mujoco_root, self._mujoco_tips = bodies[0], torch.tensor(bodies[1:], device=device)
        self._mount_in_base = torch.tensor(MOUNT_IN_BASE, device=device)
        self.joint_limits = articulation.data.joint_pos_limits.torch[0, self._joints].T.contiguous()
        self.target_limits = self.joint_limits[:, self._among_joints]
        self._stiffness = articulation.data.joint_stiffness.torch[0, self._actuated]
        self._effort_limit = articulation.data.joint_effort_limits.torch[0, self._actuated]

    @property
    def qpos(self) -> torch.Tensor:
        """Positions of the base [m, rad] and of the joints [rad], ``[E, 6 + 24]``."""
        return self._hand.data.joint_pos.torch[:, self._all_joints]

    @property
    def qvel(self) -> torch.Tensor:
        """Velocities of the base [m/s, rad/s] and of the joints [rad/s], ``[E, 6 + 24]``."""
        return self._hand.data.joint_vel.torch[:, self._all_joints]

    @property
    def palm_position(self) -> torch.Tensor:
        """Positions of the palms [m], ``[E, 3]``."""
        return self._hand.data.body_link_pos_w.torch[:, self._palm].squeeze(1)

    @property
    def base_pose(self) -> torch.Tensor:
        """Positions [m] and roll, pitch, yaw [rad] in (-pi, pi] of the bases, ``[E, 6]``."""
        pose = self._hand.data.body_link_pose_w.torch[:, self._mount].squeeze(1)
        # The mount's rotation in the base is half a turn, its own inverse up to the sign, which angles do not show.
        rotation = quat_mul(pose[:, 3:], self._mount_in_base.expand(len(pose), 4))
        return torch.cat((pose[:, :3], torch.stack(euler_xyz_from_quat(rotation), dim=-1)), dim=-1)

    @property
    def fingertip_state(self) -> torch.Tensor:
        """Position [m], quaternion (x, y, z, w), velocity [m/s] and angular velocity [rad/s], ``[E, 5, 13]``."""
        pose, velocity = self._hand.data.body_link_pose_w.torch, self._hand.data.body_link_vel_w.torch
        return torch.cat((pose[:, self._tips], velocity[:, self._tips]), dim=-1)

    def drive_torque(self, targets: torch.Tensor) -> torch.Tensor:
        """Return the torques [N m] of the joints' actuators at the present positions, ``[E, 24]``.

        Args:
            targets: Target positions [rad], ``[E, 20]``.
        """
        positions = self._hand.data.joint_pos.torch
        torque = self._stiffness * (targets - positions[:, self._actuated])
        torques = positions.new_zeros(len(positions), len(JOINTS))
        torques[:, self._among_joints] = torque.clamp(-self._effort_limit, self._effort_limit)
        return torques

    def fingertip_wrench(self) -> torch.Tensor:
        """Return contact forces [N] and torques [N m] about the fingertips' origins, in their frames, ``[E, 5, 6]``.

        They are those of the last physics step.
        """
        about_centre = self._physics.mjdata_field("cfrc_ext")[:, self._mujoco_tips]
        torque, force = about_centre[..., :3], about_centre[..., 3:]
        centre = self._physics.mjdata_field("subtree_com")[:, self._mujoco_root].unsqueeze(1)
        arm = centre - self._physics.mjdata_field("xpos")[:, self._mujoco_tips]
        torque = torque + torch.linalg.cross(arm, force)
        rotation = self._hand.data.body_link_quat_w.torch[:, self._tips]
        return torch.cat((quat_apply_inverse(rotation, force), quat_apply_inverse(rotation, torque)), dim=-1)

    def command(self, targets: torch.Tensor, force: torch.Tensor, torque: torch.Tensor) -> None:
        """Command the actuators, and push and turn the forearms about their centres of mass.

        Args:
            targets: Target positions [rad], ``[E, 20]``.
            force: In the world frame [N], ``[E, 3]``.
            torque: In the world frame [N m], ``[E, 3]``.
        """
        self._hand.actuators.target_command.set_position_index(value=targets, joint_ids=self._actuated)
        self._hand.permanent_wrench_composer.set_forces_and_torques_index(
            forces=force.unsqueeze(1), torques=torque.unsqueeze(1), body_ids=self._forearm, is_global=True
        )

    def set_state(self, env_ids: torch.Tensor, qpos: torch.Tensor, qvel: torch.Tensor) -> None:
        """Put hands into states.

        Args:
            env_ids: Envs, int ``[K]``.
            qpos: As :attr:`qpos`, ``[K, 30]``.
            qvel: As :attr:`qvel`, ``[K, 30]``.
        """
        self._hand.write_joint_state_to_sim_index(
            position=qpos, velocity=qvel, joint_ids=self._all_joints, env_ids=env_ids
        )
