# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The reaching task against independent computations with MuJoCo and numpy, on both CPU physics presets."""

import importlib
import math
import socket
from collections.abc import Iterator

import gymnasium as gym
import mujoco
import numpy as np
import pytest
import torch
from host_tensors import CountHostTensors

from isaaclab_tasks.utils.hydra import resolve_task_config

from cgrpo_tasks.assets import panda
from cgrpo_tasks.manipulation.franka_reach import env_cfg as task
from cgrpo_tasks.manipulation.franka_reach.env import FrankaReachEnv

TASK = "Franka-Reach-CGRPO"
NUM_ENVS = 8
STEP_S = 1 / 30
TURN = 2 * math.pi
CENTRE = np.array(list(task.TARGET_CENTRE.values()))
HALF_WIDTH = np.array(list(task.TARGET_HALF_WIDTH.values()))


@pytest.fixture(scope="module", params=["mujoco", "newton_mjwarp"])
def env(request: pytest.FixtureRequest) -> Iterator[FrankaReachEnv]:
    """Make one small environment per preset, without observation noise and with the network out of reach."""

    def refuse(*args):
        raise AssertionError(f"the environment opened a connection: {args}")

    cfg, _ = resolve_task_config(TASK, None, play_mode=True, overrides=[f"physics={request.param}"])
    cfg.scene.num_envs = NUM_ENVS
    cfg.sim.device = "cpu"
    cfg.seed = 7
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        made = gym.make(TASK, cfg=cfg)
        made.reset()
    yield made.unwrapped
    made.close()


@pytest.fixture(scope="module")
def panda_model() -> mujoco.MjModel:
    """Compile the MJCF, for kinematics that owe nothing to Isaac Lab."""
    return mujoco.MjModel.from_xml_path(str(panda.panda_mjcf_path()))


@pytest.fixture
def posture() -> np.ndarray:
    """Draw one posture per env inside the target ranges, shape `[E, 7]`."""
    return CENTRE + np.random.default_rng(3).uniform(-0.5, 0.5, (NUM_ENVS, 7)) * HALF_WIDTH


