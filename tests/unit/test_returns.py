# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Returns and lambda advantages against arithmetic by hand, plain loops and rsl_rl."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rsl_rl.algorithms import PPO
from synthetic_rollouts import random_rollout

from cgrpo_lab.advantages.returns import decayed_sum_to_go, generalised_advantage, return_to_go, successor


def column(*values):
    """One environment's time series, [T, 1]."""
    return torch.tensor(values)[:, None]


def plain_return(rollout, gamma, tail_values, time_out_values):
    """Return-to-go by its definition: add up until the episode or the rollout ends (float64 python)."""
    num_steps, num_envs = rollout.rewards.shape
    result = torch.zeros(num_steps, num_envs, dtype=torch.float64)
    for e in range(num_envs):
        for start in range(num_steps):
            total, discount = 0.0, 1.0
            for t in range(start, num_steps):
                total += discount * rollout.rewards[t, e].item()
                discount *= gamma
                if rollout.terminated[t, e]:
                    break
                if rollout.time_outs[t, e]:
                    total += discount * time_out_values[t, e].item()
                    break
            else:
                total += discount * tail_values[e].item()
            result[start, e] = total
    return result


def rsl_rl_advantage(rollout, values, gamma, lam):
    """Advantages [T, E] as rsl_rl computes them, including what it adds to the reward at a time-out."""
    num_steps, num_envs = rollout.rewards.shape
    rewards = rollout.rewards + gamma * values[:-1] * rollout.time_outs
    storage = SimpleNamespace(
        num_transitions_per_env=num_steps,
        values=values[:-1, :, None],
        rewards=rewards[..., None],
        dones=rollout.dones[..., None],
        returns=torch.zeros(num_steps, num_envs, 1),
    )

    class Critic:
        def __call__(self, obs):
            return values[-1, :, None]

        def get_hidden_state(self):
            return None

        def reset(self, hidden_state):
            pass

    ppo = SimpleNamespace(
        storage=storage, critic=Critic(), gamma=gamma, lam=lam, normalize_advantage_per_mini_batch=True
    )
    PPO.compute_returns(ppo, None)
    return storage.advantages[..., 0]


def test_return_to_go_by_hand():
    # gamma 1/2, rewards 1 2 4, tail value 8: G_2 = 4 + 8/2 = 8, G_1 = 2 + 8/2 = 6, G_0 = 1 + 6/2 = 4.
    no_end = column(False, False, False)
    result = return_to_go(
        column(1.0, 2.0, 4.0),
        no_end,
        no_end,
        gamma=0.5,
        tail_values=torch.tensor([8.0]),
        time_out_values=column(9.0, 9.0, 9.0),
    )
    assert result.tolist() == [[4.0], [6.0], [8.0]]


@pytest.mark.parametrize(
    ("terminated", "time_out", "expected"),
    [
        (True, False, [2.0, 2.0, 8.0]),  # nothing follows the 2: G_1 = 2, G_0 = 1 + 2/2
        (False, True, [4.0, 6.0, 8.0]),  # V(s_1) = 8 follows: G_1 = 2 + 8/2 = 6, G_0 = 1 + 6/2 = 4
        (True, True, [2.0, 2.0, 8.0]),  # the termination counts
    ],
)
def test_return_to_go_at_an_episode_end(terminated, time_out, expected):
    result = return_to_go(
        column(1.0, 2.0, 4.0),
        column(False, terminated, False),
        column(False, time_out, False),
        gamma=0.5,
        tail_values=torch.tensor([8.0]),
        time_out_values=column(9.0, 8.0, 9.0),
    )
    assert result[:, 0].tolist() == expected


def test_return_to_go_ignores_time_out_values_elsewhere():
    end = column(False, False)
    result = return_to_go(
        column(1.0, 1.0),
        end,
        end,
        gamma=0.5,
        tail_values=torch.tensor([0.0]),
        time_out_values=column(torch.nan, torch.nan),
    )
    assert result[:, 0].tolist() == [1.5, 1.0]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), ends=st.sampled_from([0.0, 0.1, 0.5]), gamma=st.sampled_from([0.0, 0.9, 0.99]))
def test_return_to_go_equals_its_definition(seed, ends, gamma):
    rollout = random_rollout(7, 3, 2, seed=seed, ends=ends)
    tail, at_time_out = rollout.states[-1, :, 0], rollout.states[:-1, :, 1]
    result = return_to_go(
        rollout.rewards,
        rollout.terminated,
        rollout.time_outs,
        gamma=gamma,
        tail_values=tail,
        time_out_values=at_time_out,
    )
    torch.testing.assert_close(result.double(), plain_return(rollout, gamma, tail, at_time_out), rtol=1e-5, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    ends=st.sampled_from([0.0, 0.1, 0.5]),
    gamma=st.sampled_from([0.0, 0.9, 0.99]),
    lam=st.sampled_from([0.0, 0.95, 1.0]),
)
def test_generalised_advantage_equals_rsl_rl(seed, ends, gamma, lam):
    rollout = random_rollout(9, 4, 2, seed=seed, ends=ends)
    values = rollout.states[..., 1].clone()
    result = generalised_advantage(rollout.rewards, values, rollout.terminated, rollout.time_outs, gamma=gamma, lam=lam)
    torch.testing.assert_close(result, rsl_rl_advantage(rollout, values, gamma, lam), rtol=1e-5, atol=1e-5)


def test_generalised_advantage_by_hand():
    # gamma = lambda = 1/2, rewards 1 1, values 2 4 | 8: delta_1 = 1 + 8/2 - 4 = 1, delta_0 = 1 + 4/2 - 2 = 1,
    # A_1 = 1, A_0 = 1 + 1/4 * 1 = 1.25.
    end = column(False, False)
    result = generalised_advantage(column(1.0, 1.0), column(2.0, 4.0, 8.0), end, end, gamma=0.5, lam=0.5)
    assert result[:, 0].tolist() == [1.25, 1.0]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_with_lambda_one_the_advantage_is_return_minus_value(seed):
    rollout = random_rollout(8, 3, 2, seed=seed, ends=0.2)
    values = rollout.states[..., 1].clone()
    ends = (rollout.terminated, rollout.time_outs)
    advantages = generalised_advantage(rollout.rewards, values, *ends, gamma=0.9, lam=1.0)
    returns = return_to_go(rollout.rewards, *ends, gamma=0.9, tail_values=values[-1], time_out_values=values[:-1])
    torch.testing.assert_close(advantages, returns - values[:-1], rtol=1e-4, atol=1e-5)


def test_successor_of_feature_vectors():
    features = torch.arange(8.0).reshape(4, 1, 2)
    result = successor(features, column(False, True, False), column(False, False, True))
    # Goes on: features[1]; terminated: zero; time-out: features[2], not features[3].
    assert result[:, 0].tolist() == [[2.0, 3.0], [0.0, 0.0], [4.0, 5.0]]


def test_decayed_sum_to_go_leaves_its_arguments_alone():
    terms, decay, last = column(1.0, 1.0), column(0.5, 0.5), torch.tensor([2.0])
    assert decayed_sum_to_go(terms, decay, last)[:, 0].tolist() == [2.0, 2.0]
    assert terms[:, 0].tolist() == [1.0, 1.0]
    assert last.tolist() == [2.0]
