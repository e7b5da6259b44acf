# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Model parameters changed after the start take effect at once, in the worlds concerned and no others."""

import pytest
import torch
import warp as wp
from newton import ModelFlags
from physics_world import World, random_targets, world

WORLD_1 = torch.tensor([1])


def change_mass(w: World) -> None:
    w.box.set_masses_index(masses=torch.tensor([[6.0]]), env_ids=WORLD_1)
    w.arm.set_masses_index(masses=w.arm.data.body_mass.torch[1:2] * 3, env_ids=WORLD_1)


def change_inertia(w: World) -> None:
    w.arm.set_inertias_index(inertias=w.arm.data.body_inertia.torch[1:2] * 8, env_ids=WORLD_1)


def change_centre_of_mass(w: World) -> None:
    coms = w.arm.data.body_com_pose_b.torch[1:2].clone()
    coms[..., 2] += 0.05
    w.arm.set_coms_index(coms=coms, env_ids=WORLD_1)


def change_friction(w: World) -> None:
    model = w.sim.physics_manager.get_model()
    shapes = torch.from_numpy(model.shape_world.numpy()) == 1
    wp.to_torch(model.shape_material_mu)[shapes] = 0.3
    w.sim.physics_manager.add_model_change(ModelFlags.SHAPE_PROPERTIES)


def change_gravity(w: World) -> None:
    wp.to_torch(w.sim.physics_manager.get_model().gravity)[1] = torch.tensor([2.0, 0.0, -5.0])
    w.sim.physics_manager.add_model_change(ModelFlags.MODEL_PROPERTIES)


def change_gains(w: World) -> None:
    w.arm.write_joint_stiffness_to_sim_index(stiffness=torch.tensor([[5.0, 60.0]]), env_ids=WORLD_1)
    w.arm.write_joint_damping_to_sim_index(damping=torch.tensor([[6.0, 0.5]]), env_ids=WORLD_1)


def change_armature(w: World) -> None:
    w.arm.write_joint_armature_to_sim_index(armature=torch.tensor([[0.5, 0.2]]), env_ids=WORLD_1)


def change_joint_friction(w: World) -> None:
    w.arm.write_joint_friction_coefficient_to_sim_index(
        joint_friction_coeff=torch.tensor([[5.0, 5.0]]), env_ids=WORLD_1
    )


def change_joint_limits(w: World) -> None:
    limits = torch.tensor([[[0.4, 0.6], [-0.9, -0.6]]])
    w.arm.write_joint_position_limit_to_sim_index(limits=limits, env_ids=WORLD_1)


CHANGES = [
    change_mass,
    change_inertia,
    change_centre_of_mass,
    change_friction,
    change_gravity,
    change_gains,
    change_armature,
    change_joint_friction,
    change_joint_limits,
]


def final_states(preset: str) -> dict[str, torch.Tensor]:
    """States [E, ...] after ten steps with each change at the fifth, all in one simulation."""
    states = {}
    for change in [None, *CHANGES]:
        with world(preset) as w:
            velocity = torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]]).expand(w.scene.num_envs, -1)
            w.box.write_root_velocity_to_sim_index(root_velocity=velocity.contiguous())
            for step, targets in enumerate(random_targets(1, 12)):
                if step == 5 and change is not None:
                    change(w)
                w.step(targets.expand(w.scene.num_envs, -1).contiguous())
            states[change.__name__ if change else "none"] = w.snapshot()
    return states


@pytest.fixture(scope="module")
def stock() -> dict[str, torch.Tensor]:
    return final_states("stock")


def without_box_rotation(state: torch.Tensor) -> torch.Tensor:
    """The state without the part that is chaotic: a sliding box rocks on its edges."""
    return torch.cat([state[:, :7], state[:, 11:14], state[:, 17:]], dim=1)


def assert_effective_in_world_1_only(states: dict[str, torch.Tensor], threshold: float) -> None:
    unchanged = states["none"]
    for name in states.keys() - {"none"}:
        assert torch.equal(states[name][[0, 2]], unchanged[[0, 2]]), f"{name} leaked into other worlds"
        assert (states[name][1] - unchanged[1]).abs().max() > threshold, f"{name} had no effect"


def test_newton_mjwarp_changes_exactly_as_stock_isaac_lab(stock):
    states = final_states("newton_mjwarp")

    assert_effective_in_world_1_only(states, threshold=0.1)
    for name, state in states.items():
        assert torch.equal(state, stock[name]), name


def test_mujoco_changes_as_stock_isaac_lab(stock):
    states = final_states("mujoco")

    assert_effective_in_world_1_only(states, threshold=0.1)
    for name, state in states.items():
        difference = (without_box_rotation(state) - without_box_rotation(stock[name])).abs().max()
        assert difference < 2e-3, f"{name}: {difference}"


def test_mujoco_copies_a_model_only_for_worlds_that_differ():
    with world("mujoco", num_envs=4) as w:
        w.step()
        assert len({id(model) for model in w.solver.models}) == 1
        change_mass(w)
        w.step()
        assert [w.solver.models[e] is w.solver.models[0] for e in range(4)] == [True, False, True, True]
        w.box.set_masses_index(masses=torch.tensor([[2.0]]), env_ids=WORLD_1)
        w.arm.set_masses_index(masses=w.arm.data.body_mass.torch[0:1].clone(), env_ids=WORLD_1)
        w.step()
        assert w.solver.models[1] is w.solver.models[0]
        wp.to_torch(w.sim.physics_manager.get_model().gravity)[:] = torch.tensor([0.0, 0.0, -1.6])
        w.sim.physics_manager.add_model_change(ModelFlags.MODEL_PROPERTIES)
        w.step()
        assert len({id(model) for model in w.solver.models}) == 1
        assert w.solver.models[3].opt.gravity[2] == pytest.approx(-1.6)
