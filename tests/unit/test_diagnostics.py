# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What an iteration tells about itself, by hand and by other implementations, and what is said when it looks bad."""

import itertools
import logging
import math

import pytest
import sklearn.metrics
import torch
from dummy_env import DummyEnv, runner_cfg
from hypothesis import given
from hypothesis import strategies as st

from cgrpo_lab.algorithms import CGRPO
from cgrpo_lab.algorithms.diagnostics import diagnose, policy_distances, reward_distribution, silhouette
from cgrpo_lab.algorithms.loss import Comparison, ratio_statistics
from cgrpo_lab.policies import GroupPolicy
from cgrpo_lab.rollouts import GroupRollout
from cgrpo_lab.runners.warning_signs import PATIENCE, SIGNS, WarningSigns


def test_reward_distribution_by_hand():
    # Means of the environments 1, 3, 5, 7, 9; all rewards lie 1 around them, so their variance is 8 + 1.
    means = torch.tensor([1.0, 3.0, 5.0, 7.0, 9.0])
    found = reward_distribution(torch.stack((means - 1.0, means + 1.0)))
    assert found["Reward/p50"] == 5.0 and found["Reward/std"] == 3.0
    assert found["Reward/p10"].item() == pytest.approx(1.8) and found["Reward/p90"].item() == pytest.approx(8.2)


def test_policy_distances_by_hand():
    # Means 0 and 2 everywhere, deviations 1 and e: log ratio of deviations + (variance + 4) / (2 variance) - 1/2.
    policy = GroupPolicy(num_policies=2, obs_dim=3, action_dim=1, hidden_dims=[4], obs_normalization=False)
    with torch.no_grad():
        policy.weights[-1].zero_()
        policy.biases[-1].copy_(torch.tensor([0.0, 2.0]).view(2, 1, 1))
        policy.log_std.copy_(torch.tensor([[0.0], [1.0]]))
    there = 1.0 + 5.0 / (2.0 * math.e**2) - 0.5
    back = -1.0 + (math.e**2 + 4.0) / 2.0 - 0.5
    torch.testing.assert_close(policy_distances(policy, torch.randn(700, 3)), torch.tensor([[0.0, there], [back, 0.0]]))


@given(seed=st.integers(0, 10_000), num_groups=st.integers(2, 4))
def test_silhouette_equals_scikit_learn_s(seed, num_groups):
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(9, 4, generator=generator)
    groups = torch.cat((torch.arange(num_groups), torch.randint(num_groups, (9 - num_groups,), generator=generator)))
    expected = sklearn.metrics.silhouette_score(points, groups)
    assert silhouette(points, groups, num_groups).item() == pytest.approx(expected, abs=1e-4)
    # A group that nobody is in changes nothing.
    assert silhouette(points, groups, num_groups + 1).item() == pytest.approx(expected, abs=1e-4)


def test_one_group_has_no_silhouette():
    assert silhouette(torch.randn(4, 2), torch.zeros(4, dtype=torch.long), 2) == 0.0


def test_ratio_statistics_by_hand():
    # Ratios 0.5, 1.1, 1.5 and 1 with clip 0.2: one below, one above; minibatches count alike whatever their size.
    ratios = [(torch.tensor([[0.5, 1.1, 1.5]]).log(), None), (torch.tensor([[1.0]]).log(), None)]
    found = ratio_statistics(ratios, torch.tensor([0.2]))
    third, half = 1.0 / 3.0, 0.5
    assert found["clip_fraction_low"].item() == found["clip_fraction_high"].item() == pytest.approx(third * half)
    assert found["clip_fraction"].item() == pytest.approx(2.0 * third * half)
    kl = sum(ratio - 1.0 - math.log(ratio) for ratio in (0.5, 1.1, 1.5))
    assert found["kl"].item() == pytest.approx(kl * third * half, rel=1e-5)


def test_ratio_statistics_of_weighted_samples_by_hand():
    # Ratio 0.5 weighs three times what 1.5 does.
    ratios = [(torch.tensor([[0.5, 1.5]]).log(), torch.tensor([[1.5, 0.5]]))]
    found = ratio_statistics(ratios, torch.tensor([0.2]))
    assert found["clip_fraction_low"].item() == pytest.approx(0.75)
    assert found["clip_fraction_high"].item() == pytest.approx(0.25)
    kl = 0.75 * (0.5 - 1.0 - math.log(0.5)) + 0.25 * (1.5 - 1.0 - math.log(1.5))
    assert found["kl"].item() == pytest.approx(kl, rel=1e-5)


