# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The objective of Continuous GRPO (arXiv 2507.19555, eqs 4 and 8 to 11) as pure functions.

Symbols: N policies, K groups, P samples per policy, A actions; ``groups`` [N] gives each policy's group. The paper's
eq 12 adds penalties to an objective that is maximised; we minimise  -L_CGRPO + L_smooth + L_diversity.
"""

import torch

from cgrpo_lab import distributed

MIN_SAMPLES_FOR_STD = 8
"""A standard deviation of fewer samples is noise; such a group is not divided by it."""

EPSILON = 1.0e-8

ROUNDING = 1.0e-6
"""Deviation, relative to the mean, that float32 sums leave on equal values; up to it there is no variance."""


def trajectory_features(
    mean_reward: torch.Tensor, entropy: torch.Tensor, action_variance: torch.Tensor, kl_to_reference: torch.Tensor
) -> torch.Tensor:
    """Features of each policy, eq 4: four tensors [N] -> phi [N, 4]."""
    return torch.stack((mean_reward, entropy, action_variance, kl_to_reference), dim=-1)


def standardize_features(features: torch.Tensor, reference: torch.Tensor | None = None) -> torch.Tensor:
    """Bring the features [N, 4] to comparable scales by the mean and deviation of ``reference`` (itself if None).

    The four entries of eq 4 differ by orders of magnitude, so Euclidean distances between raw features would look at
    one of them only. An entry that is equal for all policies becomes zero.
    """
    reference = features.detach() if reference is None else reference
    center = reference.mean(dim=0)
    scale = reference.std(dim=0, unbiased=False)
    varies = scale > ROUNDING * center.abs() + EPSILON
    return (features - center) / torch.where(varies, scale, torch.ones_like(scale))


def group_statistics(
    advantages: torch.Tensor, groups: torch.Tensor, num_groups: int, judged: torch.Tensor | None = None
) -> tuple[torch.Tensor, ...]:
    """Mean, standard deviation and number of the judged samples of each group, [N, P] (and [N, P]) -> three of [K].

    The samples of all processes count; see :mod:`cgrpo_lab.distributed`.
    """
    weight = torch.ones_like(advantages) if judged is None else judged.to(advantages.dtype)

    def sums(values: torch.Tensor) -> torch.Tensor:
        by_policy = distributed.all_sum((weight * values).sum(dim=1))
        return torch.zeros(num_groups, device=values.device).index_add_(0, groups, by_policy)

    count = sums(torch.ones_like(advantages))
    safe_count = count.clamp(min=1.0)
    mean = sums(advantages) / safe_count
    variance = sums((advantages - mean[groups].unsqueeze(1)) ** 2) / (safe_count - 1.0).clamp(min=1.0)
    return mean, variance.sqrt(), count


def normalize_by_group(
    advantages: torch.Tensor, groups: torch.Tensor, num_groups: int, judged: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Group-normalised advantages, eq 8.

    A group without variance carries no signal: its advantages become zero. A group of fewer than
    :data:`MIN_SAMPLES_FOR_STD` samples is centred, but divided by the deviation of all samples; where these are fewer,
    too, it is only centred.

    Args:
        advantages: Advantages of every policy's samples, shape [N, P].
        groups: Group of each policy, shape [N], int64.
        num_groups: Number of groups K.
        judged: Samples that have an advantage at all, shape [N, P]; the others are left out and get zero. None: all.

    Returns:
        Normalised advantages [N, P], standard deviation of each group before normalisation [K], and the number of
        groups with samples but without variance (0-dim).
    """
    mean, std, count = group_statistics(advantages, groups, num_groups, judged)
    _, overall, total = group_statistics(advantages, torch.zeros_like(groups), 1, judged)
    overall = torch.where(total >= MIN_SAMPLES_FOR_STD, overall, torch.ones_like(overall))
    scale = torch.where(count >= MIN_SAMPLES_FOR_STD, std, overall)
    degenerate = scale <= ROUNDING * mean.abs() + EPSILON
    scale = torch.where(degenerate, torch.full_like(scale, torch.inf), scale)
    normalized = (advantages - mean[groups].unsqueeze(1)) / (scale[groups].unsqueeze(1) + EPSILON)
    if judged is not None:
        normalized = torch.where(judged, normalized, torch.zeros_like(normalized))
    return normalized, std, (degenerate & (count > 0)).sum()


