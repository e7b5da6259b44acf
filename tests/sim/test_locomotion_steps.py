# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Locomotion tasks against Gymnasium's official environments, one control step at a time."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from locomotion import compare, lab_env, official_env

ROBOTS = ("HalfCheetah", "Walker2d", "Ant")
PRESETS = ("mujoco", "newton_mjwarp")
LIMITS = {"qpos": 5.0e-5, "qvel": 5.0e-3, "reward": 2.0e-4, "observation": 5.0e-3}
"""Largest differences allowed, of positions [m, rad] and velocities [m/s, rad/s] as of the two others."""


def assert_within(table: dict, limits: dict = LIMITS) -> None:
    """Compare the largest differences with their limits."""
    for name, limit in limits.items():
        assert table[name]["max"] < limit, (name, table[name])


@pytest.mark.parametrize(
    ("robot", "version", "physics"),
    [
        ("HalfCheetah", "v4", "mujoco"),
        ("HalfCheetah", "v5", "newton_mjwarp"),
        ("Walker2d", "v4", "mujoco"),
        ("Walker2d", "v5", "newton_mjwarp"),
        ("Ant", "v4", "newton_mjwarp"),
        ("Ant", "v5", "mujoco"),
        ("Ant", "v5", "newton_mjwarp"),
    ],
)
def test_one_step_from_the_same_state(robot, version, physics):
    """Positions, velocities, named reward and observation agree; episodes end on the same states."""
    with lab_env(robot, version, physics, num_envs=8) as env:
        errors = compare(env, official_env(robot, version), steps=25, between=2)
    assert_within(errors.table())
    assert errors.terminations > 0 or robot == "HalfCheetah"


@pytest.mark.slow
@pytest.mark.parametrize("physics", PRESETS)
@pytest.mark.parametrize("version", ["v4", "v5"])
@pytest.mark.parametrize("robot", ROBOTS)
def test_error_table(robot, version, physics):
    """8 seeds x 100 states, as recorded in benchmarks/locomotion; $CGRPO_LAB_ERROR_TABLE names a file to add to."""
    with lab_env(robot, version, physics, num_envs=8) as env:
        errors = compare(env, official_env(robot, version), steps=100)
    table = errors.table()
    if "CGRPO_LAB_ERROR_TABLE" in os.environ:
        file = Path(os.environ["CGRPO_LAB_ERROR_TABLE"])
        rows = json.loads(file.read_text()) if file.is_file() else {}
        rows[f"{robot}-{version} {physics}"] = {**table, "terminations": errors.terminations}
        file.write_text(json.dumps(rows, indent=2) + "\n")
    assert_within(table)


@pytest.mark.parametrize(
    ("robot", "physics"), [("HalfCheetah", "newton_mjwarp"), ("Walker2d", "mujoco"), ("Ant", "mujoco")]
)
def test_ten_steps_in_a_row(robot, physics):
    """Left alone for ten steps, most trajectories still agree; later, chaos makes a comparison meaningless."""
    draw = np.random.default_rng(1)
    with lab_env(robot, "v4", physics, num_envs=8) as env:
        official = official_env(robot, "v4")
        qpos, qvel = env.qpos.numpy().copy(), env.qvel.numpy().copy()
        actions = draw.uniform(-1.0, 1.0, (10, 8, official.model.nu)).astype(np.float32)
        for action in actions:
            env.step(torch.from_numpy(action))
        differences = []
        for e in range(8):
            official.set_state(qpos[e].astype(np.float64), qvel[e].astype(np.float64))
            for action in actions:
                official.step(action[e])
            differences.append(np.abs(env.qpos[e].numpy() - official.data.qpos).max())
    assert np.median(differences) < 2.0e-5


def test_actions_beyond_one_are_neither_applied_nor_paid_for():
    """An action of 3 is an action of 1."""
    with lab_env("HalfCheetah", "v4", "mujoco", num_envs=2) as env:
        ids, state = torch.arange(2, dtype=torch.int32), (env.qpos[:1].repeat(2, 1), env.qvel[:1].repeat(2, 1))
        env.set_state(ids, *state)
        _, rewards, *_ = env.step(torch.tensor([[1.0] * 6, [3.0] * 6]))
    assert torch.equal(env.qpos[0], env.qpos[1]) and rewards[0] == rewards[1]
