# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What is lost between Gymnasium's MJCF and MuJoCo's model inside Isaac Lab, and that it is made good."""

import mujoco
import numpy as np
import pytest
import torch
import warp as wp
from locomotion import compare, lab_env, official_env
from mujoco_warp._src import collision_primitive

from isaaclab_newton.sim.schemas import NewtonArticulationCfg

from cgrpo_tasks.assets import cache
from cgrpo_tasks.assets import mujoco_locomotion as assets
from cgrpo_tasks.physics import plane_capsule

AGREES, DIFFERS = 5.0e-5, 1.0e-3
"""Errors of positions after a step [m, rad]: float32's rounding, and a model that is not the official one."""


def step_error(robot: str, version: str, change=None) -> float:
    """Largest error of the positions in a step, over a few states."""
    with lab_env(robot, version, "mujoco", num_envs=4, change=change) as env:
        return float(compare(env, official_env(robot, version), steps=10).qpos.max())


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """Build assets anew, as the key of the cache does not see what a test replaces."""
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path))


@pytest.mark.parametrize("model", ["half_cheetah", "walker2d", "walker2d_v5", "ant"])
def test_adapted_models_have_the_official_masses_and_joints(model):
    adapted = assets.adapted_mjcf(model).compile()
    official = mujoco.MjModel.from_xml_path(str(assets.gymnasium_mjcf_path(model)))
    np.testing.assert_allclose(adapted.body_mass, official.body_mass, rtol=1e-6)
    np.testing.assert_allclose(adapted.body_inertia, official.body_inertia, rtol=1e-6)
    np.testing.assert_allclose(adapted.geom_friction, official.geom_friction)
    assert [adapted.joint(i).name for i in range(adapted.njnt)] == [
        official.joint(i).name for i in range(official.njnt)
    ]


def test_total_mass_is_written_out(empty_cache, monkeypatch):
    """``settotalmass`` is lost in USD: without the fix HalfCheetah weighs 21 kg instead of 14."""
    with lab_env("HalfCheetah", "v4", "mujoco", num_envs=1) as env:
        assert env.sim.physics_manager._solver.mj_model.body_mass.sum() == pytest.approx(14.0, rel=1e-5)
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(cache.cache_folder() / "without"))
    monkeypatch.setattr(assets, "_write_out_total_mass", lambda spec: None)
    assert step_error("HalfCheetah", "v4") > DIFFERS


def test_root_joints_share_their_anchor(empty_cache, monkeypatch):
    """Newton gives merged joints one anchor: without the fix Walker2d turns about a point in the floor."""
    assert step_error("Walker2d", "v4") < AGREES
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(cache.cache_folder() / "without"))
    monkeypatch.setattr(assets, "_share_root_anchor", lambda spec: None)
    assert step_error("Walker2d", "v4") > DIFFERS


def test_integrator_is_that_of_the_file():
    """The asset's integrator is not read: with Isaac Lab's default, Walker2d and Ant move otherwise."""

    def euler(cfg):
        cfg.sim.physics.solver_cfg.integrator = "euler"

    for robot, integrator in (("HalfCheetah", "Euler"), ("Walker2d", "RK4"), ("Ant", "RK4")):
        with lab_env(robot, "v4", "mujoco", num_envs=1) as env:
            used = env.sim.physics_manager._solver.mj_model.opt.integrator
        official = official_env(robot, "v4").model.opt.integrator
        assert used == official == getattr(mujoco.mjtIntegrator, f"mjINT_{integrator.upper()}")
    assert step_error("Ant", "v4", euler) > DIFFERS


def test_robots_do_not_collide_with_themselves():
    """Contact masks are lost: without the fix Walker2d's legs, which swing in one plane, push each other apart."""

    def collide(cfg):
        cfg.scene.robot.spawn.articulation_props = [NewtonArticulationCfg(self_collision_enabled=True)]

    assert flying_error(None) < AGREES
    assert flying_error(collide) > DIFFERS


