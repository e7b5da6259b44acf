# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The reaching task in plain MuJoCo with the Panda's MJCF, by the rules that an exported policy carries.

This module imports neither Isaac Lab nor torch and shares no code with the task: what it shows is whether a policy
depends on anything but the rules.
"""

from __future__ import annotations

import importlib.util
import math
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np

MIN_SINE = 1.0e-6
"""Below this sine of half the angle a rotation has no axis."""


class PandaReach(gym.Env):
    """One arm; actions are joint targets [rad], observations the terms of ``sim2sim_policy.REACH``.

    Attributes:
        model: Arm with position drives and table.
    """

    def __init__(self, rules: dict[str, Any], action: dict[str, Any]) -> None:
        """Build the world.

        Args:
            rules: What ``franka_reach.rules.describe`` tells.
            action: Action term of the policy's metadata: joint names, scale and offset.
        """
        self._rules, self._scale, self._offset = rules, np.array(action["scale"]), np.array(action["offset"])
        self.model = _build(rules, action["joint_names"])
        self._data = mujoco.MjData(self.model)
        joints = [self.model.joint(name) for name in action["joint_names"]]
        self._qpos = np.array([joint.qposadr[0] for joint in joints])
        self._qvel = np.array([joint.dofadr[0] for joint in joints])
        self._heading = [action["joint_names"].index(name) for name in rules["goal"]["heading_joints"]]
        self._hand = self.model.body(rules["goal"]["body"]).id
        self.action_space = gym.spaces.Box(-np.inf, np.inf, (len(joints),), np.float64)
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (2 * len(joints) + 13,), np.float64)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Start an episode: a posture near that of a zero action, and a goal."""
        super().reset(seed=seed)
        start, ranges = self._rules["start"], self._rules["goal"]["ranges"]
        mujoco.mj_resetData(self.model, self._data)
        noise = self.np_random.uniform(*start["offset_range"], len(self._qpos))
        self._data.qpos[self._qpos] = np.array(start["joint_pos"]) + noise
        drawn = {name: self.np_random.uniform(low, high) for name, (low, high) in ranges.items()}
        self._goal = np.array([drawn["pos_x"], drawn["pos_y"], drawn["pos_z"]])
        rotation = _quaternion(drawn["roll"], drawn["pitch"], drawn["yaw"])
        self._goal_rotation = self._same_side(rotation, math.atan2(self._goal[1], self._goal[0]))
        self._action, self._steps = np.zeros_like(self._offset), 0
        mujoco.mj_forward(self.model, self._data)
        return self._observe(), {}

    def step(self, target: np.ndarray):
        """Hold joint targets [rad] for a control step; ``info["outcome"]`` tells how the episode ended."""
        previous, self._action = self._action, (target - self._offset) / self._scale
        self._data.ctrl[:] = target
        mujoco.mj_step(self.model, self._data, nstep=self._rules["decimation"])
        # Positions of bodies are those of the state before the last step until they are asked for.
        mujoco.mj_kinematics(self.model, self._data)
        self._steps += 1
        position, rotation = self._errors()
        ended = self._steps >= self._rules["episode_steps"]
        info = {"outcome": self._outcome(position, rotation)} if ended else {}
        return self._observe(), self._reward(position, rotation, previous), False, ended, info

    def _observe(self) -> np.ndarray:
        data = self._data
        place, rotation = self._hand_pose()
        turn = _multiply(self._goal_rotation, rotation * [1.0, -1.0, -1.0, -1.0])
        sine = np.linalg.norm(turn[1:])
        vector = turn[1:] * (2.0 * math.atan2(sine, turn[0]) / max(sine, MIN_SINE))
        # Isaac Lab orders quaternions x y z w.
        command = np.concatenate((self._goal, np.roll(self._goal_rotation, -1)))
        joints = (data.qpos[self._qpos] - self._offset, data.qvel[self._qvel])
        return np.concatenate((*joints, command, self._goal - place, vector))

    def _hand_pose(self) -> tuple[np.ndarray, np.ndarray]:
        """Position [m] and quaternion (w, x, y, z) of the hand in the base frame, which is the world's."""
        first, last = self._data.qpos[self._qpos[self._heading]]
        rotation = self._data.xquat[self._hand]
        return self._data.xpos[self._hand].copy(), self._same_side(rotation, first - last)

    def _same_side(self, rotation: np.ndarray, heading: float) -> np.ndarray:
        """Sign within half a turn of the downward hand's; see "Signs of quaternions" in docs/tasks/franka_reach.md."""
        reference = _quaternion(0.0, math.pi, heading + self._rules["goal"]["zero_heading"])
        return -rotation if rotation @ reference < 0.0 else rotation.copy()

    def _errors(self) -> tuple[float, float]:
        """Distance [m] and shortest angle [rad] to the goal."""
        cosine = min(1.0, abs(float(self._data.xquat[self._hand] @ self._goal_rotation)))
        return float(np.linalg.norm(self._data.xpos[self._hand] - self._goal)), 2.0 * math.acos(cosine)

    def _reward(self, position: float, rotation: float, previous: np.ndarray) -> float:
        """Sum of the task's terms over a control step."""
        terms = self._rules["rewards"]
        values = {
            "position": position,
            "orientation": rotation,
            "action_rate": float(np.square(self._action - previous).sum()),
            "joint_vel": float(np.square(self._data.qvel[self._qvel]).sum()),
        }
        for name in ("position", "orientation"):
            fine = f"{name}_fine"
            if fine in terms:
                values[fine] = 1.0 - math.tanh(values[name] / terms[fine]["std"])
        control_step = self._rules["physics_dt"] * self._rules["decimation"]
        return control_step * sum(term["weight"] * values[name] for name, term in terms.items())

    def _outcome(self, position: float, rotation: float) -> dict[str, bool | float]:
        criteria = self._rules["goal"]["success"].items()
        flags = {name: position < far and rotation < turned for name, (far, turned) in criteria}
        return {**flags, "position_error": position, "orientation_error": rotation}


