# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Picture of the block task: some of the hands side by side, each with its goal as a ghost above, drawn by MuJoCo."""

from __future__ import annotations

import math

import mujoco
import numpy as np

from cgrpo_tasks.assets.shadow_hand_mjcf import JOINTS, PREFIX, scene_spec
from cgrpo_tasks.studio import Scene, add_lamp, make_studio

from .env import HAND, ShadowHandBlockEnv

SPACING = 0.35
"""Distance between neighbouring hands [m]."""

GHOST_OFFSET = (0.0, -0.02, 0.09)
"""How far the ghost floats from where the goal is, or over the block where the place is ignored [m]."""

CENTRE = (1.0, 0.95, 0.16)
"""Point between a hand and its ghost [m]."""


class BlockScene(Scene):
    """Hands with their blocks and goals on a square grid."""

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
        super().__init__(_build(self._origins, width, height))
        joints = [f"{PREFIX}{name}" for name in JOINTS]
        prefixes = [f"env{i}/" for i in range(len(env_ids))]
        self._joints = np.array([[self.model.joint(p + name).qposadr[0] for name in joints] for p in prefixes])
        self._blocks = np.array([self.model.joint(f"{p}object:joint").qposadr[0] for p in prefixes])
        self._ghosts = np.array([self.model.joint(f"{p}target:joint").qposadr[0] for p in prefixes])
        self.camera.lookat = self._origins.mean(axis=0) + CENTRE
        self.camera.distance = 0.4 + 0.3 * math.ceil(math.sqrt(len(env_ids)))
        self.camera.azimuth, self.camera.elevation = 55.0, -35.0

    def _copy_state(self) -> None:
        qpos = self._env.qpos[self._env_ids].cpu().numpy()
        goal = self._env.goal[self._env_ids].cpu().numpy().copy()
        if self._env.cfg.target_position == "ignore":
            goal[:, :3] = qpos[:, HAND : HAND + 3]
        self._data.qpos[self._joints] = qpos[:, :HAND]
        for addresses, pose, offset in ((self._blocks, qpos[:, HAND:], 0.0), (self._ghosts, goal, GHOST_OFFSET)):
            columns = addresses[:, None] + np.arange(7)
            self._data.qpos[columns] = np.concatenate((pose[:, :3] + self._origins + offset, pose[:, 3:]), axis=1)


def _origins(count: int) -> np.ndarray:
    """Places of the hands on a square grid [m], shape [count, 3]."""
    columns = math.ceil(math.sqrt(count))
    return np.array([[SPACING * (i % columns), 1.6 * SPACING * (i // columns), 0.0] for i in range(count)])


def _build(origins: np.ndarray, width: int, height: int) -> mujoco.MjSpec:
    """Describe the scene."""
    spec = make_studio(width, height, ambient=0.35, diffuse=0.35)
    spec.visual.map.znear = 0.005
    centre = origins.mean(axis=0) + CENTRE
    add_lamp(spec, centre + [0.5, -0.5, 2.0], centre)
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