def hand_poses(model: mujoco.MjModel, posture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the hand's position `[E, 3]` and quaternion (x, y, z, w) `[E, 4]` in the base frame."""
    data = mujoco.MjData(model)
    positions, quaternions = [], []
    for q in posture:
        data.qpos[:7] = q
        mujoco.mj_kinematics(model, data)
        positions.append(data.body("panda_hand").xpos.copy())
        quaternions.append(np.roll(data.body("panda_hand").xquat, -1))
    return np.array(positions), np.array(quaternions)


def set_state(env: FrankaReachEnv, posture: np.ndarray, velocity: float = 0.0) -> None:
    """Put the arms into postures, fingers closed."""
    robot = env.scene["robot"]
    position = torch.cat((torch.tensor(posture, dtype=torch.float32), torch.zeros(NUM_ENVS, 2)), dim=1)
    robot.write_joint_position_to_sim_index(position=position)
    robot.write_joint_velocity_to_sim_index(velocity=torch.full_like(position, velocity))


def set_command(env: FrankaReachEnv, position: np.ndarray, quaternion: np.ndarray) -> None:
    """Command poses in the base frame."""
    pose = torch.tensor(np.concatenate((position, quaternion), axis=1), dtype=torch.float32)
    env.command_manager.get_term("ee_pose").pose_command_b[:] = pose


def turned(quaternion: np.ndarray, angle: float) -> np.ndarray:
    """Turn orientations (x, y, z, w) by an angle [rad] about the base's vertical axis."""
    result = np.empty_like(quaternion)
    for i, (x, y, z, w) in enumerate(quaternion):
        wxyz = np.empty(4)
        mujoco.mju_mulQuat(wxyz, np.array([math.cos(angle / 2), 0, 0, math.sin(angle / 2)]), np.array([w, x, y, z]))
        result[i] = np.roll(wxyz, -1)
    return result


def same_side(quaternion: np.ndarray, posture: np.ndarray) -> np.ndarray:
    """Give quaternions (x, y, z, w) the sign that follows from how far joints 1 and 7 are turned."""
    heading = posture[:, 0] - posture[:, 6] - 0.75 * math.pi
    downward = np.stack((-np.sin(heading / 2), np.cos(heading / 2)), axis=1)
    return quaternion * np.sign((quaternion[:, :2] * downward).sum(axis=1, keepdims=True))


def test_registration_says_what_the_doorstep_needs():
    kwargs = gym.spec(TASK).kwargs
    assert kwargs["default_agent"] == "rsl_rl"
    assert kwargs["num_envs_by_device"] == {"cpu": 128, "cuda": 4096}
    for key in ("env_cfg_entry_point", "rsl_rl_cfg_entry_point", "rsl_rl_ppo_cfg_entry_point"):
        module, name = kwargs[key].split(":")
        assert isinstance(vars(importlib.import_module(module))[name], type)


def test_observations_are_the_documented_ones(env: FrankaReachEnv):
    manager = env.observation_manager
    sizes = dict(zip(manager.active_terms["policy"], manager.group_obs_term_dim["policy"], strict=True))
    assert sizes == {"joint_pos": (7,), "joint_vel": (7,), "pose_command": (7,), "pose_error": (6,), "actions": (7,)}
    assert list(gym.spec(TASK).kwargs["observation_units"]) == list(sizes)


def test_observations_against_mujoco(env: FrankaReachEnv, panda_model: mujoco.MjModel, posture: np.ndarray):
    env.reset()
    position, quaternion = hand_poses(panda_model, posture)
    set_state(env, posture, velocity=0.25)
    quaternion = same_side(quaternion, posture)
    set_command(env, position + [0.1, 0.0, -0.02], turned(quaternion, 0.3))
    observed = env.observation_manager.compute()["policy"].numpy()
    np.testing.assert_allclose(observed[:, :7], posture - CENTRE, atol=1e-5)
    np.testing.assert_allclose(observed[:, 7:14], 0.25, atol=1e-6)
    np.testing.assert_allclose(observed[:, 14:17], position + [0.1, 0.0, -0.02], atol=1e-5)
    np.testing.assert_allclose(observed[:, 21:24], np.tile([0.1, 0.0, -0.02], (NUM_ENVS, 1)), atol=1e-4)
    np.testing.assert_allclose(observed[:, 24:27], np.tile([0.0, 0.0, 0.3], (NUM_ENVS, 1)), atol=1e-4)
    np.testing.assert_array_equal(observed[:, 27:], 0.0)

    # The other sign of the quaternion asks for the same rotation the other way round.
    set_command(env, position, -turned(quaternion, 0.3))
    observed = env.observation_manager.compute()["policy"].numpy()
    np.testing.assert_allclose(observed[:, 24:27], np.tile([0.0, 0.0, 0.3 - TURN], (NUM_ENVS, 1)), atol=1e-4)


def test_the_turn_of_joint_7_is_observed_in_full(env: FrankaReachEnv, panda_model: mujoco.MjModel):
    from_posture, to_posture = (np.tile(CENTRE, (NUM_ENVS, 1)) for _ in range(2))
    from_posture[:, 6] = np.linspace(-2.8, 2.8, NUM_ENVS)
    to_posture[:, 6] = -from_posture[:, 6]
    position, quaternion = hand_poses(panda_model, to_posture)
    set_state(env, from_posture)
    set_command(env, position, same_side(quaternion, to_posture))
    observed = env.observation_manager.compute()["policy"].numpy()
    # The axis of joint 7 points down, a positive turn about it is a negative one about the vertical.
    np.testing.assert_allclose(observed[:, 26], from_posture[:, 6] - to_posture[:, 6], atol=1e-3)
    np.testing.assert_allclose(observed[:, 21:26], 0.0, atol=1e-3)


@pytest.mark.parametrize(
    ("shift", "angle", "success", "strict"),
    [(0.0, 0.0, True, True), (0.015, 0.09, True, True), (0.03, 0.0, True, False), (0.0, 0.15, True, False)]
    + [(0.06, 0.0, False, False), (0.0, 0.25, False, False), (0.0, -0.25, False, False), (0.0, 6.1, True, False)],
)
def test_success_is_both_errors_below_their_thresholds(
    env: FrankaReachEnv,
    panda_model: mujoco.MjModel,
    posture: np.ndarray,
    shift: float,
    angle: float,
    success: bool,
    strict: bool,
):
    position, quaternion = hand_poses(panda_model, posture)
    set_state(env, posture)
    # Both signs of a quaternion are the same rotation.
    signs = np.where(np.arange(NUM_ENVS) % 2, 1.0, -1.0)[:, None]
    set_command(env, position + [0.0, shift, 0.0], signs * turned(quaternion, angle))
    command = env.command_manager.get_term("ee_pose")
    command.record_outcome(torch.ones(NUM_ENVS, dtype=torch.bool))
    assert (command.outcome["success"] == success).all()
    assert (command.outcome["success_strict"] == strict).all()
    np.testing.assert_allclose(command.outcome_value["position_error"], shift, atol=1e-5)
    np.testing.assert_allclose(command.outcome_value["orientation_error"], abs(min(angle, TURN - angle)), atol=2e-3)


def test_rewards_against_numpy(env: FrankaReachEnv, panda_model: mujoco.MjModel, posture: np.ndarray):
    env.reset()
    rng = np.random.default_rng(5)
    position, quaternion = hand_poses(panda_model, posture)
    near = np.arange(NUM_ENVS) % 2 == 0
    shift = np.where(near[:, None], 0.01, 0.2) * rng.uniform(-1, 1, (NUM_ENVS, 3))
    angle = 0.1
    actions = [torch.tensor(rng.uniform(-1, 1, (NUM_ENVS, 7)), dtype=torch.float32) for _ in range(2)]
    for action in actions:
        env.action_manager.process_action(action)
    set_state(env, posture, velocity=0.5)
    set_command(env, position + shift, turned(quaternion, angle))

    distance = np.linalg.norm(shift, axis=1)
    expected = {
        "position": -1.0 * distance,
        "position_fine": 2.0 - 2.0 * np.tanh(distance / 0.1),
        "orientation": np.full(NUM_ENVS, -0.3 * angle),
        "orientation_fine": np.full(NUM_ENVS, 2.0 - 2.0 * np.tanh(angle / 0.2)),
        "action_rate": -1e-4 * ((actions[1] - actions[0]).numpy() ** 2).sum(axis=1),
        "joint_vel": np.full(NUM_ENVS, -1e-4 * 7 * 0.5**2),
    }
    total = env.reward_manager.compute(dt=STEP_S).numpy()
    assert list(expected) == env.reward_manager.active_terms
    for e in range(NUM_ENVS):
        for name, (value,) in env.reward_manager.get_active_iterable_terms(e):
            assert value == pytest.approx(expected[name][e], abs=2e-4), (name, e)
    np.testing.assert_allclose(total, STEP_S * sum(expected.values()), atol=2e-5)


def test_actions_are_targets_within_the_ranges(env: FrankaReachEnv):
    env.reset()
    for value, expected in ((0.0, CENTRE), (0.5, CENTRE + 0.5 * HALF_WIDTH)):
        env.action_manager.process_action(torch.full((NUM_ENVS, 7), value))
        targets = env.action_manager.get_term("arm_action").processed_actions
        np.testing.assert_allclose(targets.numpy(), np.tile(expected, (NUM_ENVS, 1)), atol=1e-5)
    limits = env.scene["robot"].data.joint_pos_limits.torch[:, :7]
    for value in (-5.0, 5.0):
        env.action_manager.process_action(torch.full((NUM_ENVS, 7), value))
        targets = env.action_manager.get_term("arm_action").processed_actions
        assert (targets >= limits[..., 0] - 1e-5).all()
        assert (targets <= limits[..., 1] + 1e-5).all()


def test_drives_hold_their_targets_against_gravity(env: FrankaReachEnv):
    env.reset()
    for _ in range(60):
        env.step(torch.full((NUM_ENVS, 7), 0.2))
    posture = env.scene["robot"].data.joint_pos.torch[:, :7].numpy()
    np.testing.assert_allclose(posture, np.tile(CENTRE + 0.2 * HALF_WIDTH, (NUM_ENVS, 1)), atol=5e-3)


def test_outcome_is_that_of_the_episode_that_ended(
    env: FrankaReachEnv, panda_model: mujoco.MjModel, posture: np.ndarray
):
    env.reset()
    hold = torch.tensor((posture - CENTRE) / HALF_WIDTH, dtype=torch.float32)
    position, quaternion = hand_poses(panda_model, posture)
    shift = np.zeros((NUM_ENVS, 3))
    shift[1] = [0.04, 0.0, 0.0]
    shift[2] = [0.0, 0.0, 0.3]
    set_state(env, posture)
    set_command(env, position + shift, quaternion)
    before = {name: value.clone() for name, value in env.extras["outcome_value"].items()}
    env.episode_length_buf[:] = 3
    env.episode_length_buf[:3] = env.max_episode_length - 1
    _, _, terminated, time_outs, extras = env.step(hold)

    assert time_outs.tolist() == [True] * 3 + [False] * (NUM_ENVS - 3)
    assert not terminated.any()
    assert extras["outcome"]["success"][:3].tolist() == [True, True, False]
    assert extras["outcome"]["success_strict"][:3].tolist() == [True, False, False]
    error = extras["outcome_value"]["position_error"]
    np.testing.assert_allclose(error[:3], [0.0, 0.04, 0.3], atol=5e-3)
    assert torch.equal(error[3:], before["position_error"][3:])
    assert extras["log"]["Metrics/ee_pose/success"].item() == pytest.approx(2 / 3)

    # The new episodes neither start at their goals nor change what is known about the finished ones.
    for _ in range(3):
        env.step(torch.zeros(NUM_ENVS, 7))
    assert extras["outcome"]["success"][:3].tolist() == [True, True, False]


def test_a_reset_before_the_first_step_ends_no_episode(env: FrankaReachEnv):
    env.reset()
    before = {name: value.clone() for name, value in env.extras["outcome_value"].items()}
    env.reset()
    for name, value in env.extras["outcome_value"].items():
        assert torch.equal(value, before[name])


def test_commands_point_down_and_are_continuous_over_headings(env: FrankaReachEnv):
    command = env.command_manager.get_term("ee_pose")
    drawn = []
    for _ in range(60):
        command.reset()
        drawn.append(command.command.clone())
    drawn = torch.cat(drawn).numpy()
    ranges = env.cfg.commands.ee_pose.ranges
    for axis, (low, high) in enumerate((ranges.pos_x, ranges.pos_y, ranges.pos_z)):
        assert (drawn[:, axis] >= low).all()
        assert (drawn[:, axis] <= high).all()
    x, y, z, w = drawn[:, 3:].T
    np.testing.assert_allclose(np.hypot(x, y), 1.0, atol=1e-5)
    np.testing.assert_allclose([z, w], 0.0, atol=1e-5)
    # Heading relative to the goal's direction and to joint 7's centre: all of the circle, read off without a jump.
    heading = 2 * np.arctan2(-x, y) - np.arctan2(drawn[:, 1], drawn[:, 0]) + 0.75 * math.pi
    assert np.abs(heading).max() < math.pi + 1e-4
    assert np.abs(heading).max() > 3.0
    assert abs(heading.mean()) < 0.4


def test_random_actions_stay_finite_and_seldom_touch_limits(env: FrankaReachEnv):
    env.reset()
    generator = torch.Generator().manual_seed(0)
    for _ in range(60):
        actions = 3.0 * torch.randn(NUM_ENVS, 7, generator=generator)
        observations, rewards, *_ = env.step(actions)
        assert torch.isfinite(observations["policy"]).all()
        assert torch.isfinite(rewards).all()
    robot = env.scene["robot"].data
    limits = robot.joint_pos_limits.torch
    assert (robot.joint_pos.torch > limits[..., 0] - 0.05).all()
    assert (robot.joint_pos.torch < limits[..., 1] + 0.05).all()
    assert robot.joint_vel.torch.abs().max() < 20.0


def test_a_start_is_not_lost_after_an_odd_number_of_physics_steps(env: FrankaReachEnv):
    """Whatever the count of physics steps at a reset, the next one sets out from the new start."""
    solver = env.sim.physics_manager._solver
    for parity in (0, 1):
        for _ in range(10):
            env.step(torch.ones(NUM_ENVS, 7))
        solver._step += parity
        env.reset()
        start = env.scene["robot"].data.joint_pos.torch[:, :7].clone()
        env.step(torch.zeros(NUM_ENVS, 7))
        moved = env.scene["robot"].data.joint_pos.torch[:, :7] - start
        assert moved.abs().max() < 0.1, parity


def test_the_hand_is_found_without_indices_from_the_host(env: FrankaReachEnv):
    command = env.command_manager.get_term("ee_pose")
    with CountHostTensors() as made:
        command.hand_pose()
    assert made.count == 0


def test_original_robot_is_chosen_by_name():
    cfg, _ = resolve_task_config(TASK, None, overrides=["env.scene.robot=original"])
    assert cfg.scene.robot.spawn.usd_path.endswith("franka_panda.usda")
    assert cfg.scene.robot.spawn.variants["Physics"] == "mujoco"
    cfg, _ = resolve_task_config(TASK, None, overrides=["env.scene.robot=original", "physics=physx"])
    assert cfg.scene.robot.spawn.variants["Physics"] == "physx"


def test_play_mode_is_small_and_free_of_noise():
    cfg, _ = resolve_task_config(TASK, None, overrides=[])
    assert cfg.observations.policy.enable_corruption
    cfg, _ = resolve_task_config(TASK, None, play_mode=True, overrides=[])
    assert not cfg.observations.policy.enable_corruption
    assert cfg.scene.num_envs <= 50
