# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The block task against the official environments: one control step, starts, goals, observations and rewards."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from hand_block import NQ, NV, OFFICIAL, compare, flat, lab_env, official_env, set_official_state
from host_tensors import CountHostTensors

from cgrpo_app.env_description import describe_env, observation_names
from cgrpo_app.errors import UserError
from cgrpo_app.group_resets import GroupResets
from cgrpo_lab.validation import ConfigError
from cgrpo_tasks.manipulation.shadow_hand import goals

STARTS = 200


@pytest.mark.parametrize(("physics", "share"), [("mujoco", 0.99), ("newton_mjwarp", 0.6)])
def test_one_step_from_the_same_state(physics, share):
    """The block is pushed by fingers under random actions, each held for five steps so that they arrive."""
    with lab_env("rotate_z", physics, num_envs=8) as env:
        errors = compare(env, official_env("rotate_z"), steps=25, hold=5)
    assert (errors.contacts > 0).mean() > 0.8
    assert np.median(errors.joints) < 2.0e-6 and np.median(errors.position) < 1.0e-6
    # Where contacts are made or broken, errors of float32's rounding grow a thousandfold, in the official one, too.
    assert np.quantile(errors.joints, share) < 1.0e-4
    assert np.quantile(errors.position, share) < 1.0e-4
    assert np.quantile(errors.observation, share) < 1.0e-3
    assert np.quantile(errors.reward, share) < 1.0e-3
    assert errors.joints.max() < 0.03 and errors.position.max() < 0.003


@pytest.mark.parametrize(
    ("variant", "reward"), [("rotate_z", "dense"), ("rotate_parallel", "sparse"), ("full", "dense"), ("full", "sparse")]
)
def test_observations_and_rewards_are_the_official_ones(variant, reward):
    """In the same states and under the same goals, near and far, also beyond half a turn."""
    official = official_env(variant, reward)
    draw = np.random.default_rng(0)
    with lab_env(variant, "mujoco", 8, f"env.reward={reward}") as env:
        assert env.max_episode_length == gym.spec(f"{OFFICIAL[variant]}-v1").max_episode_steps
        qpos = env.qpos.numpy().astype(np.float64)
        goal = env.goal.numpy().astype(np.float64)
        # Half of the goals are where the block is.
        goal[:4] = qpos[:4, 24:] + np.concatenate((0.004 * draw.normal(size=(4, 3)), np.zeros((4, 4))), axis=1)
        env.goal[:] = torch.from_numpy(goal).float()
        env._measure()
        reached = (env._distance < env.cfg.distance_threshold) & (env._angle < env.cfg.rotation_threshold)
        env._reached = reached
        env.reset_terminated = torch.zeros(8, dtype=torch.bool)
        rewards = env._get_rewards()
        seen = env._get_observations()["policy"].numpy()
        for e in range(8):
            official.goal = goal[e]
            set_official_state(official, qpos[e], env.qvel[e].numpy())
            np.testing.assert_allclose(seen[e], flat(official._get_obs()), atol=2e-6)
            assert bool(reached[e]) == bool(official._is_success(qpos[e, 24:], goal[e]))
            expected = official.compute_reward(qpos[e, 24:], goal[e], {})
            assert float(rewards[e]) == pytest.approx(expected, abs=2e-3)
        assert reached[:4].any() or variant == "full"


@pytest.mark.parametrize(
    "variant",
    ["rotate_z", "full", *(pytest.param(f"rotate_{kind}", marks=pytest.mark.slow) for kind in ("parallel", "xyz"))],
)
def test_starts_and_goals_are_drawn_as_officially(variant):
    """Means and spreads of positions, velocities and goals agree within the sampling error of both."""
    official = official_env(variant)
    rows = []
    for seed in range(STARTS):
        official.reset(seed=seed)
        rows.append(np.concatenate((official.data.qpos[:NQ], official.data.qvel[:NV], official.goal)))
    expected = np.array(rows)
    with lab_env(variant, "mujoco", num_envs=5 * STARTS) as env:
        drawn = torch.cat((env.qpos, env.qvel, env.goal), dim=-1).numpy()
    spread = np.maximum(expected.std(axis=0), 1e-5)
    error = spread * (1.0 / STARTS + 1.0 / len(drawn)) ** 0.5
    # 68 comparisons: five standard errors; velocities have long tails.
    np.testing.assert_array_less(np.abs(drawn.mean(axis=0) - expected.mean(axis=0)), 5.0 * error + 1e-4)
    poses = np.r_[24:31, 61:68]
    np.testing.assert_allclose(drawn.std(axis=0)[poses], spread[poses], rtol=0.25, atol=1e-3)
    if variant == "full":
        offset = drawn[:, 61:64] - drawn[:, 24:27]
        low, high = np.array(goals.POSITION_RANGE).T
        assert (offset > low - 1e-6).all() and (offset < high + 1e-6).all()


def test_cube_rotations_have_the_official_signs():
    from gymnasium_robotics.utils import rotations

    official = np.array([rotations.euler2quat(euler) for euler in rotations.get_parallel_rotations()])
    ours = goals.parallel_rotations("cpu").numpy()
    agreement = ours @ official.T > 1.0 - 1e-6
    assert (agreement.sum(axis=0) == 1).all() and (agreement.sum(axis=1) == 1).all()


def test_constants_of_goals_are_made_once():
    draws = [lambda kind=kind: goals.draw_rotation(kind, 4, "cpu") for kind in goals.TARGET_ROTATIONS]
    for draw in (*draws, lambda: goals.draw_position_offset(4, "cpu")):
        torch.manual_seed(0)
        first = draw()
        torch.manual_seed(0)
        with CountHostTensors() as made:
            assert torch.equal(draw(), first)
        assert made.count == 0


