# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Gymnasium-Robotics' official ``HandManipulateBlock`` environments as policies of the block task see them.

This module imports neither Isaac Lab nor torch and shares no code with the task.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

import gymnasium as gym
import numpy as np

from cgrpo_app.gymnasium_robotics_repair import repair

NAMES = tuple(
    f"HandManipulateBlock{variant}{reward}"
    for variant in ("RotateZ", "RotateParallel", "RotateXYZ", "Full")
    for reward in ("", "Dense")
)
"""Official environments without their version, which is ``v1``."""

LAYOUT = (
    *(("joint_pos", 24), ("joint_vel", 24), ("block_lin_vel", 3), ("block_ang_vel", 3)),
    *(("block_position", 3), ("block_quat", 4), ("goal_position", 3), ("goal_quat", 4)),
    *(("position_error", 3), ("rotation_error", 3), ("shortest_rotation_error", 3)),
)
"""Terms of the observation in their order with their sizes: the official ones and what follows from them."""


class HandBlock(gym.Wrapper):
    """Official environment with joint targets [rad] for actions and one vector for observations."""

    def __init__(self, name: str) -> None:
        """Make the environment.

        Args:
            name: One of :data:`NAMES` with ``-v1``.
        """
        with contextlib.redirect_stderr(io.StringIO()):  # it prints news about environments that are not judged here
            import gymnasium_robotics

        gym.register_envs(gymnasium_robotics)
        repair()
        super().__init__(gym.make(name))
        control_range = self.unwrapped.model.actuator_ctrlrange
        self._middle, self._half_range = control_range.mean(axis=1), 0.5 * np.diff(control_range, axis=1)[:, 0]
        size = sum(length for _, length in LAYOUT)
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (size,), np.float64)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Start an episode."""
        seen, info = self.env.reset(seed=seed, options=options)
        return self._flatten(seen), info

    def step(self, action: np.ndarray):
        """Take a step towards joint targets [rad], ``[20]`` in the order of the actuators."""
        command = ((action - self._middle) / self._half_range).astype(np.float32)
        seen, reward, terminated, truncated, info = self.env.step(command)
        observation = self._flatten(seen)
        info["outcome"] = {
            "success": bool(info["is_success"]),
            "position_error": float(np.linalg.norm(observation[68:71])),
            "rotation_error": float(np.linalg.norm(observation[71:74])),
        }
        return observation, reward, terminated, truncated, info

    def _flatten(self, seen: dict[str, np.ndarray]) -> np.ndarray:
        """Put the parts of an observation one after the other, and what is between block and goal behind them."""
        block, goal = seen["achieved_goal"], seen["desired_goal"]
        position_error = goal[:3] - block[:3]
        if self.unwrapped.target_position == "ignore":
            position_error = np.zeros(3)
        turn = _quotient(goal[3:], block[3:])
        shortest = turn if turn[0] >= 0.0 else -turn
        return np.concatenate(
            (seen["observation"], goal, position_error, _rotation_vector(turn), _rotation_vector(shortest))
        )


def _quotient(goal: np.ndarray, block: np.ndarray) -> np.ndarray:
    """The rotation that leads from one to the other, all quaternions (w, x, y, z) ``[4]``."""
    w, v = block[0], -block[1:]
    scalar = goal[0] * w - goal[1:] @ v
    return np.concatenate(([scalar], goal[0] * v + w * goal[1:] + np.cross(goal[1:], v)))


def _rotation_vector(turn: np.ndarray) -> np.ndarray:
    """Axis times angle [rad], up to a full turn, of a quaternion (w, x, y, z) ``[4]``."""
    sine = np.linalg.norm(turn[1:])
    # The axis is lost where the sine vanishes.
    return turn[1:] * (2.0 * np.arctan2(sine, turn[0]) / max(sine, 1.0e-6))
