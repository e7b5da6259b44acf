# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The loss of a minibatch (arXiv 2507.19555, eq 12) and what is logged about it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from cgrpo_lab import distributed
from cgrpo_lab.algorithms import objective
from cgrpo_lab.algorithms.config import CGRPOCfg
from cgrpo_lab.algorithms.mini_batches import MiniBatch
from cgrpo_lab.algorithms.sharing import leader_mask
from cgrpo_lab.policies import gaussian
from cgrpo_lab.reference import MixtureReference

MAX_LOG_RATIO = 20.0
"""Largest logarithm of a ratio: a sample of others that is this far off has next to no weight, but an infinite ratio
would make NaN of it."""

Distribution = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""Maps normalised observations [N, B, D] to means [N, B, A] and log standard deviations [N, A]."""


@dataclass
class Comparison:
    """What an iteration found out about the N policies, before they are updated."""

    advantages: torch.Tensor
    """Group-normalised advantages (eq 8), [N, T * M]."""
    clip: torch.Tensor
    """Clip range of each policy (eq 9), [N]."""
    groups: torch.Tensor
    """Group of each policy (eq 5), [N] int64."""
    features: torch.Tensor | None
    """Trajectory features (eq 4), [N, 4]; None where nothing asks for them."""
    scores: torch.Tensor
    """Running mean of the reward per step, [N]."""


class Loss:
    """Eq 12, to be minimised, summed over policies."""

    def __init__(
        self, cfg: CGRPOCfg, distribution: Distribution, reference: MixtureReference | None, of: Comparison
    ) -> None:
        """Prepare the loss of one iteration.

        Args:
            cfg: Settings.
            distribution: :meth:`GroupPolicy.distribution` of the policies that are updated.
            reference: The reference policy, if there is one.
            of: What the rollout told.
        """
        self.cfg, self.distribution, self.reference, self.of = cfg, distribution, reference, of
        self._entropy_coef: torch.Tensor | None = None
        if cfg.entropy_coef > 0.0 or cfg.follower_entropy_coef > 0.0:
            # Followers of a leader may explore more.
            self._entropy_coef = cfg.entropy_coef + cfg.follower_entropy_coef * ~leader_mask(of.scores)
        self.log = LossLog()

    def __call__(self, batch: MiniBatch) -> torch.Tensor:
        """Loss of a minibatch, 0-dim; its terms go to the log."""
        cfg = self.cfg
        mean, log_std = self.distribution(batch.observations)
        log_probs = gaussian.log_prob(batch.samples, mean, log_std.unsqueeze(1))
        log_ratio = log_probs - batch.log_probs
        # Unlike a clamp this lets NaN through to the gradient, where it is counted.
        log_ratio = torch.where(log_ratio > MAX_LOG_RATIO, MAX_LOG_RATIO, log_ratio)
        surrogate = objective.clipped_surrogate(log_ratio, batch.advantages, self.of.clip, batch.weights)
        loss = -surrogate.sum()
        self.log.add_ratios(log_ratio.detach(), batch.weights)
        self.log.add("surrogate", -surrogate.detach())
        if self._entropy_coef is not None:
            loss = loss - (self._entropy_coef * gaussian.entropy(log_std)).sum()
        if batch.next_observations is not None:
            next_mean, _ = self.distribution(batch.next_observations)
            smooth = objective.smoothness(mean, next_mean, batch.same_episode)
            loss = loss + cfg.smoothness_coef * smooth.sum()
            self.log.add("smoothness", smooth.detach())
        if cfg.diversity_coef > 0.0:
            diverse = self._diversity(batch, mean, log_std)
            loss = loss + cfg.diversity_coef * diverse
            self.log.add("diversity", diverse.detach())
        return loss

    def _diversity(self, batch: MiniBatch, mean: torch.Tensor, log_std: torch.Tensor) -> torch.Tensor:
        """Eq 11 on features that depend on the parameters: the reward is a constant, the rest is recomputed."""
        kl = torch.zeros_like(self.of.scores)
        if self.reference is not None:
            # A reparameterised sample gives the KL divergence a gradient of low variance.
            samples = mean + log_std.exp().unsqueeze(1) * batch.noise
            log_ratio = gaussian.log_prob(samples, mean, log_std.unsqueeze(1))
            log_ratio = log_ratio - self.reference.log_prob(batch.observations, samples)
            kl = distributed.joint_mean(objective.batch_mean(log_ratio, batch.weights))
        variance = log_std.mul(2.0).exp().mean(dim=1)
        entropy = gaussian.entropy(log_std)
        features = objective.trajectory_features(self.of.features[:, 0], entropy, variance, kl)
        points = objective.standardize_features(features, self.of.features)
        return objective.diversity(points, self.of.groups, self.cfg.num_groups, self.cfg.diversity_threshold)


class LossLog:
    """Terms of an iteration's minibatches, kept on the device.

    What takes many small operations is evaluated for all minibatches together: one by one they cost as much as the loss
    itself. The rest is summed in place, since small tensors that stay among large ones that come and go keep the
    allocator from using the same memory again.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._sums: dict[str, torch.Tensor] = {}
        self._ratios: list[tuple[torch.Tensor, torch.Tensor | None]] = []

    def add(self, name: str, value: torch.Tensor) -> None:
        """Add a term of a minibatch, of the same shape each time."""
        if name in self._sums:
            self._sums[name] += value
        else:
            self._sums[name] = value.clone()

    def add_ratios(self, log_ratio: torch.Tensor, weights: torch.Tensor | None) -> None:
        """Keep the logarithm of new over old density of a minibatch [N, B] and its weights [N, B]."""
        self._ratios.append((log_ratio, weights))

    def means(self, clip: torch.Tensor) -> dict[str, torch.Tensor]:
        """Means over minibatches and policies by name, 0-dim, of this process.

        Args:
            clip: Clip range of each policy, shape [N].
        """
        means = {name: total.float().mean() / len(self._ratios) for name, total in self._sums.items()}
        return means | ratio_statistics(self._ratios, clip)


def ratio_statistics(
    ratios: Sequence[tuple[torch.Tensor, torch.Tensor | None]], clip: torch.Tensor
) -> dict[str, torch.Tensor]:
    """KL divergence and shares of clipped samples.

    Args:
        ratios: Log of new over old density and weights of every minibatch, [N, B] each.
        clip: Clip range of each policy, shape [N].

    Returns:
        ``kl`` [nat], ``clip_fraction``, ``clip_fraction_low`` and ``clip_fraction_high``, 0-dim.
    """
    log_ratio = torch.cat([log_ratio for log_ratio, _ in ratios], dim=1)
    # Minibatches count alike, however many samples of them are in this process.
    weights = torch.cat([_relative(weights, log_ratio) for log_ratio, weights in ratios], dim=1) / len(ratios)
    ratio, clip = log_ratio.exp(), clip.unsqueeze(1)
    low, high = (ratio < 1.0 - clip).float(), (ratio > 1.0 + clip).float()
    # Schulman's low-variance, non-negative estimate of KL(old || new) from samples of the old policy.
    values = {"kl": ratio - 1.0 - log_ratio, "clip_fraction_low": low, "clip_fraction_high": high}
    means = {name: (value * weights).sum(dim=1).mean() for name, value in values.items()}
    return means | {"clip_fraction": means["clip_fraction_low"] + means["clip_fraction_high"]}


def _relative(weights: torch.Tensor | None, like: torch.Tensor) -> torch.Tensor:
    """Weights of a minibatch divided by its size, [N, B]."""
    weights = torch.ones_like(like) if weights is None else weights
    return weights / weights.shape[1]