def _build(rules: dict[str, Any], joints: list[str]) -> mujoco.MjModel:
    """Compile the arm with its drives, fingers fixed as nothing moves them, and the table if there is one."""
    with tempfile.TemporaryDirectory() as folder:
        spec = mujoco.MjSpec.from_file(str(_panda_mjcf().write_panda_mjcf(Path(folder))))
        spec.option.timestep = rules["physics_dt"]
        spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        for joint in list(spec.joints):
            if joint.name not in joints:
                spec.delete(joint)
        for name, stiffness, damping, limit in zip(joints, *rules["drives"].values(), strict=True):
            drive = spec.add_actuator(name=name, trntype=mujoco.mjtTrn.mjTRN_JOINT, target=name)
            drive.set_to_position(kp=stiffness, kv=damping)
            # Of the joint, not of the drive, whose damping then stays implicit in the integration at the limit.
            joint = spec.joint(name)
            joint.actfrcrange, joint.actfrclimited = [-limit, limit], True
        for geom in spec.geoms:
            # The arm does not collide with itself, but with the table.
            geom.contype, geom.conaffinity = (1, 0) if geom.contype or geom.conaffinity else (0, 0)
        table = rules["table"]
        if table is not None:
            spec.worldbody.add_geom(
                type=mujoco.mjtGeom.mjGEOM_BOX,
                pos=table["pos"],
                size=[0.5 * edge for edge in table["size"]],
                contype=0,
                conaffinity=1,
            )
        return spec.compile()


def _panda_mjcf() -> ModuleType:
    """The builder of the Panda's MJCF, loaded by its file: importing its package would start Isaac Lab."""
    package = importlib.util.find_spec("cgrpo_tasks")
    file = Path(package.submodule_search_locations[0]) / "assets" / "panda_mjcf.py"
    spec = importlib.util.spec_from_file_location("panda_mjcf", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _quaternion(roll: float, pitch: float, yaw: float) -> np.ndarray:
    """Rotation (w, x, y, z) about x, then y, then z."""
    (a, b, c), (x, y, z) = np.cos([roll / 2, pitch / 2, yaw / 2]), np.sin([roll / 2, pitch / 2, yaw / 2])
    return np.array([a * b * c + x * y * z, x * b * c - a * y * z, a * y * c + x * b * z, a * b * z - x * y * c])


def _multiply(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Product of quaternions (w, x, y, z)."""
    result = np.empty(4)
    mujoco.mju_mulQuat(result, first, second)
    return result
