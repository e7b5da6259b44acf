# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Isaac Lab's locomotion environments beside Gymnasium's official ones: same state, same action, one control step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from isaaclab_tasks.utils.hydra import resolve_task_config

from cgrpo_tasks.locomotion.env import LocomotionEnv


@contextmanager
def lab_env(
    robot: str, version: str, physics: str, num_envs: int, change: Callable[[Any], None] | None = None
) -> Iterator[LocomotionEnv]:
    """Make and reset an environment on the CPU, its configuration passed through ``change``, and close it again."""
    cfg, _ = resolve_task_config(f"{robot}-CGRPO", None, overrides=[f"env={version}", f"physics={physics}"])
    cfg.scene.num_envs, cfg.sim.device, cfg.seed = num_envs, "cpu", 7
    if change is not None:
        change(cfg)
    made = gym.make(f"{robot}-CGRPO", cfg=cfg)
    try:
        made.reset()
        yield made.unwrapped
    finally:
        made.close()


def official_env(robot: str, version: str) -> Any:
    """Make Gymnasium's environment, without wrappers."""
    made = gym.make(f"{robot}-{version}").unwrapped
    made.reset(seed=0)
    return made


@dataclass
class Errors:
    """Largest differences in a step over the components, one row per env and step: ``[S]`` each."""

    qpos: np.ndarray
    qvel: np.ndarray
    reward: np.ndarray
    observation: np.ndarray
    terminations: int
    """Episodes that ended, in both environments at the same step."""

    def table(self) -> dict[str, dict[str, float]]:
        """Median, 99th percentile and maximum of each difference."""
        return {
            name: {
                "median": float(np.median(values)),
                "p99": float(np.quantile(values, 0.99)),
                "max": float(values.max()),
            }
            for name, values in vars(self).items()
            if isinstance(values, np.ndarray)
        }


def compare(env: LocomotionEnv, official: Any, steps: int, seed: int = 0, between: int = 0) -> Errors:
    """Follow the official trajectories of random actions, one per env, and compare each control step.

    Before each step the official state, rounded to float32, is put into both. Where the official episode ends, the
    terminations are compared and a new episode begins.

    Args:
        env: Environment under test.
        official: Gymnasium's environment.
        steps: Steps to compare, per env.
        seed: Seed of starts and actions.
        between: Official steps made and not compared between two that are, to see more of the state space.
    """
    draw = np.random.default_rng(seed)
    envs, actuators = env.num_envs, official.model.nu
    ids = torch.arange(envs, dtype=torch.int32)
    states = [_start(official, draw) for _ in range(envs)]
    rows, terminations = [], 0
    for _ in range(steps):
        for _ in range(between):
            states = [_advance(official, state, draw) for state in states]
        qpos, qvel = (np.array(part, dtype=np.float32) for part in zip(*states, strict=True))
        actions = draw.uniform(-1.0, 1.0, (envs, actuators)).astype(np.float32)
        env.set_state(ids, torch.from_numpy(qpos), torch.from_numpy(qvel))
        env.episode_length_buf[:] = 0
        observations, rewards, terminated, truncated, _ = env.step(torch.from_numpy(actions))
        assert not truncated.any()
        for e in range(envs):
            official.set_state(qpos[e].astype(np.float64), qvel[e].astype(np.float64))
            observation, reward, ended, _, _ = official.step(actions[e])
            assert ended == bool(terminated[e])
            row = [np.nan, np.nan, abs(float(rewards[e]) - reward), np.nan]
            if not ended:  # otherwise the environment under test has begun a new episode
                row[0] = np.abs(env.qpos[e].numpy() - official.data.qpos).max()
                row[1] = np.abs(env.qvel[e].numpy() - official.data.qvel).max()
                row[3] = np.abs(observations["policy"][e].numpy() - observation).max()
            rows.append(row)
            terminations += ended
            states[e] = _start(official, draw) if ended else _state(official)
    columns = [column[~np.isnan(column)] for column in np.array(rows).T]
    return Errors(*columns, terminations)


def _state(official: Any) -> tuple[np.ndarray, np.ndarray]:
    return official.data.qpos.copy(), official.data.qvel.copy()


def _start(official: Any, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    official.reset(seed=int(draw.integers(2**31)))
    return _state(official)


def _advance(official: Any, state: tuple[np.ndarray, np.ndarray], draw: np.random.Generator):
    official.set_state(*state)
    ended = official.step(draw.uniform(-1.0, 1.0, official.model.nu))[2]
    return _start(official, draw) if ended else _state(official)
