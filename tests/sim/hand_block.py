# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Isaac Lab's block task beside the official environment: same state, same action, one control step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from isaaclab_tasks.utils.hydra import resolve_task_config

import cgrpo_tasks  # noqa: F401  registers the task
from cgrpo_app.gymnasium_robotics_repair import repair
from cgrpo_tasks.manipulation.shadow_hand.env import ShadowHandBlockEnv

TASK = "Shadow-Hand-Manipulate-Block-CGRPO"
OFFICIAL = {
    "rotate_z": "HandManipulateBlockRotateZ",
    "rotate_parallel": "HandManipulateBlockRotateParallel",
    "rotate_xyz": "HandManipulateBlockRotateXYZ",
    "full": "HandManipulateBlockFull",
}
"""Official environments by our variants."""

NQ, NV = 31, 30
"""Positions and velocities of hand and block; the official model goes on with those of the goal's ghost."""


@contextmanager
def lab_env(
    variant: str, physics: str, num_envs: int, *overrides: str, change: Callable[[Any], None] | None = None
) -> Iterator[ShadowHandBlockEnv]:
    """Make and reset an environment on the CPU, its configuration passed through ``change``, and close it again."""
    cfg, _ = resolve_task_config(TASK, None, overrides=[f"env={variant}", f"physics={physics}", *overrides])
    cfg.scene.num_envs, cfg.sim.device, cfg.seed = num_envs, "cpu", 7
    if change is not None:
        change(cfg)
    made = gym.make(TASK, cfg=cfg)
    try:
        made.reset()
        yield made.unwrapped
    finally:
        made.close()


def official_env(variant: str, reward: str = "dense") -> Any:
    """Make the official environment, without wrappers."""
    import gymnasium_robotics

    gym.register_envs(gymnasium_robotics)
    repair()
    suffix = "Dense" if reward == "dense" else ""
    made = gym.make(f"{OFFICIAL[variant]}{suffix}-v1").unwrapped
    made.reset(seed=0)
    return made


def flat(observation: dict[str, np.ndarray]) -> np.ndarray:
    """Official observation as ours orders it."""
    return np.concatenate((observation["observation"], observation["desired_goal"]))


def set_official_state(official: Any, qpos: np.ndarray, qvel: np.ndarray) -> None:
    """Put the official hand and block into a state ``[31]``, ``[30]``, without a memory of accelerations."""
    official.data.qpos[:NQ], official.data.qvel[:NV] = qpos, qvel
    official.data.qacc_warmstart[:] = 0.0


@dataclass
class Errors:
    """Differences after a control step from the same state, one row for each env and step."""

    joints: np.ndarray
    """Largest of the joints' [rad], ``[S]``."""
    position: np.ndarray
    """Of the block's place [m], ``[S]``."""
    rotation: np.ndarray
    """Of the block's rotation [rad], ``[S]``."""
    observation: np.ndarray
    """Largest of the observation's positions and goals, ``[S]``."""
    reward: np.ndarray
    contacts: np.ndarray
    """Number of contacts between block and hand after the official step, ``[S]``."""


def compare(
    env: ShadowHandBlockEnv, official: Any, steps: int, seed: int = 0, scale: float = 1.0, hold: int = 1
) -> Errors:
    """Follow official trajectories of random actions, one per env, and compare each control step.

    Before each step the official state, rounded to float32, is put into both.

    Args:
        env: Environment under test.
        official: The official environment.
        steps: Steps to compare, per env.
        seed: Seed of starts and actions.
        scale: Largest action.
        hold: Steps for which an action is kept.
    """
    draw = np.random.default_rng(seed)
    envs = env.num_envs
    states = []
    for _ in range(envs):
        official.reset(seed=int(draw.integers(2**31)))
        states.append((official.data.qpos[:NQ].copy(), official.data.qvel[:NV].copy()))
    target = official.goal.copy()
    env.goal[:] = torch.from_numpy(target).float()
    rows = []
    for step in range(steps):
        if step % hold == 0:
            actions = scale * draw.uniform(-1.0, 1.0, (envs, 20)).astype(np.float32)
        qpos, qvel = (np.array(part, dtype=np.float32) for part in zip(*states, strict=True))
        env.set_state(torch.arange(envs, dtype=torch.int32), torch.from_numpy(qpos), torch.from_numpy(qvel))
        env.episode_length_buf[:] = 0
        observations, rewards, *_ = env.step(torch.from_numpy(actions))
        for e in range(envs):
            set_official_state(official, qpos[e].astype(np.float64), qvel[e].astype(np.float64))
            observation, reward, *_ = official.step(actions[e])
            states[e] = (official.data.qpos[:NQ].copy(), official.data.qvel[:NV].copy())
            lab = observations["policy"][e].numpy()
            difference = np.abs(lab - flat(observation))
            quaternions = env.qpos[e, 27:].numpy(), official.data.qpos[27:31]
            rows.append(
                (
                    np.abs(env.qpos[e, :24].numpy() - official.data.qpos[:24]).max(),
                    np.linalg.norm(env.qpos[e, 24:27].numpy() - official.data.qpos[24:27]),
                    2.0 * np.linalg.norm(quaternions[0] - quaternions[1]),
                    difference[np.r_[0:24, 54:68]].max(),
                    abs(float(rewards[e]) - reward),
                    _contacts(official),
                )
            )
    return Errors(*np.array(rows).T)


def _contacts(official: Any) -> int:
    """Contacts of the block that press."""
    block = official.model.geom("object").id
    return sum(block in contact.geom for contact in official.data.contact[: official.data.ncon])
