# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Presets that a task offers through ``physics=NAME``."""

import pytest
import torch
from physics_world import world

from isaaclab.utils import configclass

from isaaclab_tasks.utils import resolve_presets

from cgrpo_app import command_line
from cgrpo_app.errors import UserError
from cgrpo_app.launch import resolve
from cgrpo_tasks.physics import PhysicsError, make_physics_presets


@configclass
class Cfg:
    """Stands for a simulation's configuration."""

    physics: object = None


def resolved(*names: str, **options):
    presets = make_physics_presets(solver={"njmax": 7, "cone": "elliptic"}, num_substeps=3, **options)
    return resolve_presets(Cfg(physics=presets), names).physics


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("newton_mjwarp", "GraphReplaySolverCfg"),
        ("mujoco", "NativeMujocoSolverCfg"),
    ],
)
def test_solver_options_reach_both_mujoco_presets(name, kind):
    physics = resolved(name, hold_controls=True)

    assert type(physics.solver_cfg).__name__ == kind
    assert (physics.num_substeps, physics.solver_cfg.njmax, physics.solver_cfg.cone) == (3, 7, "elliptic")
    assert physics.solver_cfg.hold_controls
    # Isaac Lab's backend factories recognise a manager by this prefix.
    assert physics.class_type.__name__.startswith("Newton")


@pytest.mark.parametrize(
    ("name", "kind"), [("isaacsim_physx", "PhysxCfg"), ("ovphysx", "OvPhysxCfg"), ("physx", "PhysxAutoCfg")]
)
def test_physx_presets_are_isaac_labs(name, kind):
    assert type(resolved(name, physx=True)).__name__ == kind


@pytest.mark.parametrize("task", ["Ant-CGRPO", "Walker2d-CGRPO", "Shadow-Hand-Manipulate-Block-CGRPO"])
def test_tasks_of_mujoco_offer_no_physx(task):
    """One line names what there is instead."""
    parser = command_line.make_parser("")
    command_line.add_task_arguments(parser)
    args, overrides = command_line.parse(parser, ["--task", task, "--device", "cpu", "physics=ovphysx"])
    with pytest.raises(UserError, match="^physics=ovphysx: .*ovphysx.*mujoco, newton_mjwarp") as error:
        resolve(args, overrides)
    assert "\n" not in str(error.value) and "isaacsim" not in str(error.value)


def test_the_default_suits_the_machine():
    expected = "newton_mjwarp" if torch.cuda.is_available() else "mujoco"
    assert resolved() == resolved(expected)


def test_impossible_requests_name_the_remedy():
    with pytest.raises(PhysicsError, match="num_substeps must be at least 1, got 0"):
        make_physics_presets(solver={}, num_substeps=0)
    with pytest.raises(PhysicsError, match="use_mujoco_contacts=False is not available"):
        with world("mujoco", use_mujoco_contacts=False):
            pass
