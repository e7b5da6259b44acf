# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""N Gaussian policies as one module: a layer of all of them is one batched matrix product."""

import math
from collections.abc import Sequence

import torch
from rsl_rl.modules import EmpiricalNormalization
from rsl_rl.utils import resolve_nn_activation
from torch import nn

from cgrpo_lab import distributed
from cgrpo_lab.policies import gaussian


class GroupPolicy(nn.Module):
    """N tanh-squashable Gaussian MLP policies with stacked weights.

    Policy n maps observations to the mean of a diagonal Gaussian with a state-independent standard deviation. The
    weights of one layer of all policies are one tensor ``[N, in, out]``. Observations are normalised by one running
    normaliser shared by the group, so that log-probabilities of different policies can be compared.

    Shapes: N policies, B samples per policy, D observation entries, A actions.
    """

    def __init__(
        self,
        *,
        num_policies: int,
        obs_dim: int,
        action_dim: int,
        hidden_dims: Sequence[int] = (64, 64),
        activation: str = "tanh",
        init_log_std: float = -0.5,
        log_std_range: tuple[float, float] = (-5.0, 1.0),
        squash: bool = True,
        obs_normalization: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        """Create the group; every policy gets weights of its own from ``generator``.

        Args:
            num_policies: Number of policies N.
            obs_dim: Observation size D.
            action_dim: Action size A.
            hidden_dims: Sizes of the hidden layers.
            activation: Name of the activation as rsl_rl spells it (``tanh``, ``elu``, ``relu``, ...).
            init_log_std: Initial log standard deviation of every action.
            log_std_range: The log standard deviation is kept in this range.
            squash: Whether executed actions are tanh(u) in (-1, 1); else they are u itself.
            obs_normalization: Whether observations are normalised by their running mean and standard deviation.
            generator: Source of the initial weights (CPU); the global one if None.
        """
        super().__init__()
        self.num_policies, self.obs_dim, self.action_dim = num_policies, obs_dim, action_dim
        self.squash = squash
        self.log_std_range = tuple(log_std_range)
        self.obs_normalizer = EmpiricalNormalization(obs_dim) if obs_normalization else nn.Identity()
        self.obs_normalization = obs_normalization
        self.activation = resolve_nn_activation(activation)
        sizes = [obs_dim, *hidden_dims, action_dim]
        # Small last-layer weights start every policy near the middle of its action range.
        gains = [math.sqrt(2.0)] * (len(sizes) - 2) + [0.01]
        self.weights = nn.ParameterList(
            _orthogonal(num_policies, i, o, g, generator) for i, o, g in zip(sizes[:-1], sizes[1:], gains, strict=True)
        )
        self.biases = nn.ParameterList(torch.zeros(num_policies, 1, size) for size in sizes[1:])
        self.log_std_param = nn.Parameter(torch.full((num_policies, action_dim), float(init_log_std)))

    @property
    def log_std(self) -> torch.Tensor:
        """Log standard deviation of each policy's actions before squashing, shape [N, A]."""
        return self.log_std_param.clamp(*self.log_std_range)

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        """Mean of the pre-squash action, [N, B, D] -> [N, B, A]."""
        x = self.obs_normalizer(obs)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = self.activation(torch.baddbmm(bias, x, weight))
        return torch.baddbmm(self.biases[-1], x, self.weights[-1])

    def sample(self, mean: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
        """Draw pre-squash actions u ~ N(mean, std), [N, B, A] -> [N, B, A]; processes share one noise for all."""
        shape = (mean.shape[0], mean.shape[1] * distributed.world_size(), mean.shape[2])
        noise = torch.randn(shape, dtype=mean.dtype, device=mean.device, generator=generator)
        return mean + self.log_std.exp().unsqueeze(1) * distributed.own_part(noise, dim=1)

    def log_prob(self, samples: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
        """Log-density of pre-squash samples, [N, B, A] x 2 -> [N, B]."""
        return gaussian.log_prob(samples, mean, self.log_std.unsqueeze(1))

    def entropy(self) -> torch.Tensor:
        """Entropy of each policy's pre-squash actions [nat], shape [N]."""
        return gaussian.entropy(self.log_std)

    def to_action(self, samples: torch.Tensor) -> torch.Tensor:
        """Action to execute for a pre-squash sample, any shape."""
        return torch.tanh(samples) if self.squash else samples

    def update_normalization(self, obs: torch.Tensor) -> None:
        """Include observations [B, D] in the running statistics."""
        if self.obs_normalization:
            self.obs_normalizer.update(obs)


def _orthogonal(count: int, rows: int, columns: int, gain: float, generator: torch.Generator | None) -> nn.Parameter:
    """Stack of ``count`` independent orthogonal matrices, shape [count, rows, columns]."""
    weight = torch.empty(count, rows, columns)
    for matrix in weight:
        nn.init.orthogonal_(matrix, gain, generator=generator)
    return nn.Parameter(weight)
