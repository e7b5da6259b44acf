# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Start groups of the reaching task: equal starts, equal motion under equal actions, and what the estimator sees."""

import gymnasium as gym
import pytest
import torch

from isaaclab_tasks.utils.hydra import resolve_task_config

import cgrpo_tasks  # noqa: F401  registers the task
from cgrpo_app.errors import UserError
from cgrpo_app.group_resets import GroupResets
from cgrpo_lab.advantages import make_estimator
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
    GroupResets(made.unwrapped, GROUP_SIZE)
    yield made.unwrapped
    made.close()


def observed(env):
    return env.obs_buf["policy"].view(NUM_ENVS // GROUP_SIZE, GROUP_SIZE, -1)


def spread(observations):
    """Largest difference to the first of the group."""
    return (observations - observations[:, :1]).abs().max().item()


def act(env, generator, *, alike):
    actions = torch.rand(NUM_ENVS, 7, generator=generator) * 2.0 - 1.0
    env.step(actions.view(2, GROUP_SIZE, 7)[:, :1].expand(2, GROUP_SIZE, 7).reshape(NUM_ENVS, 7) if alike else actions)


def test_groups_start_alike_and_differ_from_one_another(env):
    generator = torch.Generator().manual_seed(0)
    starts = []
    env.reset()
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


def test_equal_actions_lead_to_equal_motion(env):
    # After an episode of unequal actions, so that whatever is not copied had the chance to differ.
    generator = torch.Generator().manual_seed(1)
    env.reset()
    for _ in range(EPISODE_STEPS):
        act(env, generator, alike=False)
    differences = []
    for _ in range(EPISODE_STEPS - 1):
        act(env, generator, alike=True)
        differences.append(spread(observed(env)))
    assert max(differences) < 1e-3, differences


def test_who_is_reset_alone_keeps_its_own_start(env):
    env.reset()
    env._reset_idx(torch.tensor([1, 2], dtype=torch.int32))
    command = env.command_manager.get_command("ee_pose")
    assert not torch.equal(command[0], command[1])
    assert not torch.equal(command[1], command[2])
    assert torch.equal(command[0], command[3])


def test_what_the_episode_estimator_sees(env):
    env.reset()
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
