# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Start groups: equal starts, equal motion under equal actions, a common clock, and what the estimator sees."""

from types import SimpleNamespace

import gymnasium as gym
import pytest
import torch

from isaaclab_tasks.utils.hydra import resolve_task_config

import cgrpo_tasks  # noqa: F401  registers the task
from cgrpo_app.errors import UserError
from cgrpo_app.group_resets import GroupResets, start_groups
from cgrpo_lab.advantages import make_estimator
from cgrpo_lab.algorithms import CGRPO
from cgrpo_lab.rollouts import GroupRollout

TASK = "Franka-Reach-CGRPO"
NUM_ENVS, GROUP_SIZE, EPISODE_STEPS = 8, 4, 15


@pytest.fixture(scope="module", params=["mujoco", "newton_mjwarp"])
def env(request):
    """A small environment per preset: groups of four, no observation noise, episodes of half a second."""
    cfg, _ = resolve_task_config(TASK, None, play_mode=True, overrides=[f"physics={request.param}"])
    cfg.scene.num_envs = NUM_ENVS
    cfg.sim.device = "cpu"
    cfg.seed = 7
    cfg.episode_length_s = EPISODE_STEPS / 30
    made = gym.make(TASK, cfg=cfg)
    yield made.unwrapped
    made.close()


@pytest.fixture
def grouped(env):
    """The environment with start groups, just reset."""
    with GroupResets(env, GROUP_SIZE):
        yield env


def observed(env):
    return env.obs_buf["policy"].view(NUM_ENVS // GROUP_SIZE, GROUP_SIZE, -1)


def spread(observations):
    """Largest difference to the first of the group."""
    return (observations - observations[:, :1]).abs().max().item()


def act(env, generator, *, alike):
    actions = torch.rand(NUM_ENVS, 7, generator=generator) * 2.0 - 1.0
    env.step(actions.view(2, GROUP_SIZE, 7)[:, :1].expand(2, GROUP_SIZE, 7).reshape(NUM_ENVS, 7) if alike else actions)


def test_walkers_fall_and_their_groups_begin_together_again():
    """A direct environment whose episodes end early. (First in this file: there can be one simulation at a time.)"""
    cfg, _ = resolve_task_config("Walker2d-CGRPO", None, overrides=["physics=mujoco"])
    cfg.scene.num_envs, cfg.sim.device, cfg.seed, cfg.episode_length_s = 8, "cpu", 7, 120 * 0.008
    made = gym.make("Walker2d-CGRPO", cfg=cfg)
    env, generator = made.unwrapped, torch.Generator().manual_seed(0)
    with GroupResets(env, 4):
        for _ in range(2):
            start = env.obs_buf["policy"].view(2, 4, -1)
            assert spread(start) == 0.0 and not torch.equal(start[0], start[1])
            fallen = torch.zeros(8, dtype=torch.long)
            for _ in range(120):
                env.step(torch.rand(8, 6, generator=generator) * 2.0 - 1.0)
                fallen += env.reset_terminated
            assert fallen.all() and env.reset_buf.all()
        equal = torch.rand(119, 2, 1, 6, generator=generator).expand(-1, 2, 4, 6).reshape(119, 8, 6)
        for actions in equal:
            env.step(actions)
            if env.reset_buf.any():
                break
            assert spread(env.obs_buf["policy"].view(2, 4, -1)) < 1e-3
    made.close()


def test_groups_start_alike_and_differ_from_one_another(grouped):
    env = grouped
    generator = torch.Generator().manual_seed(0)
    starts = []
    for _ in range(3):
        assert spread(observed(env)) < 1e-6
        command = env.command_manager.get_command("ee_pose")
        assert torch.equal(command, command[[0, 0, 0, 0, 4, 4, 4, 4]])
        starts.append(observed(env)[:, 0].clone())
        for step in range(EPISODE_STEPS):
            assert not env.reset_buf.any() or step == 0
            act(env, generator, alike=False)
            if step == 5:
                assert spread(observed(env)) > 0.05
        assert env.reset_time_outs.all()
    assert all((one - other).abs().max() > 0.05 for one, other in zip(starts, starts[1:], strict=False))
    assert (starts[0][0] - starts[0][1]).abs().max() > 0.05


def test_equal_actions_lead_to_equal_motion(grouped):
    env = grouped
    # After an episode of unequal actions, so that whatever is not copied had the chance to differ.
    generator = torch.Generator().manual_seed(1)
    for _ in range(EPISODE_STEPS):
        act(env, generator, alike=False)
    differences = []
    for _ in range(EPISODE_STEPS - 1):
        act(env, generator, alike=True)
        differences.append(spread(observed(env)))
    assert max(differences) < 1e-3, differences


def test_who_is_reset_alone_keeps_its_own_start_and_the_clock_of_its_group(grouped):
    env = grouped
    generator = torch.Generator().manual_seed(3)
    for _ in range(5):
        act(env, generator, alike=False)
    env._reset_idx(torch.tensor([1, 2], dtype=torch.int32))
    command = env.command_manager.get_command("ee_pose")
    assert not torch.equal(command[0], command[1])
    assert not torch.equal(command[1], command[2])
    assert torch.equal(command[0], command[3])
    for step in range(5, EPISODE_STEPS):
        assert torch.equal(env.episode_length_buf, torch.full((NUM_ENVS,), step))
        act(env, generator, alike=False)
    assert env.reset_time_outs.all() and spread(observed(env)) < 1e-6


def test_after_the_block_every_env_starts_on_its_own(env):
    with GroupResets(env, GROUP_SIZE):
        pass
    env.reset()
    assert spread(observed(env)) > 0.05


def test_what_the_episode_estimator_sees(grouped):
    env = grouped
    rollout = GroupRollout(
        num_steps=EPISODE_STEPS,
        num_policies=1,
        envs_per_policy=NUM_ENVS,
        obs_dim=34,
        state_dim=34,
        action_dim=7,
        device="cpu",
    )
    generator = torch.Generator().manual_seed(2)
    for step in range(EPISODE_STEPS):
        rollout.states[step] = env.obs_buf["policy"]
        act(env, generator, alike=False)
        rollout.rewards[step] = env.reward_buf
        rollout.time_outs[step] = env.reset_time_outs
        rollout.episode_steps[step] = step
    estimator = make_estimator(
        "episode", num_states=34, device="cpu", generator=torch.Generator(), group_size=GROUP_SIZE
    )
    result = estimator(rollout)
    assert result.judged.all()
    assert result.diagnostics["complete_groups"] == 2
    assert result.diagnostics["unequal_starts"] == 0


@pytest.mark.parametrize("group_size", [1, 3])
def test_names_a_group_that_does_not_fit(env, group_size):
    with pytest.raises(UserError, match=f"group_size={group_size}"):
        GroupResets(env, group_size)


def test_names_a_rollout_that_does_not_hold_whole_episodes():
    runner = SimpleNamespace(
        alg=CGRPO.__new__(CGRPO), cfg={"num_steps_per_env": 32}, env=SimpleNamespace(max_episode_length=15)
    )
    options = {"num_states": 1, "device": "cpu", "generator": torch.Generator()}
    runner.alg.estimator = make_estimator("least_squares", **options)
    with start_groups(runner):
        pass
    runner.alg.estimator = make_estimator("episode", **options)
    with pytest.raises(UserError, match="num_steps_per_env=32: .* last 15 steps; use agent.num_steps_per_env=30"):
        start_groups(runner)
