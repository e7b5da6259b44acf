# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Picture of the reaching task: some of the arms side by side, each with its table and goal, drawn by MuJoCo."""

import math

import mujoco
import numpy as np

from isaaclab.envs import ManagerBasedRLEnv

from cgrpo_tasks.assets.panda import panda_mjcf_path
from cgrpo_tasks.studio import Scene, add_lamp, make_studio

SPACING = 1.5
"""Distance between neighbouring arms [m]."""

TABLE_HALF_SIZE = (0.45, 0.65, 0.05)
"""Only the top of the table is drawn [m]."""


class ReachScene(Scene):
    """Arms on a square grid, each with its table and goal."""

    def __init__(self, env: ManagerBasedRLEnv, env_ids: list[int], width: int, height: int) -> None:
        """Compile the model.

        Args:
            env: The unwrapped environment.
            env_ids: Environments to show.
            width: Width of the pictures [pixel].
            height: Height of the pictures [pixel].
        """
        self._env, self._env_ids = env, env_ids
        super().__init__(_build(len(env_ids), width, height))
        robot = env.scene["robot"]
        self._joints = np.array(
            [[self.model.joint(f"env{i}/{name}").qposadr[0] for name in robot.joint_names] for i in range(len(env_ids))]
        )
        self._goals = np.array([self.model.body(f"goal{i}").mocapid[0] for i in range(len(env_ids))])
        self._origins = _origins(len(env_ids))
        self.camera.lookat = [*(self._origins.mean(axis=0)[:2] + [0.35, 0.0]), 0.3]
        columns = math.ceil(math.sqrt(len(env_ids)))
        self.camera.distance, self.camera.azimuth, self.camera.elevation = 1.3 + 0.85 * columns, 140.0, -22.0

    def _copy_state(self) -> None:
        robot = self._env.scene["robot"]
        positions = robot.data.joint_pos.torch[self._env_ids].cpu().numpy()
        command = self._env.command_manager.get_command("ee_pose")[self._env_ids].cpu().numpy()
        self._data.qpos[self._joints] = positions
        self._data.mocap_pos[self._goals] = self._origins + command[:, :3]
        # Isaac Lab orders quaternions x y z w, MuJoCo w x y z.
        self._data.mocap_quat[self._goals] = command[:, [6, 3, 4, 5]]


def _origins(count: int) -> np.ndarray:
    """Places of the arms on a square grid [m], shape [count, 3]."""
    columns = math.ceil(math.sqrt(count))
    return np.array([[SPACING * (i // columns), SPACING * (i % columns), 0.0] for i in range(count)])


def _build(count: int, width: int, height: int) -> mujoco.MjSpec:
    """Describe the scene."""
    spec = make_studio(width, height)
    world = spec.worldbody
    centre = _origins(count).mean(axis=0)
    add_lamp(spec, centre + [1.5, -1.5, 6.0], centre)
    world.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[20, 20, 0.1], pos=[0, 0, -0.1], rgba=[0.86, 0.88, 0.9, 1])
    for i, origin in enumerate(_origins(count)):
        arm = mujoco.MjSpec.from_file(str(panda_mjcf_path()))
        # The source reserves user data for actuators that are gone; MuJoCo warns where the two specs differ.
        arm.nuser_actuator = spec.nuser_actuator
        spec.attach(arm, prefix=f"env{i}/", frame=world.add_frame(pos=origin))
        world.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=TABLE_HALF_SIZE,
            rgba=[0.55, 0.45, 0.36, 1],
            pos=origin + [0.5, 0.0, -TABLE_HALF_SIZE[2]],
        )
        _add_goal(world.add_body(name=f"goal{i}", mocap=True))
    return spec


def _add_goal(goal: mujoco.MjsBody) -> None:
    """Ball and three axes (red x, green y, blue z) at the commanded pose of the hand."""
    goal.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.022, 0, 0], rgba=[0.95, 0.55, 0.1, 0.9])
    for axis in np.eye(3):
        goal.add_geom(
            type=mujoco.mjtGeom.mjGEOM_CAPSULE,
            size=[0.006, 0, 0],
            fromto=[0, 0, 0, *(0.16 * axis)],
            rgba=[*(0.15 + 0.75 * axis), 1.0],
        )
