# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Which environment belongs to whom, when an episode began, and what follows what."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from cgrpo_lab.rollouts import GroupRollout


def make(num_steps=3, num_policies=2, envs_per_policy=2, width=1):
    return GroupRollout(
        num_steps=num_steps,
        num_policies=num_policies,
        envs_per_policy=envs_per_policy,
        obs_dim=width,
        state_dim=width + 1,
        action_dim=width,
        device="cpu",
    )


def fill(rollout, terminated=(), time_outs=(), first=0):
    """Steps whose values tell step and environment: 100 * t + e; ends are given as (step, environment)."""
    envs = torch.arange(rollout.num_envs, dtype=torch.float32)
    flags = {}
    for name, where in (("terminated", terminated), ("time_outs", time_outs)):
        flags[name] = torch.zeros(rollout.num_steps, rollout.num_envs, dtype=torch.bool)
        for t, e in where:
            flags[name][t, e] = True
    for t in range(rollout.num_steps):
        value = (100 * (t + first) + envs).unsqueeze(1)
        rollout.add_action(value, value.expand(-1, 2) + 0.5, value + 0.1, value + 0.2)
        rollout.add_outcome(value[:, 0] + 0.4, flags["terminated"][t], flags["time_outs"][t])
    value = (100 * (rollout.num_steps + first) + envs).unsqueeze(1)
    rollout.finish(value, value.expand(-1, 2) + 0.5)


def test_every_value_is_kept_where_it_belongs():
    rollout = make()
    fill(rollout)
    expected = 100.0 * torch.arange(4).unsqueeze(1) + torch.arange(4)
    assert torch.equal(rollout.observations[..., 0], expected)
    assert torch.equal(rollout.raw_states, (expected + 0.5).unsqueeze(-1).expand(-1, -1, 2))
    for name, offset in (("samples", 0.1), ("means", 0.2)):
        torch.testing.assert_close(getattr(rollout, name)[..., 0], expected[:3] + offset)
    torch.testing.assert_close(rollout.rewards, expected[:3] + 0.4)


def test_the_next_iteration_overwrites_this_one():
    rollout = make()
    fill(rollout)
    fill(rollout, first=10)
    assert rollout.observations[0, 1, 0] == 1001.0 and rollout.step == 0


def test_ends_of_episodes_are_told_apart():
    rollout = make()
    fill(rollout, terminated=[(0, 1)], time_outs=[(2, 3)])
    assert rollout.terminated.nonzero().tolist() == [[0, 1]]
    assert rollout.time_outs.nonzero().tolist() == [[2, 3]]
    assert rollout.dones.nonzero().tolist() == [[0, 1], [2, 3]]


def test_episode_steps_count_from_the_last_end_across_iterations():
    rollout = make()
    fill(rollout, terminated=[(0, 1)], time_outs=[(2, 3)])
    assert rollout.episode_steps.T.tolist() == [[0, 1, 2], [0, 0, 1], [0, 1, 2], [0, 1, 2]]
    assert rollout.clock.tolist() == [3, 2, 3, 0]
    fill(rollout)
    assert rollout.episode_steps.T.tolist() == [[3, 4, 5], [2, 3, 4], [3, 4, 5], [0, 1, 2]]


@given(steps=st.integers(1, 4), policies=st.integers(1, 4), envs=st.integers(1, 4), width=st.integers(1, 3))
def test_per_policy_puts_environment_e_under_policy_e_div_m(steps, policies, envs, width):
    rollout = make(steps, policies, envs)
    values = torch.randn(steps, policies * envs, width)
    result = rollout.per_policy(values)
    assert result.shape == (policies, steps * envs, width)
    for t in range(steps):
        for e in range(policies * envs):
            n, m = e // envs, e % envs
            assert torch.equal(result[n, t * envs + m], values[t, e])
    assert torch.equal(rollout.per_policy(values[..., 0]), result[..., 0])


def test_the_sample_one_step_later_lies_envs_per_policy_further():
    # Eq 10 needs s_{t+1} of the same environment: the update finds it by this stride.
    rollout = make(num_steps=3, num_policies=2, envs_per_policy=2)
    fill(rollout)
    observations = rollout.per_policy(rollout.observations)[..., 0]
    for n in range(2):
        for index in range(6):
            assert observations[n, index + rollout.envs_per_policy] == observations[n, index] + 100.0