def adaptive_clip(
    clip_param: float, group_std: torch.Tensor, global_std: torch.Tensor, max_factor: float
) -> torch.Tensor:
    """Clip range of each group, eq 9: [K] -> [K].

    The deviations are those before normalisation (after it they are all one). A noisy group would get a wide trust
    region, so the factor is capped at ``max_factor``.
    """
    ratio = group_std / (global_std + EPSILON)
    return clip_param * ratio.clamp(1.0, max_factor)


def batch_mean(values: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Mean over a minibatch, [N, B] and the weights of :class:`MiniBatch` [N, B] -> [N]."""
    return (values if weights is None else values * weights).mean(dim=1)


def clipped_surrogate(
    log_ratio: torch.Tensor, advantages: torch.Tensor, clip: torch.Tensor, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """PPO's clipped objective with a clip range per policy, eq 8.

    Args:
        log_ratio: Log-probabilities under the current policies less those when the actions were drawn, shape [N, B].
        advantages: Normalised advantages, shape [N, B].
        clip: Clip range of each policy, shape [N].
        weights: Those of :class:`MiniBatch`, shape [N, B]; None for equal ones.

    Returns:
        Objective of each policy, to be maximised, shape [N].
    """
    ratio, clip = torch.exp(log_ratio), clip.unsqueeze(1)
    clipped = torch.clamp(ratio, 1.0 - clip, 1.0 + clip)
    return batch_mean(torch.minimum(ratio * advantages, clipped * advantages), weights)


def smoothness(mean: torch.Tensor, next_mean: torch.Tensor, same_episode: torch.Tensor) -> torch.Tensor:
    """Change of the network's output from one state to the next, eq 10 without its weight.

    Args:
        mean: Outputs f(s_t), shape [N, B, A].
        next_mean: Outputs f(s_{t+1}), shape [N, B, A].
        same_episode: Whether s_{t+1} belongs to the episode of s_t, shape [N, B].

    Returns:
        Mean Euclidean norm over the pairs within episodes, shape [N]; zero for a policy without such a pair. The
        norm's square carries a small constant, because its gradient at zero does not exist.
    """
    norm = ((next_mean - mean) ** 2).sum(dim=-1).add(1.0e-12).sqrt()
    weight = same_episode.to(norm.dtype)
    pairs = distributed.all_sum(weight.sum(dim=1)).clamp(min=1.0) / distributed.world_size()
    return (norm * weight).sum(dim=1) / pairs


def diversity(features: torch.Tensor, groups: torch.Tensor, num_groups: int, threshold: float) -> torch.Tensor:
    """Penalty on similar group centroids, eq 11 without its weight.

    The centroids are means of (standardised) features, which are differentiable except for the reward; the cosine of
    every ordered pair of non-empty groups counts by what it exceeds ``threshold``.

    Args:
        features: Features of each policy, shape [N, F].
        groups: Group of each policy, shape [N], int64.
        num_groups: Number of groups K.
        threshold: Diversity threshold tau.

    Returns:
        The penalty, 0-dim.
    """
    count = torch.zeros(num_groups, device=features.device).index_add_(0, groups, torch.ones_like(features[:, 0]))
    sums = torch.zeros(num_groups, features.shape[1], device=features.device).index_add(0, groups, features)
    centroids = sums / count.clamp(min=1.0).unsqueeze(1)
    unit = centroids / (centroids.square().sum(dim=1, keepdim=True) + 1.0e-12).sqrt()
    excess = (unit @ unit.T - threshold).clamp(min=0.0)
    exists = count > 0
    pairs = exists.unsqueeze(0) & exists.unsqueeze(1)
    pairs = pairs & ~torch.eye(num_groups, dtype=torch.bool, device=features.device)
    return (excess * pairs).sum()
