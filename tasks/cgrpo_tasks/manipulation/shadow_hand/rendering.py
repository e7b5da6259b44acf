# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Picture of the block task: some of the hands side by side, each with its goal as a ghost above, drawn by MuJoCo."""

from __future__ import annotations

import math

import mujoco
import numpy as np

from cgrpo_tasks.assets.shadow_hand_mjcf import JOINTS, PREFIX, scene_spec

from .env import HAND, ShadowHandBlockEnv

SPACING = 0.35
"""Distance between neighbouring hands [m]."""

GHOST_OFFSET = (0.0, -0.02, 0.09)
"""How far the ghost floats from where the goal is, or over the block where the place is ignored [m]."""

CENTRE = (1.0, 0.95, 0.16)
"""Point between a hand and its ghost [m]."""


class BlockScene:
    """MuJoCo model for rendering; it is never stepped.

    Attributes:
        model: Hands, blocks, goals and light.
        camera: View of all of them.
    """

    def __init__(self, env: ShadowHandBlockEnv, env_ids: list[int], width: int, height: int) -> None:
        """Compile the model.

        Args:
            env: The unwrapped environment.
            env_ids: Environments to show.
            width: Width of the pictures [pixel].
            height: Height of the pictures [pixel].
        """
        self._env, self._env_ids = env, env_ids
        self._origins = _origins(len(env_ids))
        self.model = _build(self._origins, width, height).compile()
        self._data = mujoco.MjData(self.model)
        joints = [f"{PREFIX}{name}" for name in JOINTS]
        prefixes = [f"env{i}/" for i in range(len(env_ids))]
        self._joints = np.array([[self.model.joint(p + name).qposadr[0] for name in joints] for p in prefixes])
        self._blocks = np.array([self.model.joint(f"{p}object:joint").qposadr[0] for p in prefixes])
        self._ghosts = np.array([self.model.joint(f"{p}target:joint").qposadr[0] for p in prefixes])
        self.camera = mujoco.MjvCamera()
        self.camera.lookat = self._origins.mean(axis=0) + CENTRE
        self.camera.distance = 0.4 + 0.3 * math.ceil(math.sqrt(len(env_ids)))
        self.camera.azimuth, self.camera.elevation = 55.0, -35.0

    def update(self) -> mujoco.MjData:
        """Take over the current states and goals."""
        qpos = self._env.qpos[self._env_ids].cpu().numpy()
        goal = self._env.goal[self._env_ids].cpu().numpy().copy()
        if self._env.cfg.target_position == "ignore":
            goal[:, :3] = qpos[:, HAND : HAND + 3]
        self._data.qpos[self._joints] = qpos[:, :HAND]
        for addresses, pose, offset in ((self._blocks, qpos[:, HAND:], 0.0), (self._ghosts, goal, GHOST_OFFSET)):
            columns = addresses[:, None] + np.arange(7)
            self._data.qpos[columns] = np.concatenate((pose[:, :3] + self._origins + offset, pose[:, 3:]), axis=1)
        mujoco.mj_kinematics(self.model, self._data)
        mujoco.mj_camlight(self.model, self._data)
        return self._data


def _origins(count: int) -> np.ndarray:
    """Places of the hands on a square grid [m], shape [count, 3]."""
    columns = math.ceil(math.sqrt(count))
    return np.array([[SPACING * (i % columns), 1.6 * SPACING * (i // columns), 0.0] for i in range(count)])


def _build(origins: np.ndarray, width: int, height: int) -> mujoco.MjSpec:
    """Describe the scene."""
    spec = mujoco.MjSpec()
    spec.visual.global_.offwidth, spec.visual.global_.offheight = width, height
    spec.visual.headlight.ambient, spec.visual.headlight.diffuse = [0.35] * 3, [0.35] * 3
    spec.visual.map.znear = 0.005
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.93, 0.95, 0.98],
        rgb2=[0.70, 0.76, 0.84],
        width=256,
        height=256,
    )
    above = origins.mean(axis=0) + CENTRE + np.array([0.5, -0.5, 2.0])
    spec.worldbody.add_light(
        type=mujoco.mjtLightType.mjLIGHT_SPOT,
        pos=above,
        dir=origins.mean(axis=0) + CENTRE - above,
        cutoff=60.0,
        exponent=0.0,
        diffuse=[0.6] * 3,
        castshadow=True,
    )
    for i, origin in enumerate(origins):
        hand = scene_spec()
        for element in [hand.geom("floor0"), *(texture for texture in hand.textures if not texture.name)]:
            hand.delete(element)
        # MuJoCo warns where what concerns the whole model differs.
        hand.nuser_jnt, hand.nuser_site, hand.nuser_tendon = spec.nuser_jnt, spec.nuser_site, spec.nuser_tendon
        hand.nuser_actuator, hand.nuser_sensor = spec.nuser_actuator, spec.nuser_sensor
        hand.option.iterations = spec.option.iterations
        spec.attach(hand, prefix=f"env{i}/", frame=spec.worldbody.add_frame(pos=origin))
    return spec
