# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The ``mujoco`` preset is MuJoCo C on the model that Newton compiled, with Isaac Lab's interfaces around it."""

from types import SimpleNamespace

import mujoco
import newton
import numpy as np
import pytest
import torch
import warp as wp
from physics_world import World, random_targets, world

from isaaclab.actuators import IdealPDActuatorCfg

from cgrpo_tasks.physics import PhysicsError
from cgrpo_tasks.physics.mujoco_native import NewtonMujocoManager
from cgrpo_tasks.physics.native_solver import NativeMujocoSolver

EXPLICIT = {"drive": IdealPDActuatorCfg(joint_names_expr=[".*"], stiffness=30.0, damping=2.0)}


class PlainLoop:
    """``mj_step`` in a loop, one world at a time."""

    def __init__(self, w: World) -> None:
        self.solver, self.steps = w.solver, w.decimation * w.sim.cfg.physics.num_substeps
        self.models = w.solver.models
        self.data = [mujoco.MjData(model) for model in self.models]
        self.load()

    def load(self) -> None:
        """Start from the present state of the solver."""
        fixed = self.solver.mjw_data
        for world_id, data in enumerate(self.data):
            data.qpos[:], data.qvel[:] = self.solver.qpos[world_id], self.solver.qvel[world_id]
            data.mocap_pos[:] = fixed.mocap_pos.numpy()[world_id]
            data.mocap_quat[:] = fixed.mocap_quat.numpy()[world_id]

    def step(self, targets: torch.Tensor) -> None:
        for model, data, target in zip(self.models, self.data, targets.numpy(), strict=True):
            for actuator, joint in enumerate(model.actuator_trnid[:, 0]):
                is_position = model.actuator_biasprm[actuator, 1] != 0.0
                data.ctrl[actuator] = target[_arm_joint(model, joint)] if is_position else 0.0
            for _ in range(self.steps):
                mujoco.mj_step(model, data)

    @property
    def qpos(self) -> np.ndarray:
        return np.stack([data.qpos for data in self.data])


def _arm_joint(model: mujoco.MjModel, joint: int) -> int:
    hinges = np.flatnonzero(model.jnt_type == mujoco.mjtJoint.mjJNT_HINGE)
    return int(np.flatnonzero(hinges == joint)[0])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_envs": 1, "num_threads": 1},
        {"num_substeps": 3, "decimation": 2},
        {"num_substeps": 2, "decimation": 4, "hold_controls": True, "num_threads": 2},
        {"env_spacing": 3.0},
    ],
    ids=str,
)
def test_equals_a_plain_loop_of_mj_step(options):
    with world("mujoco", **options) as w:
        targets = random_targets(w.scene.num_envs, 20)
        w.step(targets[0])
        plain = PlainLoop(w)
        for target in targets[1:]:
            w.step(target)
            plain.step(target)
        arm, box = w.solver.qpos[:, -2:], w.solver.qpos[:, :7]

        # Without constraints nothing is iterated, and the results agree to the last bit.
        np.testing.assert_array_equal(arm, plain.qpos[:, -2:])
        np.testing.assert_allclose(box, plain.qpos[:, :7], atol=1e-5)
        np.testing.assert_array_equal(w.arm.data.joint_pos.torch.numpy(), arm.astype(np.float32))
        assert np.abs(np.diff(arm, axis=0)).max(initial=1.0) > 0.01


def test_bodies_are_where_mujoco_puts_them():
    with world("mujoco") as w:
        for targets in random_targets(3, 8):
            w.step(targets)
        plain = PlainLoop(w)
        for world_id, (model, data) in enumerate(zip(plain.models, plain.data, strict=True)):
            mujoco.mj_kinematics(model, data)
            lower = w.arm.data.body_link_pose_w.torch[world_id, -1].numpy()
            body = next(b for b in range(model.nbody) if model.body(b).name.endswith("lower"))
            np.testing.assert_allclose(lower[:3], data.xpos[body], atol=2e-6)
            np.testing.assert_allclose(np.abs(lower[[6, 3, 4, 5]] @ data.xquat[body]), 1.0, atol=1e-6)


