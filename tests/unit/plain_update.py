# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Continuous GRPO's update written down a second time: one network and one Adam per policy, float64, loops."""

from __future__ import annotations

import math

import torch

from cgrpo_lab.algorithms import CGRPO


class PlainPolicy:
    """Policy n of a group as float64 tensors of its own."""

    def __init__(self, alg: CGRPO, n: int, source=None):
        policy = alg.policy if source is None else source
        self.layers = [
            (weight[n].detach().double().requires_grad_(), bias[n, 0].detach().double().requires_grad_())
            for weight, bias in zip(policy.weights, policy.biases, strict=True)
        ]
        self.log_std = policy.log_std[n].detach().double().requires_grad_()
        # The reference looks through the normaliser of the policies.
        normalizer = alg.policy.obs_normalizer
        self.obs_mean, self.obs_std = normalizer._mean.double(), normalizer._std.double() + normalizer.eps
        self.parameters = [tensor for layer in self.layers for tensor in layer] + [self.log_std]
        self.optimizer = torch.optim.Adam(self.parameters, lr=alg.cfg.learning_rate)

    def mean(self, obs):
        x = (obs.double() - self.obs_mean) / self.obs_std
        for i, (weight, bias) in enumerate(self.layers):
            x = x @ weight + bias
            if i + 1 < len(self.layers):
                x = torch.tanh(x)
        return x

    def normal(self, obs):
        return torch.distributions.Normal(self.mean(obs), self.log_std.exp())

    def entropy(self):
        return torch.distributions.Normal(torch.zeros_like(self.log_std), self.log_std.exp()).entropy().sum()

    def variance(self):
        return self.log_std.exp().square().mean()


def own_samples(alg, values, n):
    """Rows of ``[T, E, ...]`` that belong to policy n, step by step."""
    first = n * alg.rollout.envs_per_policy
    return torch.stack(
        [values[t, first + m] for t in range(values.shape[0]) for m in range(alg.rollout.envs_per_policy)]
    )


def plain_mixture(members, obs, samples):
    """Log of the mean density of the members, [B]."""
    densities = [member.normal(obs).log_prob(samples).sum(-1) for member in members]
    return torch.stack(densities).exp().mean(0).log()


def plain_features(alg, policies, reference, obs_and_samples, rewards, weights=None):
    """Eq 4, one row per policy; samples may have weights."""
    rows = []
    weights = weights or [1.0] * len(policies)
    for policy, (obs, samples), reward, weight in zip(policies, obs_and_samples, rewards, weights, strict=True):
        kl = torch.zeros((), dtype=torch.float64)
        if reference:
            log_ratio = policy.normal(obs).log_prob(samples).sum(-1) - plain_mixture(reference, obs, samples)
            kl = (weight * log_ratio).mean()
        rows.append(torch.stack((reward, policy.entropy(), policy.variance(), kl)))
    return torch.stack(rows)


def plain_normalized(alg, raw, groups):
    """Eqs 8 and 9 for raw advantages ``[N, P]``: normalised ones and each policy's clip range."""
    normalized, clips = torch.zeros_like(raw), []
    for n, group in enumerate(groups):
        samples = torch.cat([raw[i] for i, other in enumerate(groups) if other == group])
        normalized[n] = (raw[n] - samples.mean()) / samples.std()
        factor = max(1.0, (samples.std() / raw.std()).item()) if alg.cfg.adaptive_clip else 1.0
        clips.append(alg.cfg.clip_param * min(factor, alg.cfg.max_clip_factor))
    return normalized, clips


def plain_diversity(alg, features, groups, rollout_features):
    """Eq 11 on standardised features."""
    center, scale = rollout_features.mean(0), rollout_features.std(0, unbiased=False)
    scale = torch.where(scale > 1e-6, scale, torch.ones_like(scale))
    points = (features - center) / scale
    centroids = [torch.stack([points[i] for i, g in enumerate(groups) if g == k]).mean(0) for k in sorted(set(groups))]
    total = torch.zeros((), dtype=torch.float64)
    for i, a in enumerate(centroids):
        for j, b in enumerate(centroids):
            if i != j:
                total = total + torch.clamp(a @ b / (a.norm() * b.norm()) - alg.cfg.diversity_threshold, min=0.0)
    return total


def plain_importance(alg, policies, everything):
    """Log-probabilities before the update and importance weights of everybody's samples for policy n, by policy."""
    leader = alg.scores.tolist().index(max(alg.scores.tolist()))
    result = []
    for n, policy in enumerate(policies):
        log_probs, weights = [], []
        for j, (observations, samples) in enumerate(everything):
            for obs, sample in zip(observations, samples, strict=True):
                ours = policy.normal(obs).log_prob(sample).sum().item()
                theirs = policies[j].normal(obs).log_prob(sample).sum().item()
                learns = j == n or n == leader or alg.cfg.sharing == "all"
                log_probs.append(ours)
                weights.append(min(1.0, math.exp(ours - theirs)) if learns else 0.0)
        weights = torch.tensor(weights, dtype=torch.float64)
        result.append((torch.tensor(log_probs, dtype=torch.float64), weights / weights.mean()))
    return result


