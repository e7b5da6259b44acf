# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What an iteration tells about rewards, policies and their groups; docs/diagnostics.md lists all of it.

Everything is a 0-dim tensor on the device, so that nothing here waits for it.
"""

import torch

from cgrpo_lab import distributed
from cgrpo_lab.algorithms import objective
from cgrpo_lab.algorithms.loss import Comparison
from cgrpo_lab.policies import GroupPolicy, gaussian
from cgrpo_lab.rollouts import GroupRollout

MAX_STATES = 256
"""States at which policies are compared."""

QUANTILES = (0.1, 0.5, 0.9)


@torch.no_grad()
def diagnose(policy: GroupPolicy, rollout: GroupRollout, of: Comparison, num_groups: int) -> dict[str, torch.Tensor]:
    """Metrics of an iteration by name, before its update.

    Args:
        policy: The policies that collected the rollout.
        rollout: Finished rollout.
        of: What was found out about the policies.
        num_groups: Number of policy groups K.
    """
    metrics = {**reward_distribution(rollout.rewards), "Policy/entropy": policy.entropy().mean()}
    if policy.num_policies > 1:
        mean_reward = distributed.all_mean(rollout.per_policy(rollout.rewards).mean(dim=1))
        metrics |= {f"Policy/reward_{i}": reward for i, reward in enumerate(mean_reward)}
        distances = policy_distances(policy, rollout.inputs[:-1].flatten(0, 1), rollout.envs_per_policy)
        pairs = policy.num_policies * (policy.num_policies - 1)
        metrics["Group/policy_distance"] = distances.sum() / pairs
        metrics["Group/policy_distance_min"] = distances.fill_diagonal_(torch.inf).min()
    if num_groups > 1:
        metrics["Group/silhouette"] = silhouette(objective.standardize_features(of.features), of.groups, num_groups)
        members = torch.zeros(num_groups, device=of.clip.device).index_add_(0, of.groups, torch.ones_like(of.clip))
        metrics["Group/largest_share"] = members.max() / members.sum()
        clip = torch.zeros_like(members).index_add_(0, of.groups, of.clip) / members.clamp(min=1.0)
        metrics |= {f"Group/clip_{k}": value for k, value in enumerate(clip)}
    return metrics


def reward_distribution(rewards: torch.Tensor) -> dict[str, torch.Tensor]:
    """How rewards spread: deviation of all, [T, E], and quantiles of the environments' means."""
    by_env = distributed.concatenate(rewards.mean(dim=0))
    quantiles = torch.quantile(by_env, torch.tensor(QUANTILES, device=by_env.device))
    square = distributed.all_mean((rewards - by_env.mean()).square().mean())
    named = {f"Reward/p{round(100 * q)}": value for q, value in zip(QUANTILES, quantiles, strict=True)}
    return {**named, "Reward/std": square.sqrt()}


def policy_distances(policy: GroupPolicy, inputs: torch.Tensor, block: int | None = None) -> torch.Tensor:
    """How differently policies act: KL divergence from each to each, [N, N] [nat].

    Args:
        policy: The policies.
        inputs: Normalised observations, shape [P, D], of which :data:`MAX_STATES` are looked at.
        block: See :func:`cgrpo_lab.distributed.locate`; None if these observations are all there are.
    """
    count = distributed.count(inputs, block)
    every = torch.arange(0, count, max(count // MAX_STATES, 1), device=inputs.device)[:MAX_STATES]
    seen = distributed.fetch(inputs, every, block)
    mean, log_std = policy.distribution(seen.expand(policy.num_policies, -1, -1))
    log_std = log_std.unsqueeze(1)
    kl = gaussian.kl_divergence(mean.unsqueeze(1), log_std.unsqueeze(1), mean.unsqueeze(0), log_std.unsqueeze(0))
    return kl.mean(dim=2)


def silhouette(points: torch.Tensor, groups: torch.Tensor, num_groups: int) -> torch.Tensor:
    """Mean silhouette (Rousseeuw 1987): 1 for groups far apart, 0 for none, negative for wrong ones.

    Args:
        points: Points, shape [N, F].
        groups: Group of each, shape [N] int64.
        num_groups: Number of groups K.

    Returns:
        The mean over all points, 0-dim; a point that is alone in its group counts zero.
    """
    distances = torch.cdist(points, points)
    member = (groups.unsqueeze(1) == torch.arange(num_groups, device=groups.device)).to(points.dtype)
    sums, sizes = distances @ member, member.sum(dim=0)
    inside = sums.gather(1, groups.unsqueeze(1)).squeeze(1) / (sizes[groups] - 1.0).clamp(min=1.0)
    nearest = (sums / sizes).masked_fill(member.bool() | (sizes == 0.0), torch.inf).amin(dim=1)
    value = (nearest - inside) / torch.maximum(nearest, inside).clamp(min=objective.EPSILON)
    counts = (sizes[groups] > 1.0) & nearest.isfinite()
    return torch.where(counts, value, torch.zeros_like(value)).mean()