def test_a_partial_reset_starts_anew_and_leaves_the_other_worlds_alone():
    with world("mujoco") as w:
        targets = random_targets(3, 8)
        for target in targets:
            w.step(target)
        before = w.solver.qpos.copy()
        reset = torch.tensor([2])
        w.arm.write_joint_position_to_sim_index(position=torch.tensor([[0.2, -0.3]]), env_ids=reset)
        w.arm.write_joint_velocity_to_sim_index(velocity=torch.zeros(1, 2), env_ids=reset)
        w.box.write_root_pose_to_sim_index(root_pose=w.box.data.default_root_pose.torch[reset], env_ids=reset)
        w.box.write_root_velocity_to_sim_index(root_velocity=torch.zeros(1, 6), env_ids=reset)
        w.step(targets[0])
        after = w.solver.qpos.copy()
    with world("mujoco") as fresh:
        fresh.step(targets[0])
        np.testing.assert_allclose(after[2], fresh.solver.qpos[2], atol=1e-6)
    with world("mujoco") as undisturbed:
        for target in [*targets, targets[0]]:
            undisturbed.step(target)
        np.testing.assert_array_equal(after[:2], undisturbed.solver.qpos[:2])
    assert np.abs(before - after).max() > 0.01


@pytest.mark.parametrize("hold", [False, True])
def test_explicit_actuators_act_at_every_physics_step(hold):
    with world("mujoco", actuator=EXPLICIT, decimation=4, hold_controls=hold) as w, torch.no_grad():
        for targets in random_targets(3, 10):
            w.step(targets)
        native = w.snapshot()
    with world("stock", actuator=EXPLICIT, decimation=4) as w:
        for targets in random_targets(3, 10):
            w.step(targets)
        torch.testing.assert_close(native[:, :4], w.snapshot()[:, :4], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("hold", [False, True])
def test_external_wrenches_push_the_box_they_are_applied_to(hold):
    with world("mujoco", decimation=3, num_substeps=2, hold_controls=hold) as w:
        force = torch.tensor([[[0.0, 0.0, 60.0]]])
        w.box.permanent_wrench_composer.set_forces_and_torques_index(
            forces=force, torques=torch.zeros_like(force), env_ids=[1]
        )
        for _ in range(10):
            w.step()
        height = w.box.data.root_link_pose_w.torch[:, 2]
        elapsed = 30 / 120
        assert height[1].item() == pytest.approx(0.0999 + 0.5 * (60 / 2 - 9.81) * elapsed**2, rel=0.05)
        assert height[[0, 2]].tolist() == pytest.approx([0.1, 0.1], abs=2e-3)


def test_joint_efforts_reach_the_joints():
    with world("mujoco") as w:
        w.arm.actuators.target_command.set_effort_index(value=torch.tensor([[4.0, 0.0]]), env_ids=torch.tensor([1]))
        for _ in range(5):
            w.step(torch.tensor([[0.2, -0.3]]).repeat(3, 1))
        position = w.arm.data.joint_pos.torch
        assert (position[1, 0] - position[0, 0]).abs() > 1e-3
        assert torch.equal(position[0], position[2])


def test_a_diverged_world_stays_visible():
    with world("mujoco") as w:
        w.step()
        w.arm.write_joint_velocity_to_sim_index(velocity=torch.full((1, 2), torch.nan), env_ids=torch.tensor([1]))
        w.step()
        finite = w.snapshot().isfinite().all(dim=1)
        assert finite.tolist() == [True, False, True]


@pytest.mark.parametrize("options", [{}, {"num_substeps": 2, "decimation": 4, "hold_controls": True}], ids=str)
def test_an_unstable_world_is_no_want_of_memory(options):
    with world("mujoco", **options) as w:
        w.step()
        velocity = torch.full((1, 2), 1e11)
        w.arm.write_joint_velocity_to_sim_index(velocity=velocity, env_ids=torch.tensor([1]))
        w.step()
        assert w.arm.data.joint_vel.torch[1].abs().max() > 1e5
        np.testing.assert_array_equal(w.solver.qpos[0], w.solver.qpos[2])


@pytest.mark.parametrize(
    ("memory", "message"),
    [
        (100_000, r"env 1 and 0 others have more contacts than MuJoCo's memory of 100000 bytes holds"),
        (300_000, r"env 1 and 0 others have more contacts than MuJoCo's memory of 300000 bytes holds"),
        (600_000, r"more contacts than MuJoCo's memory of 600000 bytes holds \(mj_stackAlloc: out of memory"),
    ],
    ids=["contacts", "constraints", "solver"],
)
def test_want_of_contact_memory_is_named(memory, message, monkeypatch):
    """Twelve boxes apart, which are then put into one place in the second of two worlds."""
    compile_spec = mujoco.MjSpec.compile

    def compile_small(spec: mujoco.MjSpec) -> mujoco.MjModel:
        spec.memory = memory
        return compile_spec(spec)

    monkeypatch.setattr(mujoco.MjSpec, "compile", compile_small)
    boxes, builder = newton.ModelBuilder(), newton.ModelBuilder()
    for i in range(12):
        body = boxes.add_body(xform=wp.transform((float(i), 0.0, 1.0), wp.quat_identity()))
        boxes.add_shape_box(body, hx=0.1, hy=0.1, hz=0.1)
    builder.replicate(boxes, 2)
    model = builder.finalize(device="cpu")
    solver = NativeMujocoSolver(model, num_threads=1)
    state, control = model.state(), model.control()
    solver.advance(state, control, 0.002, 2)
    state.joint_q.numpy().reshape(2, 12, 7)[1, :, 0] = 1e-3 * np.arange(12)
    with pytest.raises(PhysicsError, match=message):
        solver.advance(state, control, 0.002, 2)


def test_thread_counts_are_checked_and_do_not_change_results():
    def run(num_threads: int | None) -> np.ndarray:
        with world("mujoco", num_envs=7, num_threads=num_threads) as w:
            for targets in random_targets(7, 6):
                w.step(targets)
            return w.solver.qpos.copy()

    np.testing.assert_array_equal(run(1), run(3))
    with pytest.raises(ValueError, match="num_threads must be at least 1, got 0"):
        run(0)


def test_a_cuda_device_is_refused_with_the_remedy():
    with pytest.raises(PhysicsError, match=r"'mujoco' runs on the CPU.*--device cpu.*physics=newton_mjwarp"):
        NewtonMujocoManager.initialize(SimpleNamespace(cfg=SimpleNamespace(device="cuda:0")))


def test_contact_sensors_are_refused_with_the_remedy():
    with world("mujoco") as w, pytest.raises(PhysicsError, match=r"contact sensors.*physics=newton_mjwarp"):
        w.sim.physics_manager.add_contact_sensor(body_names_expr=".*Box")


@pytest.mark.parametrize("preset", ["mujoco", "newton_mjwarp"])
def test_forces_that_depend_on_the_state_act_at_every_substep(preset):
    with world(preset, num_substeps=2) as w:
        body = w.sim.physics_manager.get_model().body_label.index("/World/envs/env_1/Box")
        calls = []

        def push(state) -> None:
            calls.append(state)
            wp.to_torch(state.body_f)[body, 2] += 60.0

        w.sim.physics_manager.register_state_force_callback(push)
        for _ in range(30):
            w.step()
        height = w.box.data.root_link_pose_w.torch[:, 2]
        assert len(calls) == 60
        assert height[1].item() == pytest.approx(0.0999 + 0.5 * (60 / 2 - 9.81) * (30 / 120) ** 2, rel=0.05)
        assert height[[0, 2]].tolist() == pytest.approx([0.1, 0.1], abs=2e-3)