def test_rotation_vector_turns_the_block_to_its_goal():
    torch.manual_seed(0)
    goal, block = (torch.nn.functional.normalize(torch.randn(64, 4), dim=-1) for _ in range(2))
    for shortest, limit in ((False, 2.0 * np.pi), (True, np.pi)):
        vector = goals.rotation_vector(goal, block, shortest)
        angle = torch.linalg.norm(vector, dim=-1)
        assert angle.max() < limit + 1e-5
        turned = goals.multiply(goals.about(vector, angle), block)
        same = (turned * goal).sum(dim=-1)
        torch.testing.assert_close(same.abs() if shortest else same, torch.ones(64))


def test_reorient_goes_on_with_new_goals_and_ends_with_a_drop():
    with lab_env("reorient_z", "mujoco", 4) as env:
        assert env.max_episode_length == 250
        env.goal[:2, 3:] = env.qpos[:2, 27:]
        turn = goals.about(torch.tensor([[0.0, 0.0, 1.0]]).repeat(2, 1), torch.ones(2))
        env.goal[2:, 3:] = goals.multiply(turn, env.qpos[2:, 27:])
        qpos = env.qpos.clone()
        qpos[3, 24:27] = torch.tensor([1.3, 0.5, 0.03])
        env.set_state(torch.arange(4, dtype=torch.int32), qpos, torch.zeros(4, NV))
        before = env.goal.clone()
        _, rewards, terminated, truncated, extras = env.step(torch.zeros(4, 20))
        assert terminated.tolist() == [False, False, False, True] and not truncated.any()
        assert (rewards[:2] > 200.0).all() and 0.0 < rewards[2] < 2.0 and rewards[3] < -50.0
        renewed = (env.goal[:3, 3:] - before[:3, 3:]).abs().sum(dim=-1) > 1e-3
        assert renewed.tolist() == [True, True, False]
        torch.testing.assert_close(env.goal[:3, :3], before[:3, :3])
        env.episode_length_buf[:] = env.max_episode_length - 1
        env.goal[1, 3:] = env.qpos[1, 27:]
        *_, extras = env.step(torch.zeros(4, 20))
        assert extras["outcome"]["success"].tolist()[:3] == [True, True, False]
        # What is told is the distance from the goal that was reached in the last step, not from the next one.
        assert extras["outcome_value"]["rotation_error"][1] < env.cfg.rotation_threshold


def test_goal_after_goal_lies_around_the_start():
    """Goals in random places do not walk away with the goals before them, nor with another env's start."""
    low, high = torch.tensor(goals.POSITION_RANGE).T
    with lab_env("reorient_z", "mujoco", 4, "env.target_position=random") as env:
        env.copy_starts(torch.tensor([1], dtype=torch.int32), torch.tensor([0]))
        start = env.qpos[:, 24:27].clone()
        assert torch.equal(env._start_position, start)
        for _ in range(9):
            env._reached = torch.ones(4, dtype=torch.bool)
            env._renew_goals()
            offset = env.goal[:, :3] - start
            assert (offset > low - 1e-6).all() and (offset < high + 1e-6).all()


def test_what_was_stepped_in_inference_mode_goes_on_outside():
    with lab_env("reorient_z", "mujoco", 1) as env:
        with torch.inference_mode():
            env.step(torch.zeros(1, 20))
        env.reset()
        env.step(torch.zeros(1, 20))


def test_near_goals_are_near():
    with lab_env("rotate_z_near", "mujoco", 64) as env:
        assert 0.7 < env._angle.max() < 0.79


def test_groups_share_start_and_goal():
    """What the ``episode`` estimator compares: equal starts and goals, and equal motion under equal actions."""
    with lab_env("rotate_z", "mujoco", 8) as env, GroupResets(env, 4):
        seen = torch.cat(list(env.obs_buf.values()), dim=-1).view(2, 4, -1)
        assert (seen - seen[:, :1]).abs().max() < 1e-6 < (seen[0] - seen[1]).abs().max()
        torch.manual_seed(0)
        for _ in range(5):
            env.step((2.0 * torch.rand(2, 1, 20) - 1.0).expand(2, 4, 20).reshape(8, 20))
        moved = env.qpos.view(2, 4, -1)
        assert (moved - moved[:, :1]).abs().max() < 1e-4
        with pytest.raises(UserError, match="group_size=3"):
            GroupResets(env, 3)


def test_description_covers_observations_and_actions():
    with lab_env("rotate_z", "mujoco", 1) as env:
        about = describe_env(env, "Shadow-Hand-Manipulate-Block-CGRPO", ["policy", "goal_error"])
        sizes = {group: tensor.shape[-1] for group, tensor in env.obs_buf.items()}
        assert sum(term["size"] for term in about["observations"]) == sum(sizes.values()) == 74
        assert {group: len(names) for group, names in observation_names(env).items()} == sizes
        (action,) = about["actions"]
        official = official_env("rotate_z").model.actuator_ctrlrange
        np.testing.assert_allclose(action["clip"], official, atol=1e-6)
        assert about["control_rate_hz"] == pytest.approx(25.0)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("env.reward=sprase", "env.reward='sprase': there are dense, sparse, reorient"),
        ("env.goal_bonus=500", "env.goal_bonus=500: env.reward=dense does not read it"),
        ("env.target_rotation=y", "env.target_rotation='y': there are z, parallel, xyz"),
        ("env.scene.env_spacing=2.0", "env.scene.env_spacing=2.0: must be 0.0"),
    ],
)
def test_rules_that_cannot_be_used_are_named(override, message):
    with pytest.raises(ConfigError, match=message), lab_env("rotate_z", "mujoco", 1, override):
        pass
