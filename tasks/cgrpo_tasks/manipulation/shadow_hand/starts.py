# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""States from which episodes start: blocks dropped on the palm and settled, as Gymnasium-Robotics' reset makes them.

Settling takes ten control steps, which only some environments would need at a time. So a number of starts is made once
by MuJoCo C with the unchanged model, kept in the asset cache, and drawn from.
"""

from __future__ import annotations

import math
import os
from importlib.metadata import version
from pathlib import Path

import mujoco
import numpy as np
import torch
from mujoco.rollout import Rollout

from cgrpo_tasks.assets import cache, shadow_hand_mjcf

from . import goals

COUNT = 1024
"""Starts that are made for each kind of rotation."""

SETTLING_STEPS = 10 * 20
"""Time steps that a block is given to come to rest under the action zero."""

POSITION_NOISE = 0.005
"""Standard deviation of the block's place above the palm [m]."""

ON_PALM = 0.04
"""Height of the block's centre [m] below which it lies on the floor and the start is made anew."""

BLOCK_JOINT = "object:joint"


def settled_starts(target_rotation: str) -> tuple[np.ndarray, np.ndarray]:
    """Return starts, making them on first use (seconds).

    Args:
        target_rotation: One of :data:`goals.TARGET_ROTATIONS`: blocks start rotated as goals are.

    Returns:
        Positions ``[K, 31]`` and velocities ``[K, 30]`` of hand and block as the source's model lays them out.

    Raises:
        cache.AssetCacheError: If the cache folder cannot be written.
    """
    sources = [*shadow_hand_mjcf.source_files(), Path(__file__), Path(goals.__file__)]
    key = cache.content_key(sources, [f"mujoco=={version('mujoco')}", target_rotation])
    name = f"shadow_hand_starts_{target_rotation}"
    folder = cache.cached_build(name, key, lambda folder: _save(folder, target_rotation))
    with np.load(folder / "starts.npz") as starts:
        return starts["qpos"], starts["qvel"]


def _save(folder: Path, target_rotation: str) -> None:
    """Make the starts and write them into a folder."""
    model = mujoco.MjModel.from_xml_path(str(shadow_hand_mjcf.source_folder() / "hand" / "manipulate_block.xml"))
    # The goal's ghost is the last body; it touches nothing.
    nq, nv = model.nq - 7, model.nv - 6
    draw = torch.Generator().manual_seed(0)
    found: list[np.ndarray] = []
    while sum(map(len, found)) < COUNT:
        states = _settle(model, _dropped(model, target_rotation, draw))
        on_palm = states[:, 1 + model.joint(BLOCK_JOINT).qposadr[0] + 2] > ON_PALM
        found.append(states[on_palm])
    states = np.concatenate(found)[:COUNT]
    np.savez(folder / "starts.npz", qpos=states[:, 1 : 1 + nq], qvel=states[:, 1 + model.nq : 1 + model.nq + nv])


def _dropped(model: mujoco.MjModel, target_rotation: str, draw: torch.Generator) -> np.ndarray:
    """Draw blocks above the resting hand; full physics states ``[K, S]``."""
    data = mujoco.MjData(model)
    spec = mujoco.mjtState.mjSTATE_FULLPHYSICS
    state = np.empty(mujoco.mj_stateSize(model, spec))
    mujoco.mj_getState(model, data, state, spec)
    states = np.repeat(state[None], COUNT, axis=0)
    block = 1 + model.joint(BLOCK_JOINT).qposadr[0]
    states[:, block : block + 3] += POSITION_NOISE * torch.randn(COUNT, 3, generator=draw).numpy()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=draw)))
        states[:, block + 3 : block + 7] = goals.draw_rotation(target_rotation, COUNT, "cpu", math.pi).numpy()
    return states


def _settle(model: mujoco.MjModel, states: np.ndarray) -> np.ndarray:
    """Let the physics run under the action zero, the middle of the control ranges."""
    threads = len(os.sched_getaffinity(0))
    control = np.tile(model.actuator_ctrlrange.mean(axis=1), (len(states), SETTLING_STEPS, 1))
    data = [mujoco.MjData(model) for _ in range(threads)]
    with Rollout(nthread=threads) as rollout:
        trajectories, _ = rollout.rollout(model, data, states, control, nstep=SETTLING_STEPS)
    return trajectories[:, -1]