def flying_error(change) -> float:
    """Largest error of a step of Walker2d high above the floor with its joints anywhere within their limits."""

    def fly(cfg):
        # Flying is not healthy; an episode that ends would begin anew before it can be compared.
        cfg.healthy_z_range = (0.0, 9.0)
        if change is not None:
            change(cfg)

    official = official_env("Walker2d", "v4")
    low, high = official.model.jnt_range[3:].T
    with lab_env("Walker2d", "v4", "mujoco", num_envs=16, change=fly) as env:
        qpos = torch.zeros(16, 9)
        qpos[:, 1] = 4.0
        qpos[:, 3:] = torch.from_numpy(np.random.default_rng(0).uniform(low, high, (16, 6)))
        env.set_state(torch.arange(16, dtype=torch.int32), qpos, torch.zeros(16, 9))
        env.step(torch.zeros(16, 6))
        errors = []
        for e in range(16):
            official.set_state(qpos[e].numpy().astype(np.float64), np.zeros(9))
            official.step(np.zeros(6))
            errors.append(np.abs(env.qpos[e].numpy() - official.data.qpos).max())
    return max(errors)


@wp.kernel
def _both_frames(axes: wp.array[wp.vec3], ours: wp.array[wp.mat33], stock: wp.array[wp.mat33]):
    i = wp.tid()
    up, origin, centre = wp.vec3(0.0, 0.0, 1.0), wp.vec3(0.0, 0.0, 0.0), wp.vec3(0.0, 0.0, 0.1)
    distance_a, position_a, frame_a = plane_capsule._plane_capsule(up, origin, centre, axes[i], 0.05, 0.2)
    distance_b, position_b, frame_b = plane_capsule._stock_plane_capsule(up, origin, centre, axes[i], 0.05, 0.2)
    ours[i] = frame_a
    stock[i] = frame_b


def test_capsules_on_planes_have_mujocos_frames():
    """Steep capsules have a tangent along their axis; MuJoCo Warp's own function takes a world axis."""
    model = mujoco.MjModel.from_xml_string(
        '<mujoco><worldbody><geom type="plane" size="1 1 1"/><body pos="0 0 .1"><freejoint/>'
        '<geom type="capsule" size=".05 .2"/></body></worldbody></mujoco>'
    )
    data = mujoco.MjData(model)
    draw = np.random.default_rng(0)
    steep = np.concatenate((draw.uniform(-0.4, 0.4, (32, 2)), np.ones((32, 1))), axis=1)
    axes = steep / np.linalg.norm(steep, axis=1, keepdims=True)
    expected = []
    for axis in axes:
        mujoco.mju_quatZ2Vec(data.qpos[3:7], axis)
        data.qpos[2] = 0.1
        mujoco.mj_forward(model, data)
        expected.append(data.contact.frame[0].reshape(3, 3).copy())
    ours, stock = (wp.zeros(len(axes), dtype=wp.mat33, device="cpu") for _ in range(2))
    wp.launch(_both_frames, len(axes), [wp.array(axes, dtype=wp.vec3, device="cpu"), ours, stock], device="cpu")
    np.testing.assert_allclose(ours.numpy(), expected, atol=1e-4)
    assert np.abs(stock.numpy() - expected).max() > 0.1


def test_simulations_use_these_frames():
    """Making an environment puts the function into MuJoCo Warp before its kernels are built."""
    with lab_env("Ant", "v4", "newton_mjwarp", num_envs=1):
        assert collision_primitive.plane_capsule is plane_capsule._plane_capsule


def test_nothing_is_built_a_second_time(empty_cache, monkeypatch):
    first = assets.usd_path("ant")
    monkeypatch.setattr(assets, "_build", lambda model, folder: pytest.fail("built again"))
    assert assets.usd_path("ant") == first and first.is_file()


def test_the_converter_s_progress_is_not_printed(empty_cache, capfd):
    assert assets.usd_path("half_cheetah").is_file()
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""
