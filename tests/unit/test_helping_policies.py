# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What lets policies help one another: shared experience and the replacement of the weakest, by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cgrpo_lab.algorithms.group_adam import GroupAdam
from cgrpo_lab.algorithms.replacement import replace_weakest
from cgrpo_lab.algorithms.sharing import leader_mask, share
from cgrpo_lab.policies import GroupPolicy
from cgrpo_lab.rollouts import GroupRollout


def make_policies(count, obs_dim=1, seed=0):
    return GroupPolicy(
        num_policies=count,
        obs_dim=obs_dim,
        action_dim=1,
        hidden_dims=[8],
        init_log_std=0.0,
        obs_normalization=False,
        generator=torch.Generator().manual_seed(seed),
    )


def two_policies_with_means(*means):
    """Policies that answer every observation with a fixed mean and deviation 1."""
    policy = make_policies(len(means))
    with torch.no_grad():
        policy.weights[-1].zero_()
        policy.biases[-1].copy_(torch.tensor(means).view(-1, 1, 1))
    return policy


def rollout_of(policy, samples):
    """One step in which policy n drew ``samples[n]``."""
    rollout = GroupRollout(
        num_steps=1,
        num_policies=policy.num_policies,
        envs_per_policy=len(samples[0]),
        obs_dim=1,
        state_dim=1,
        action_dim=1,
        device="cpu",
    )
    rollout.samples.copy_(torch.tensor(samples).view(1, -1, 1))
    mean = policy(rollout.observations[:-1].view(policy.num_policies, -1, 1))
    rollout.log_probs.copy_(policy.log_prob(torch.tensor(samples).unsqueeze(2), mean).view(1, -1))
    return rollout


def test_weights_by_hand():
    # Means 0 and 1, deviation 1: pi_0 / pi_1 = exp((u - 1)^2 / 2 - u^2 / 2) = exp(1/2 - u).
    # Policy 1 drew 0 and 2: for policy 0 they weigh min(1, e^.5) = 1 and e^-1.5. Policy 0 drew 0 and 1: for policy 1,
    # e^(u - 1/2) gives e^-.5 and 1. Own samples weigh 1; then every row is divided by its mean.
    policy = two_policies_with_means(0.0, 1.0)
    shared = share(policy, rollout_of(policy, [[0.0, 1.0], [0.0, 2.0]]), torch.tensor([True, True]))
    raw = torch.tensor([[1.0, 1.0, 1.0, math.exp(-1.5)], [math.exp(-0.5), 1.0, 1.0, 1.0]])
    torch.testing.assert_close(shared.weights, raw / raw.mean(dim=1, keepdim=True))
    # Others' samples are worth 1.223 and 1.607 of two own ones: .612 and .803, on average .708.
    assert shared.foreign_share.item() == pytest.approx((1.0 + math.exp(-1.5) + math.exp(-0.5) + 1.0) / 4.0)
    # Log-probabilities are those of the policy that learns: -u^2/2 and -(u - 1)^2/2, less half the logarithm of 2 pi.
    constant = 0.5 * math.log(2.0 * math.pi)
    expected = torch.tensor([[0.0, -0.5, 0.0, -2.0], [-0.5, 0.0, -0.5, -0.5]]) - constant
    torch.testing.assert_close(shared.log_probs, expected)


def test_followers_do_not_listen():
    policy = two_policies_with_means(0.0, 1.0)
    shared = share(policy, rollout_of(policy, [[0.0, 1.0], [0.0, 2.0]]), torch.tensor([False, True]))
    torch.testing.assert_close(shared.weights[0], torch.tensor([2.0, 2.0, 0.0, 0.0]))
    assert (shared.weights[1] > 0.0).all()
    assert shared.foreign_share.item() == pytest.approx((math.exp(-0.5) + 1.0) / 2.0)


@given(seed=st.integers(0, 1000), count=st.integers(2, 4))
def test_equal_policies_share_everything(seed, count):
    policy = two_policies_with_means(*[0.3] * count)
    draws = torch.randn(count, 5, generator=torch.Generator().manual_seed(seed)).tolist()
    shared = share(policy, rollout_of(policy, draws), torch.ones(count, dtype=torch.bool))
    torch.testing.assert_close(shared.weights, torch.ones(count, 5 * count))
    assert shared.foreign_share.item() == pytest.approx(count - 1.0, rel=1e-5)


def test_the_leader_has_the_highest_score():
    assert leader_mask(torch.tensor([1.0, 3.0, 2.0])).tolist() == [False, True, False]


# -- The weakest makes room --------------------------------------------------------------------------------------------


def trained(count=3, obs_dim=4):
    """Policies after an Adam step with gradients of their own."""
    policy = make_policies(count, obs_dim=obs_dim)
    optimizer = GroupAdam(policy.vectors, max_grad_norm=1.0)
    mean = policy(torch.randn(count, 6, obs_dim, generator=torch.Generator().manual_seed(1)))
    (mean.square().sum() + (policy.log_std * torch.arange(float(count)).unsqueeze(1)).sum()).backward()
    optimizer.step(0.01)
    return policy, optimizer


def test_without_noise_the_weakest_becomes_the_best():
    policy, optimizer = trained()
    before = policy.vectors.detach().clone()
    scores = replace_weakest(policy, optimizer, torch.tensor([2.0, -1.0, 5.0]), 0.0, torch.Generator())
    assert torch.equal(policy.vectors, before[[0, 2, 2]]) and not torch.equal(before[1], before[2])
    for moment in (optimizer.mean, optimizer.square):
        assert torch.equal(moment[1], moment[2]) and not torch.equal(moment[0], moment[2])
    assert scores.tolist() == [2.0, 2.0, 5.0]  # the mean of 2, -1 and 5


def test_policies_with_equal_scores_stay_what_they_are():
    policy, optimizer = trained()
    before = policy.vectors.detach().clone()
    replace_weakest(policy, optimizer, torch.zeros(3), 0.2, torch.Generator().manual_seed(0))
    assert torch.equal(policy.vectors, before)


def test_noise_is_relative_to_the_parameters_of_a_layer():
    policy, optimizer = trained(obs_dim=256)
    with torch.no_grad():
        policy.weights[0].mul_(100.0)
    before = policy.vectors.detach().clone()
    replace_weakest(policy, optimizer, torch.tensor([2.0, -1.0, 5.0]), 0.2, torch.Generator().manual_seed(0))
    assert torch.equal(policy.vectors[[0, 2]], before[[0, 2]])
    for now, best in zip(policy.split(policy.vectors.detach()), policy.split(before), strict=True):
        change = (now[1] - best[2]).square().mean().sqrt() / best[2].square().mean().sqrt()
        if best[2].numel() >= 1000:
            assert change.item() == pytest.approx(0.2, rel=0.05)
        elif best[2].numel() >= 8:
            assert 0.08 < change < 0.4
