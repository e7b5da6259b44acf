# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The replayed graph of ``newton_mjwarp`` is Isaac Lab's own stepping, bit for bit."""

import pytest
import torch
from physics_world import random_targets, world

from isaaclab_newton.physics import NewtonManager


def trajectory(preset: str, steps: int = 24, **options) -> torch.Tensor:
    """States [steps, E, ...] under random targets, with a partial reset on the way."""
    with world(preset, **options) as w:
        states = []
        for step, targets in enumerate(random_targets(w.scene.num_envs, steps)):
            if step == steps // 2:
                ids = torch.tensor([0])
                w.arm.write_joint_position_to_sim_index(position=torch.tensor([[0.5, -0.5]]), env_ids=ids)
                w.arm.write_joint_velocity_to_sim_index(velocity=torch.zeros(1, 2), env_ids=ids)
            w.step(targets)
            states.append(w.snapshot())
        return torch.stack(states)


@pytest.mark.parametrize(
    "options",
    [
        {"num_envs": 1},
        {"num_envs": 5, "num_substeps": 2},
        {"num_envs": 2, "num_substeps": 3, "decimation": 2},
        {"num_envs": 2, "num_substeps": 1, "update_data_interval": 2},
        {"num_envs": 2, "num_substeps": 3, "update_data_interval": 2},
    ],
    ids=str,
)
def test_replay_equals_eager_stepping_bit_for_bit(options):
    stock, replayed = trajectory("stock", **options), trajectory("newton_mjwarp", **options)

    assert torch.equal(stock, replayed)
    assert stock.diff(dim=0).abs().amax() > 0.01, "nothing moved"


def test_replay_equals_eager_stepping_in_a_second_environment_of_the_process():
    first = trajectory("newton_mjwarp", num_envs=2)
    second = trajectory("newton_mjwarp", num_envs=3, num_substeps=2)

    assert torch.equal(first, trajectory("stock", num_envs=2))
    assert torch.equal(second, trajectory("stock", num_envs=3, num_substeps=2))


def test_holding_controls_over_the_decimation_changes_nothing_for_held_targets():
    ticked = trajectory("newton_mjwarp", decimation=4)
    held = trajectory("newton_mjwarp", decimation=4, hold_controls=True)

    assert torch.equal(ticked, held)


def test_substeps_are_replayed_and_not_launched(monkeypatch):
    with world("newton_mjwarp") as w:
        for _ in range(3):
            w.step()
        launched = []
        monkeypatch.setattr(type(w.solver), "_mujoco_warp_step", lambda solver: launched.append(solver))
        before = w.snapshot()
        w.step()

    assert launched == []
    assert not torch.equal(before, w.snapshot())


def test_a_changed_number_of_substeps_is_recorded_anew():
    def run(preset):
        with world(preset, num_substeps=2) as w:
            for step, targets in enumerate(random_targets(3, 12)):
                if step == 6:
                    NewtonManager._num_substeps = 3
                w.step(targets)
            return w.snapshot()

    assert torch.equal(run("stock"), run("newton_mjwarp"))