def plain_update(alg: CGRPO, raw_advantages: torch.Tensor, groups: list[int]) -> list[PlainPolicy]:
    """The policies after an update of ``alg``, which is left as it is.

    Args:
        alg: Algorithm after ``compute_returns``.
        raw_advantages: What its estimator answered, ``[T, E]``.
        groups: Group of each policy.
    """
    cfg, rollout = alg.cfg, alg.rollout
    everyone = range(cfg.num_policies)
    policies = [PlainPolicy(alg, n) for n in everyone]
    old = [PlainPolicy(alg, n) for n in everyone]
    reference = [PlainPolicy(alg, m, alg.reference.members) for m in range(cfg.reference_size)]
    observations = [own_samples(alg, rollout.observations, n) for n in everyone]
    samples = [own_samples(alg, rollout.samples, n).double() for n in everyone]
    dones = [own_samples(alg, rollout.dones, n) for n in everyone]
    rewards = [own_samples(alg, rollout.rewards, n).double().mean() for n in everyone]
    raw = torch.stack([own_samples(alg, raw_advantages, n).double() for n in everyone])
    advantages, clips = plain_normalized(alg, raw, groups)
    count = raw.shape[1]
    pairs = [(observations[n][:count], samples[n]) for n in everyone]
    rollout_features = plain_features(alg, policies, reference, pairs, rewards).detach()

    learning_rate = cfg.learning_rate
    if cfg.schedule == "linear":
        learning_rate *= 1.0 - alg.iteration / alg.rate.max_iterations
    generator = torch.Generator()
    generator.set_state(alg.generator.get_state())
    pool = count
    importance = None
    if cfg.sharing != "own":
        importance = plain_importance(alg, old, pairs)
        pool = count * cfg.num_policies
    size = pool // cfg.num_mini_batches
    for _ in range(cfg.num_learning_epochs):
        order = torch.rand(cfg.num_policies, pool, generator=generator).argsort(dim=1)
        for batch in range(cfg.num_mini_batches):
            loss, batch_pairs, batch_weights = torch.zeros((), dtype=torch.float64), [], []
            for n in everyone:
                picked = order[n, batch * size : (batch + 1) * size]
                # Policy and number of each sample.
                drawn = [(n, i) if importance is None else divmod(i, count) for i in picked.tolist()]
                obs = torch.stack([observations[j][i] for j, i in drawn])
                u = torch.stack([samples[j][i] for j, i in drawn])
                a = torch.stack([advantages[j][i] for j, i in drawn])
                before, weight = old[n].normal(obs).log_prob(u).detach().sum(-1), torch.ones_like(a)
                if importance is not None:
                    torch.testing.assert_close(importance[n][0][picked], before)
                    weight = importance[n][1][picked]
                ratio = (policies[n].normal(obs).log_prob(u).sum(-1) - before).exp()
                clipped = ratio.clamp(1.0 - clips[n], 1.0 + clips[n])
                loss = loss - (weight * torch.minimum(ratio * a, clipped * a)).mean()
                bonus = cfg.entropy_coef + (0.0 if alg.scores[n] == alg.scores.max() else cfg.follower_entropy_coef)
                loss = loss - bonus * policies[n].entropy()
                steps = []
                for (j, i), w in zip(drawn, weight, strict=True) if cfg.smoothness_coef > 0.0 else ():
                    now, later = observations[j][i], observations[j][i + rollout.envs_per_policy]
                    if not dones[j][i] and w > 0.0:
                        change = policies[n].mean(later) - policies[n].mean(now)
                        steps.append((change.square().sum() + 1e-12).sqrt())
                if steps:
                    loss = loss + cfg.smoothness_coef * torch.stack(steps).mean()
                old_means = torch.cat([old[j].mean(observations[j][i]) for j, i in drawn])
                noise = (u - old_means).detach() / torch.stack([old[j].log_std for j, _ in drawn]).detach().exp()
                batch_weights.append(weight)
                batch_pairs.append((obs, policies[n].mean(obs) + policies[n].log_std.exp() * noise))
            if cfg.diversity_coef > 0.0:
                features = plain_features(alg, policies, reference, batch_pairs, rewards, batch_weights)
                loss = loss + cfg.diversity_coef * plain_diversity(alg, features, groups, rollout_features)
            for policy in policies:
                policy.optimizer.zero_grad()
            loss.backward()
            for policy in policies:
                norm = torch.cat([parameter.grad.flatten() for parameter in policy.parameters]).norm()
                for parameter in policy.parameters:
                    parameter.grad *= min(1.0, (cfg.max_grad_norm / norm).item())
                policy.optimizer.param_groups[0]["lr"] = learning_rate
                policy.optimizer.step()
    return policies
