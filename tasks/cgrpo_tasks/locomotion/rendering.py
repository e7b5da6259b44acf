# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Picture of the locomotion tasks: some of the robots side by side on one floor, drawn by MuJoCo."""

import mujoco
import numpy as np

from cgrpo_tasks.assets.mujoco_locomotion import gymnasium_mjcf_path
from cgrpo_tasks.studio import Scene, make_studio

from .env import LocomotionEnv

SPACING = 2.0
"""Distance between neighbouring tracks [m]."""

TILE = 1.0
"""Edge of the floor's tiles [m], by which the eye judges speed."""


class LocomotionScene(Scene):
    """Robots on parallel tracks; the camera runs along with their mean position."""

    def __init__(self, env: LocomotionEnv, env_ids: list[int], width: int, height: int) -> None:
        """Compile the model.

        Args:
            env: The unwrapped environment.
            env_ids: Environments to show.
            width: Width of the pictures [pixel].
            height: Height of the pictures [pixel].
        """
        self._env, self._env_ids = env, env_ids
        source = str(gymnasium_mjcf_path(env.cfg.scene.robot.spawn.model))
        super().__init__(_build(source, len(env_ids), width, height))
        # A free robot has its place among its coordinates, one on rails in the frame it is attached to.
        free = self.model.jnt_type[0] == mujoco.mjtJoint.mjJNT_FREE
        self._sideways = SPACING * np.arange(len(env_ids)) if free else np.zeros(len(env_ids))
        self.camera.distance, self.camera.azimuth, self.camera.elevation = 4.0 + len(env_ids), 60.0, -15.0

    def _copy_state(self) -> None:
        qpos = self._env.qpos[self._env_ids].cpu().numpy().astype(np.float64)
        qpos[:, 1] += self._sideways
        self._data.qpos[:] = qpos.flatten()
        self.camera.lookat = [qpos[:, 0].mean(), 0.5 * SPACING * (len(qpos) - 1), 0.5]


def _build(source: str, count: int, width: int, height: int) -> mujoco.MjSpec:
    """Describe the scene."""
    spec = make_studio(width, height, diffuse=0.4)
    spec.visual.map.zfar = 100.0
    _add_floor(spec)
    for i in range(count):
        robot = mujoco.MjSpec.from_file(source)
        for element in [*robot.lights, *robot.cameras, robot.geom("floor")]:
            robot.delete(element)
        # MuJoCo warns where what concerns the whole model differs.
        robot.nuser_geom = spec.nuser_geom
        robot.option.timestep, robot.option.integrator = spec.option.timestep, spec.option.integrator
        spec.attach(robot, prefix=f"env{i}/", frame=spec.worldbody.add_frame(pos=[0.0, SPACING * i, 0.0]))
    return spec


def _add_floor(spec: mujoco.MjSpec) -> None:
    """Endless chequered floor and a sun: a lamp would stay behind."""
    spec.add_texture(
        name="tiles",
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        rgb1=[0.82, 0.85, 0.88],
        rgb2=[0.72, 0.76, 0.80],
        width=256,
        height=256,
    )
    tiles = spec.add_material(name="tiles", texrepeat=[0.5 / TILE, 0.5 / TILE], texuniform=True)
    tiles.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "tiles"
    world = spec.worldbody
    world.add_light(
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        pos=[0, 0, 4],
        dir=[-0.35, 0.3, -1.0],
        diffuse=[0.6] * 3,
        castshadow=True,
    )
    world.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1], material="tiles")
