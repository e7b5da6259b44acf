# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The equations of the objective against arithmetic by hand and plain float64 loops."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cgrpo_lab.algorithms import objective

seeds = st.integers(0, 10_000)


def random(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# -- Eq 4: trajectory features -----------------------------------------------------------------------------------------


def test_features_keep_the_paper_s_order():
    features = objective.trajectory_features(*(torch.full((2,), x) for x in (1.0, 2.0, 3.0, 4.0)))
    assert features.tolist() == [[1.0, 2.0, 3.0, 4.0]] * 2


def test_features_are_standardised_by_hand():
    # Column 0: 1, 3 -> mean 2, population deviation 1 -> -1, 1. Column 1 is a thousand times larger: same result.
    # Column 2 is equal for all: zero, not a division by zero.
    features = torch.tensor([[1.0, 1000.0, 7.0], [3.0, 3000.0, 7.0]])
    assert objective.standardize_features(features).tolist() == [[-1.0, -1.0, 0.0], [1.0, 1.0, 0.0]]


def test_features_are_standardised_by_those_of_the_rollout():
    # Mean 2 and deviation 1 of the reference: (5 - 2) / 1 = 3.
    reference = torch.tensor([[1.0], [3.0]])
    assert objective.standardize_features(torch.tensor([[5.0], [2.0]]), reference).tolist() == [[3.0], [0.0]]


@given(size=st.integers(2, 12), value=st.floats(-1e3, 1e3, width=32), step=st.floats(0.0, 1e-3))
def test_an_equal_feature_is_not_magnified(size, value, step):
    # Rounding of the mean must not be taken for a deviation: a small step away from it would come out as thousands.
    reference = torch.full((size, 1), value)
    moved = objective.standardize_features(reference + step, reference)
    assert moved.abs().max() <= 2.0 * step + 1e-3


# -- Eq 8: group normalisation and clipped surrogate -------------------------------------------------------------------


def plain_group_normalization(advantages, groups, num_groups):
    """Eq 8 group by group in float64, and the deviations."""
    result, stds = np.zeros_like(advantages, dtype=np.float64), np.zeros(num_groups)
    for k in range(num_groups):
        rows = [i for i, g in enumerate(groups) if g == k]
        if rows:
            samples = advantages[rows].astype(np.float64)
            stds[k] = samples.std(ddof=1)
            result[rows] = (samples - samples.mean()) / stds[k]
    return result, stds


@given(seed=seeds, num_groups=st.integers(1, 4), num_policies=st.integers(1, 6), samples=st.integers(8, 20))
def test_group_normalization_equals_a_plain_loop(seed, num_groups, num_policies, samples):
    advantages = 5.0 * random(seed, num_policies, samples) + 3.0
    groups = torch.randint(num_groups, (num_policies,), generator=torch.Generator().manual_seed(seed))
    normalized, std, degenerate = objective.normalize_by_group(advantages, groups, num_groups)
    expected, stds = plain_group_normalization(advantages.numpy(), groups.tolist(), num_groups)
    np.testing.assert_allclose(normalized, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(std, stds, rtol=1e-4)
    assert degenerate == 0


@given(seed=seeds, scale=st.floats(0.01, 1e4), shift=st.floats(-100.0, 100.0))
def test_group_normalization_ignores_unit_and_offset_of_the_rewards(seed, scale, shift):
    groups = torch.tensor([0, 1, 1])
    advantages = random(seed, 3, 10)
    first = objective.normalize_by_group(advantages, groups, 2)[0]
    second = objective.normalize_by_group(scale * (advantages + shift), groups, 2)[0]
    torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-3)


def test_group_normalization_by_hand():
    # Group 0 (policies 0 and 2): 1 1 1 1 and 3 3 3 3: mean 2, sum of squares 8, variance 8/7.
    # Group 1 (policy 1): 0 0 0 0 10 10 10 10 would need 8 samples; here 0 0 10 10: fewer than 8, so only centred at 5
    # and divided by the deviation of all 12 samples: mean (4 + 12 + 20) / 12 = 3, squares 4 * 4 + 0 + 2 * 9 + 2 * 49
    # = 132, variance 132 / 11 = 12.
    advantages = torch.tensor([[1.0] * 4, [0.0, 0.0, 10.0, 10.0], [3.0] * 4])
    normalized, std, degenerate = objective.normalize_by_group(advantages, torch.tensor([0, 1, 0]), 2)
    one = 1.0 / math.sqrt(8.0 / 7.0)
    five = 5.0 / math.sqrt(12.0)
    torch.testing.assert_close(normalized, torch.tensor([[-one] * 4, [-five, -five, five, five], [one] * 4]))
    torch.testing.assert_close(std, torch.tensor([math.sqrt(8.0 / 7.0), math.sqrt(100.0 / 3.0)]))
    assert degenerate == 0


@pytest.mark.parametrize("value", [0.0, 0.1, -1234.567, 1e6])
def test_a_group_without_variance_is_skipped_and_counted(value):
    # Policy 0 is a group whose samples are all equal; group 2 has no member at all and is not counted.
    advantages = torch.stack((torch.full((9,), value), torch.arange(9.0)))
    normalized, std, degenerate = objective.normalize_by_group(advantages, torch.tensor([0, 1]), 3)
    assert normalized[0].abs().max() <= 1e-6 * (1.0 + abs(value))
    assert normalized[1].std() == pytest.approx(1.0, rel=1e-5)
    assert degenerate == 1
    assert std.isfinite().all()


@pytest.mark.parametrize("samples", range(1, 8))
def test_fewer_than_eight_samples_are_never_divided_by_their_deviation(samples):
    # 2, 4, 6, ... of a single policy: there is no larger set to take a deviation from, so they are only centred.
    advantages = 2.0 * torch.arange(1.0, samples + 1.0).unsqueeze(0)
    normalized, std, _ = objective.normalize_by_group(advantages, torch.tensor([0]), 1)
    torch.testing.assert_close(normalized, advantages - advantages.mean())
    assert std.isfinite().all()


def test_clipped_surrogate_by_hand():
    # Ratios 1.5, 1.1, 0.5, 0.5 with clip 0.2 and advantages 1, 1, 1, -1:
    # min(1.5, 1.2) = 1.2; 1.1; min(0.5, 0.8) = 0.5; min(-0.5, -0.8) = -0.8: sum 2.0, mean 0.5.
    ratio = torch.tensor([[1.5, 1.1, 0.5, 0.5]])
    value = objective.clipped_surrogate(ratio.log(), torch.tensor([[1.0, 1.0, 1.0, -1.0]]), torch.tensor([0.2]))
    assert value.item() == pytest.approx(0.5, rel=1e-6)


@given(seed=seeds)
def test_clipped_surrogate_equals_a_plain_loop_with_a_clip_range_per_policy(seed):
    log_ratio, advantages, weights = random(seed, 3, 5), random(seed + 2, 3, 5), random(seed + 3, 3, 5).abs()
    clip = torch.tensor([0.1, 0.2, 0.4])
    value = objective.clipped_surrogate(log_ratio, advantages, clip, weights)
    for n in range(3):
        total = 0.0
        for b in range(5):
            ratio = math.exp(log_ratio[n, b].item())
            limited = min(max(ratio, 1.0 - clip[n].item()), 1.0 + clip[n].item())
            total += weights[n, b].item() * min(ratio * advantages[n, b].item(), limited * advantages[n, b].item())
        assert value[n].item() == pytest.approx(total / 5, rel=1e-4, abs=1e-5)


def test_clipped_surrogate_has_a_gradient_only_where_it_may_still_improve():
    # Too large with a positive advantage, too small with a negative one: clipped, no gradient. Elsewhere it is ratio A.
    log_ratio = torch.tensor([[0.5, -0.5, -0.5, 0.5]], requires_grad=True)
    advantages = torch.tensor([[1.0, -1.0, 1.0, -1.0]])
    objective.clipped_surrogate(log_ratio, advantages, torch.tensor([0.2])).sum().backward()
    expected = torch.tensor([[0.0, 0.0, math.exp(-0.5) / 4, -math.exp(0.5) / 4]])
    torch.testing.assert_close(log_ratio.grad, expected)


# -- Eq 9: adaptive clip range -----------------------------------------------------------------------------------------


def test_adaptive_clip_by_hand():
    # sigma_global 2: a calm group keeps 0.2, one with sigma 3 gets 0.2 * 1.5, one with 100 is capped at 0.2 * 2.
    clip = objective.adaptive_clip(0.2, torch.tensor([0.0, 1.0, 3.0, 100.0]), torch.tensor(2.0), 2.0)
    torch.testing.assert_close(clip, torch.tensor([0.2, 0.2, 0.3, 0.4]))


def test_adaptive_clip_uses_the_spread_before_normalization():
    # After eq 8 every group has deviation 1 and eq 9 would do nothing.
    advantages = torch.cat((random(0, 1, 400), 10.0 * random(1, 1, 400)))
    groups = torch.tensor([0, 1])
    normalized, std, _ = objective.normalize_by_group(advantages, groups, 2)
    clip = objective.adaptive_clip(0.2, std, advantages.std(), 2.0)
    factor = (advantages[1].std() / advantages.std()).item()
    assert 1.2 < factor < 2.0
    torch.testing.assert_close(clip, torch.tensor([0.2, 0.2 * factor]))
    torch.testing.assert_close(normalized.std(dim=1), torch.ones(2))


@given(seed=seeds, factor=st.floats(1.0, 5.0))
def test_adaptive_clip_stays_between_base_and_cap(seed, factor):
    std = random(seed, 6).abs()
    clip = objective.adaptive_clip(0.2, std, std.mean(), factor)
    assert (clip >= 0.2 - 1e-6).all() and (clip <= 0.2 * factor + 1e-6).all()


def test_adaptive_clip_without_any_spread_is_the_base():
    assert objective.adaptive_clip(0.2, torch.zeros(2), torch.tensor(0.0), 2.0).tolist() == pytest.approx([0.2, 0.2])


# -- Eq 10: temporal smoothness ----------------------------------------------------------------------------------------


def test_smoothness_by_hand_leaves_out_pairs_across_episode_ends():
    # Changes (3, 4) -> 5, (0, 1) -> 1, (100, 0) across an end: (5 + 1) / 2 = 3. The second policy has no pair at all.
    mean = torch.zeros(2, 3, 2)
    following = torch.tensor([[[3.0, 4.0], [0.0, 1.0], [100.0, 0.0]]] * 2)
    same_episode = torch.tensor([[True, True, False], [False] * 3])
    value = objective.smoothness(mean, following, same_episode)
    torch.testing.assert_close(value, torch.tensor([3.0, 0.0]))


def test_smoothness_has_a_finite_gradient_where_nothing_changes():
    mean = torch.zeros(1, 2, 3, requires_grad=True)
    objective.smoothness(mean, torch.zeros(1, 2, 3), torch.ones(1, 2, dtype=torch.bool)).sum().backward()
    assert mean.grad.isfinite().all()


def test_smoothness_gradient_ignores_masked_pairs_even_if_they_are_huge():
    mean = torch.zeros(1, 2, 1, requires_grad=True)
    following = torch.tensor([[[2.0], [1e30]]])
    objective.smoothness(mean, following, torch.tensor([[True, False]])).sum().backward()
    # d|2 - m| / dm = -1 for the one pair that counts.
    assert mean.grad.flatten().tolist() == pytest.approx([-1.0, 0.0])


# -- Eq 11: inter-group diversity --------------------------------------------------------------------------------------


def plain_diversity(features, groups, num_groups, threshold):
    """Eq 11 by its definition, float64."""
    features = features.double()
    centroids = {}
    for k in range(num_groups):
        rows = [i for i, g in enumerate(groups) if g == k]
        if rows:
            centroids[k] = sum(features[i] for i in rows) / len(rows)
    total = 0.0
    for i, a in centroids.items():
        for j, b in centroids.items():
            if i != j:
                total += max(0.0, (a @ b / (a.norm() * b.norm())).item() - threshold)
    return total


@given(seed=seeds, threshold=st.floats(-1.0, 1.0), num_groups=st.integers(2, 4))
def test_diversity_equals_its_definition(seed, threshold, num_groups):
    features = random(seed, 6, 4)
    groups = torch.randint(num_groups, (6,), generator=torch.Generator().manual_seed(seed))
    value = objective.diversity(features, groups, num_groups, threshold)
    assert value.item() == pytest.approx(plain_diversity(features, groups.tolist(), num_groups, threshold), abs=1e-4)


def test_diversity_by_hand():
    # Centroids (1, 0), (1, 1), (-1, 0): cosines .7071, -1, -.7071. Above tau = .5 lies one pair, counted in both
    # orders: 2 (.7071 - .5).
    features = torch.tensor([[1.0, 0.0], [1.0, 1.0], [-1.0, 0.0]])
    value = objective.diversity(features, torch.arange(3), 3, 0.5)
    assert value.item() == pytest.approx(2.0 * (math.sqrt(0.5) - 0.5), rel=1e-5)


def test_diversity_gradient_pushes_similar_centroids_apart_and_spares_the_reward():
    entropy = torch.tensor([1.0, 1.2], requires_grad=True)
    variance = torch.tensor([1.0, 1.1], requires_grad=True)
    kl = torch.tensor([1.0, 0.9], requires_grad=True)
    reward = torch.tensor([0.1, 0.3])
    parts = (entropy, variance, kl)
    before = objective.diversity(objective.trajectory_features(reward, *parts), torch.arange(2), 2, 0.5)
    before.backward()
    for part in parts:
        assert part.grad.isfinite().all() and part.grad.abs().max() > 0.0
    after = objective.diversity(
        objective.trajectory_features(reward, *(p.detach() - 0.01 * p.grad for p in parts)), torch.arange(2), 2, 0.5
    )
    assert after < before


@pytest.mark.parametrize("features", [torch.zeros(2, 4), torch.tensor([[0.0] * 4, [1.0] * 4])])
def test_diversity_is_finite_for_a_centroid_at_zero(features):
    features.requires_grad_()
    value = objective.diversity(features, torch.arange(2), 2, 0.5)
    value.backward()
    assert value.item() == 0.0 and features.grad.isfinite().all()


def test_samples_that_are_not_judged_are_left_out_of_the_group():
    """Judged 1, 2, 3, ..., 10 have mean 5.5; what the others hold changes nothing, and they get exactly zero."""
    judged = torch.zeros(1, 20, dtype=torch.bool)
    judged[0, :10] = True
    advantages = torch.cat((torch.arange(1.0, 11.0), torch.full((10,), 1000.0))).unsqueeze(0)
    normalized, std, degenerate = objective.normalize_by_group(advantages, torch.tensor([0]), 1, judged)
    alone, alone_std, _ = objective.normalize_by_group(advantages[:, :10], torch.tensor([0]), 1)
    assert torch.allclose(normalized[:, :10], alone) and torch.allclose(std, alone_std)
    assert torch.equal(normalized[:, 10:], torch.zeros(1, 10)) and degenerate == 0


def test_a_small_group_is_divided_by_the_deviation_of_the_samples_that_are_judged():
    # Group 0: 0 and 10 are judged, too few. Group 1: five of each. Six zeros and six tens: variance 12 * 25 / 11.
    advantages = torch.tensor([[0.0, 10.0] + [1000.0] * 8, [0.0] * 5 + [10.0] * 5])
    judged = advantages < 1000.0
    normalized, _, _ = objective.normalize_by_group(advantages, torch.tensor([0, 1]), 2, judged)
    one, other = 5.0 / math.sqrt(300.0 / 11.0), 5.0 / math.sqrt(250.0 / 9.0)
    expected = torch.tensor([[-one, one] + [0.0] * 8, [-other] * 5 + [other] * 5])
    torch.testing.assert_close(normalized, expected)
