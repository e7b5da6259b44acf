# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Picture of the catching task: pairs of hands side by side, each with its object and the goal, drawn by MuJoCo."""

import mujoco
import numpy as np

from cgrpo_tasks.assets import shadow_hand_catch_mjcf as models
from cgrpo_tasks.assets.shadow_hand_catch import SIDES, hand_cfg
from cgrpo_tasks.assets.shadow_hand_mjcf import JOINTS
from cgrpo_tasks.studio import Scene, add_lamp, make_studio

from .env import ShadowHandCatchEnv

SPACING = 0.9
"""Distance between neighbouring pairs [m]."""

COLOURS = {"object": (0.95, 0.55, 0.1, 1.0), "goal": (0.2, 0.75, 0.3, 0.45)}
"""Colours (red, green, blue, opacity)."""


class CatchScene(Scene):
    """Pairs of hands in a row, with their objects and goals."""

    def __init__(self, env: ShadowHandCatchEnv, env_ids: list[int], width: int, height: int) -> None:
        """Compile the model.

        Args:
            env: The unwrapped environment.
            env_ids: Environments to show.
            width: Width of the pictures [pixel].
            height: Height of the pictures [pixel].
        """
        self._env, self._env_ids = env, env_ids
        shape = env.cfg.scene.object.spawn.spec.split(":")[1]
        super().__init__(_build(shape, len(env_ids), width, height))
        names = (*models.BASE_JOINTS, *JOINTS)
        self._joints = np.array(
            [
                [[self.model.joint(f"env{i}/{side}/{name}").qposadr[0] for name in names] for i in range(len(env_ids))]
                for side in SIDES
            ]
        )
        self._bodies = {
            name: np.array([self.model.body(f"env{i}/{name}").mocapid[0] for i in range(len(env_ids))])
            for name in COLOURS
        }
        self._origins = np.array([[SPACING * i, 0.0, 0.0] for i in range(len(env_ids))])
        self.camera.lookat = [*(self._origins.mean(axis=0)[:2] + [-0.3, -0.85]), 0.5]
        self.camera.distance, self.camera.azimuth, self.camera.elevation = 0.55 + 0.45 * len(env_ids), 25.0, -38.0

    def _copy_state(self) -> None:
        env = self._env
        for addresses, hand in zip(self._joints, env.hands, strict=True):
            self._data.qpos[addresses] = hand.qpos[self._env_ids].cpu().numpy()
        pose = env.object.data.root_link_pose_w.torch[self._env_ids].cpu().numpy()
        self._place("object", pose[:, :3], pose[:, 3:])
        self._place("goal", env.goal_position.cpu().numpy(), env.goal_rotation[self._env_ids].cpu().numpy())

    def _place(self, name: str, position: np.ndarray, rotation: np.ndarray) -> None:
        """Move objects or goals; Isaac Lab orders quaternions x y z w, MuJoCo w x y z."""
        self._data.mocap_pos[self._bodies[name]] = self._origins + position
        self._data.mocap_quat[self._bodies[name]] = rotation[:, [3, 0, 1, 2]]


def _build(shape: str, count: int, width: int, height: int) -> mujoco.MjSpec:
    """Describe the scene."""
    spec = make_studio(width, height)
    world = spec.worldbody
    middle = 0.5 * SPACING * (count - 1)
    lamp = np.array([middle + 1.0, -0.2, 5.0])
    add_lamp(spec, lamp, lamp + [-1.3, -0.65, -4.5])
    world.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[20, 20, 0.1], rgba=[0.72, 0.75, 0.78, 1])
    for i in range(count):
        frame = world.add_frame(pos=[SPACING * i, 0.0, 0.0])
        for side in SIDES:
            _attach_hand(spec, frame, side, f"env{i}/{side}/")
        for name, colour in COLOURS.items():
            _add_marker(spec, frame, shape, f"env{i}/{name}", colour)
    return spec


def _attach_hand(spec: mujoco.MjSpec, frame: mujoco.MjsFrame, side: str, prefix: str) -> None:
    """Add a hand, with the meshes that are only seen and without those that collide."""
    hand = models.floating_hand_spec(visuals=True)
    for geom in hand.geoms:
        if geom.name.startswith("C_"):
            hand.delete(geom)
    for pair in hand.pairs:
        hand.delete(pair)
    # MuJoCo warns where what concerns the whole model differs.
    hand.option.iterations, hand.option.timestep = spec.option.iterations, spec.option.timestep
    for field in ("njmax", "nconmax", "nuser_jnt", "nuser_site", "nuser_tendon", "nuser_actuator", "nuser_sensor"):
        setattr(hand, field, getattr(spec, field))
    start = hand_cfg(side).init_state
    x, y, z, w = start.rot
    place = frame.add_frame(pos=start.pos, quat=[w, x, y, z])
    spec.attach(hand, prefix=prefix, frame=place)


def _add_marker(spec: mujoco.MjSpec, frame: mujoco.MjsFrame, shape: str, name: str, colour: tuple) -> None:
    """Add the object or its goal, moved by hand."""
    source = getattr(models, shape)().geoms[0]
    ellipsoid = source.type == mujoco.mjtGeom.mjGEOM_SPHERE
    body = frame.add_body(name=name, mocap=True)
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_ELLIPSOID if ellipsoid else source.type,
        size=models.EGG_SEMI_AXES if ellipsoid else source.size,
        rgba=colour,
    )
