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
    """N tanh-squashable Gaussian MLP policies, each a row of one matrix of parameters.

    Policy n maps observations to the mean of a diagonal Gaussian with a state-independent standard deviation. All its
    parameters are row n of :attr:`vectors`, so that a layer of all policies is one batched product and an optimiser
    step, or the replacement of a policy, one operation. Observations are normalised by one running normaliser shared by
    the group, so that log-probabilities of different policies can be compared.

    Shapes: N policies, B samples per policy, D observation entries, A actions, P parameters per policy.
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
        widths = [obs_dim, *hidden_dims, action_dim]
        # Small last-layer weights start every policy near the middle of its action range.
        gains = [math.sqrt(2.0)] * (len(widths) - 2) + [0.01]
        parts, shapes = [], []
        for rows, columns, gain in zip(widths[:-1], widths[1:], gains, strict=True):
            parts += [_orthogonal(num_policies, rows, columns, gain, generator), torch.zeros(num_policies, 1, columns)]
            shapes += [(rows, columns), (1, columns)]
        parts.append(torch.full((num_policies, action_dim), float(init_log_std)))
        self._shapes = [*shapes, (action_dim,)]
        self._sizes = [math.prod(shape) for shape in self._shapes]
        self.vectors = nn.Parameter(torch.cat([part.flatten(1) for part in parts], dim=1))
        """All parameters, a policy a row, [N, P]."""

    def split(self, vectors: torch.Tensor) -> list[torch.Tensor]:
        """Cut parameter vectors [n, P] into weight [n, in, out] and bias [n, 1, out] of every layer and, last, the log
        standard deviation [n, A], all of them views.
        """
        parts = vectors.split(self._sizes, dim=1)
        return [part.view(-1, *shape) for part, shape in zip(parts, self._shapes, strict=True)]

    @property
    def weights(self) -> list[torch.Tensor]:
        """Weight of every layer, [N, in, out] each, as views of the parameters."""
        return self.split(self.vectors)[:-1:2]

    @property
    def biases(self) -> list[torch.Tensor]:
        """Bias of every layer, [N, 1, out] each, as views of the parameters."""
        return self.split(self.vectors)[1:-1:2]

    @property
    def log_std(self) -> torch.Tensor:
        """Log standard deviation of each policy's actions before squashing, [N, A], as a view of the parameters."""
        return self.vectors[:, -self.action_dim :]

    @torch.no_grad()
    def limit_noise(self) -> None:
        """Bring log standard deviations back into their range, after each change of the parameters.

        Limiting their use instead would leave a parameter beyond the range without a gradient, for good.
        """
        self.log_std.clamp_(*self.log_std_range)

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        """Mean of the pre-squash action, [N, B, D] -> [N, B, A]."""
        return self.distribution(self.obs_normalizer(obs))[0]

    def distribution(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Gaussian of the pre-squash action for normalised observations.

        Args:
            inputs: What :attr:`obs_normalizer` makes of the observations, shape [N, B, D].

        Returns:
            Mean [N, B, A] and log standard deviation [N, A].
        """
        *layers, weight, bias, log_std = self.split(self.vectors)
        for w, b in zip(layers[::2], layers[1::2], strict=True):
            inputs = self.activation(torch.baddbmm(b, inputs, w))
        return torch.baddbmm(bias, inputs, weight), log_std

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


def _orthogonal(count: int, rows: int, columns: int, gain: float, generator: torch.Generator | None) -> torch.Tensor:
    """Stack of ``count`` independent orthogonal matrices, shape [count, rows, columns]."""
    weight = torch.empty(count, rows, columns)
    for matrix in weight:
        nn.init.orthogonal_(matrix, gain, generator=generator)
    return weight
