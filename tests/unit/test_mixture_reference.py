# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The reference policy: an equal-weight mixture of the best, frozen until it is updated."""

import copy
import math

import pytest
import torch

from cgrpo_lab.policies import GroupPolicy
from cgrpo_lab.reference import MixtureReference

N, B, D, A = 4, 6, 3, 2


def random(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def make_policy(seed=0, **changes):
    policy = GroupPolicy(num_policies=N, obs_dim=D, action_dim=A, hidden_dims=(5,), **changes)
    with torch.no_grad():
        for i, parameter in enumerate(policy.parameters()):
            parameter.copy_(0.5 * random(seed + i, *parameter.shape))
    policy.update_normalization(2.0 * random(seed, 30, D) + 1.0)
    return policy


def plain_log_prob(policy, members, obs, sample):
    """Log of the mean density of the members at one sample, float64."""
    density = 0.0
    mean = policy(obs.expand(N, 1, D)).double()
    for m in members:
        normal = torch.distributions.Normal(mean[m, 0], policy.log_std[m].double().exp())
        density += math.exp(normal.log_prob(sample.double()).sum().item())
    return math.log(density / len(members))


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("normalization", [True, False])
def test_density_is_the_mean_of_the_members_of_the_highest_scores(size, normalization):
    policy = make_policy(obs_normalization=normalization)
    reference = MixtureReference(policy, size)
    reference.update(policy, torch.tensor([0.2, -1.0, 0.9, 0.5]))
    members = [2, 3, 0, 1][:size]
    obs, samples = random(1, N, B, D), random(2, N, B, A)
    result = reference.log_prob(policy.obs_normalizer(obs), samples)
    assert result.shape == (N, B)
    for n in range(N):
        for b in range(B):
            expected = plain_log_prob(policy, members, obs[n, b], samples[n, b])
            assert result[n, b].item() == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_mixing_policies_is_not_mixing_parameters():
    # Means -3 and 3, deviation 1: the mixture has no mass at 0, the policy with averaged parameters has its most.
    policy = GroupPolicy(num_policies=2, obs_dim=1, action_dim=1, hidden_dims=(), init_log_std=0.0)
    with torch.no_grad():
        policy.weights[0].zero_()
        policy.biases[0].copy_(torch.tensor([-3.0, 3.0]).view(2, 1, 1))
    reference = MixtureReference(policy, 2)
    at_zero = reference.log_prob(torch.zeros(2, 1, 1), torch.zeros(2, 1, 1))
    at_three = reference.log_prob(torch.zeros(2, 1, 1), torch.full((2, 1, 1), 3.0))
    assert (at_three - at_zero).min() > 3.0


def test_reference_is_frozen_until_its_update():
    policy = make_policy()
    reference = MixtureReference(policy, 2)
    obs, samples = random(1, N, B, D), random(2, N, B, A)
    before = reference.log_prob(obs, samples)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(0.5)
    assert torch.equal(reference.log_prob(obs, samples), before)
    assert not any(parameter.requires_grad for parameter in reference.parameters())
    reference.update(policy, torch.zeros(N))
    assert not torch.allclose(reference.log_prob(obs, samples), before)


def test_gradients_reach_the_samples_but_not_the_reference():
    reference = MixtureReference(make_policy(), 2)
    samples = random(2, N, B, A).requires_grad_()
    reference.log_prob(random(1, N, B, D), samples).sum().backward()
    assert samples.grad.abs().sum() > 0.0
    assert all(parameter.grad is None for parameter in reference.parameters())


def test_state_dict_round_trip():
    policy = make_policy()
    reference = MixtureReference(policy, 3)
    reference.update(policy, random(0, N))
    other = MixtureReference(make_policy(seed=50), 3)
    other.load_state_dict(copy.deepcopy(reference.state_dict()))
    obs, samples = random(1, N, B, D), random(2, N, B, A)
    assert torch.equal(other.log_prob(obs, samples), reference.log_prob(obs, samples))


def test_log_density_is_finite_far_away():
    # The densities themselves underflow to zero in float32 here.
    reference = MixtureReference(make_policy(), 2)
    assert reference.log_prob(torch.zeros(N, B, D), torch.full((N, B, A), 50.0)).isfinite().all()


@pytest.mark.parametrize("size", [0, -1, N + 1])
def test_a_size_out_of_range_is_named(size):
    with pytest.raises(ValueError, match=f"reference_size={size}.*num_policies={N}"):
        MixtureReference(make_policy(), size)