def test_policies_and_groups_by_hand():
    # Entropies differ from that of deviation 1, log(2 pi e) / 2, by the log deviations, whose mean is 1/2. Two of three
    # policies are in group 1, and nobody in group 2.
    means, log_stds = [0.0, 2.0, 5.0], [0.0, 1.0, 0.5]
    policy = GroupPolicy(num_policies=3, obs_dim=2, action_dim=1, hidden_dims=[4], obs_normalization=False)
    with torch.no_grad():
        policy.weights[-1].zero_()
        policy.biases[-1].copy_(torch.tensor(means).view(3, 1, 1))
        policy.log_std.copy_(torch.tensor(log_stds).view(3, 1))
    rollout = GroupRollout(
        num_steps=1, num_policies=3, envs_per_policy=2, obs_dim=2, state_dim=2, action_dim=1, device="cpu"
    )
    of = Comparison(torch.zeros(3, 2), torch.tensor([0.2, 0.3, 0.3]), torch.tensor([0, 1, 1]), torch.randn(3, 4), None)
    found = diagnose(policy, rollout, of, num_groups=3)
    assert found["Policy/entropy"].item() == pytest.approx(0.5 * math.log(2.0 * math.pi * math.e) + 0.5)
    distances = []
    for i, j in itertools.permutations(range(3), 2):
        square = math.exp(2.0 * log_stds[i]) + (means[i] - means[j]) ** 2
        distances.append(log_stds[j] - log_stds[i] + square / (2.0 * math.exp(2.0 * log_stds[j])) - 0.5)
    assert found["Group/policy_distance"].item() == pytest.approx(sum(distances) / 6.0, rel=1e-5)
    assert found["Group/policy_distance_min"].item() == pytest.approx(min(distances), rel=1e-5)
    assert found["Group/largest_share"].item() == pytest.approx(2.0 / 3.0)
    assert [found[f"Group/clip_{k}"].item() for k in range(3)] == pytest.approx([0.2, 0.3, 0.0])


def test_an_iteration_tells_everything():
    env = DummyEnv(12)
    cfg = runner_cfg(num_steps=6, num_policies=3, num_groups=2, adaptive_clip=True, reference_size=1, sharing="all")
    alg = CGRPO.construct_algorithm(env.get_observations(), env, {**cfg, "multi_gpu": None}, "cpu")
    with torch.inference_mode():
        obs = env.get_observations()
        for _ in range(6):
            obs, rewards, dones, extras = env.step(alg.act(obs))
            alg.process_env_step(obs, rewards, dones, extras)
        alg.compute_returns(obs)
    losses = alg.update()
    assert {"kl", "clip_fraction", "clip_fraction_low", "clip_fraction_high"} <= losses.keys()
    expected = {
        *("Advantage/explained_variance", "Policy/entropy", "Policy/reward_2", "Reward/p10", "Reward/std"),
        *("Group/zero_variance", "Group/silhouette", "Group/largest_share", "Group/clip_0", "Group/clip_1"),
        *("Group/policy_distance", "Group/policy_distance_min", "Group/foreign_share"),
    }
    assert expected <= alg.metrics.keys()
    assert all(value.shape == () and value.isfinite() for value in alg.metrics.values())


# -- Warnings ----------------------------------------------------------------------------------------------------------

BAD = {
    "Group/policy_distance_min": (0.011, 0.009),
    "Reward/std": (0.021, 0.019),
    "Group/zero_variance": (0.0, 1.0),
    "Advantage/explained_variance": (0.01, -0.01),
    "Advantage/fallback_share": (0.49, 0.51),
    "Loss/clip_fraction": (0.49, 0.51),
}
"""A good and a bad value of every sign, on both sides of its threshold where the largest one so far is 2."""


@pytest.mark.parametrize("sign", SIGNS, ids=[sign.metric for sign in SIGNS])
def test_a_sign_that_lasts_is_told_once_with_what_to_do(sign, caplog):
    good, bad = BAD[sign.metric]
    signs = WarningSigns()
    with caplog.at_level(logging.WARNING):
        signs.look({sign.metric: 2.0}, 0)
        for i in range(3 * PATIENCE):
            signs.look({sign.metric: good, "Train/mean_reward": 0.0}, i)
        for i in range(PATIENCE - 1):
            signs.look({sign.metric: bad}, i)
        signs.look({sign.metric: good}, 0)
        for i in range(PATIENCE - 1):
            signs.look({sign.metric: bad}, i)
        assert not caplog.records
        for i in range(3 * PATIENCE):
            signs.look({sign.metric: bad}, 100 + i)
    (record,) = caplog.records
    assert sign.metric in record.message and "iteration 100" in record.message and "agent." in record.message


def test_every_sign_is_tested():
    assert {sign.metric for sign in SIGNS} == set(BAD)
