# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Closed-form values: least-squares temporal differences on random Fourier features."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cgrpo_lab import distributed
from cgrpo_lab.advantages.base import AdvantageEstimator, GroupAdvantages, explained_variance
from cgrpo_lab.advantages.features import RandomFourierFeatures
from cgrpo_lab.advantages.returns import generalised_advantage, return_to_go, successor
from cgrpo_lab.validation import require_number

if TYPE_CHECKING:
    from cgrpo_lab.rollouts import GroupRollout

logger = logging.getLogger(__name__)


class LeastSquares(AdvantageEstimator):
    """Lambda-advantage over a value that is solved for, not trained.

    ``V(s) = w . phi(s)`` takes the place of the cluster mean of eq 6. The weights solve LSTD(lambda) (Boyan 2002),

        ``sum_t z_t (phi_t - gamma phi'_t)^T w = sum_t z_t r_t``,  ``z_t = phi_t + gamma lambda z_{t-1}``

    with ``phi'`` and the ends of episodes treated as in :mod:`cgrpo_lab.advantages.returns` and the traces ``z`` cut
    there and at the start of the rollout. The sums forget by ``decay`` an iteration. There is no critic network and
    no learning rate: the weights jump to the fixed point of the data at once.

    An iteration is judged by the weights from *before* it, so that no action influences its own baseline and the
    explained variance is a held-out one. The very first iteration has nothing before it and is judged by its own fit.

    The fit is linear in the rewards: multiplying all rewards by a number multiplies values and advantages by it. So
    rewards need no running scale here (which would weigh old and new rewards of the sums differently), and the group
    normalisation (eq 8) makes the result independent of their unit.
    """

    normal_matrix: Tensor
    """Decayed sum of ``z (phi - gamma phi')^T``, ``[F, F]`` float64."""
    normal_vector: Tensor
    """Decayed sum of ``z r``, ``[F]`` float64."""
    num_samples: Tensor
    """Decayed number of steps in the sums, 0-dim float64; zero before the first fit."""
    weights: Tensor
    """Value weights ``w``, ``[F]`` float64, in reward units."""
    rejected_fits: Tensor
    """Iterations whose fit was not finite and was left out, 0-dim int64."""

    def __init__(
        self,
        *,
        num_states: int,
        device: str | torch.device,
        generator: torch.Generator,
        gamma: float = 0.99,
        lam: float = 0.95,
        fit_lam: float = 0.95,
        num_cosines: int = 256,
        bandwidth: float = 1.0,
        decay: float = 0.9,
        ridge: float = 1e-5,
    ):
        """Draw the features and start with empty sums.

        Args:
            num_states: Size ``S`` of a state.
            device: Device of the rollouts.
            generator: Source of the random features.
            gamma: Discount factor of one step.
            lam: Lambda of the advantages.
            fit_lam: Lambda of the eligibility traces of the fit.
            num_cosines: Number of random Fourier features.
            bandwidth: Width of their kernel, in units of ``sqrt(S)``.
            decay: Weight that a fit gives to the sums of the iterations before; 0.9 remembers about ten.
            ridge: Regularisation per step in the sums. Keep it small: the features are small too.

        Raises:
            ValueError: If an option is out of its bounds.
        """
        super().__init__(num_states=num_states, device=device, generator=generator, gamma=gamma)
        require_number("gamma", gamma, at_least=0.0, below=1.0)
        require_number("lam", lam, at_least=0.0, at_most=1.0)
        require_number("fit_lam", fit_lam, at_least=0.0, at_most=1.0)
        require_number("decay", decay, at_least=0.0, at_most=1.0)
        require_number("ridge", ridge, above=0.0)
        self.lam = lam
        self.fit_lam = fit_lam
        self.decay = decay
        self.ridge = ridge
        self.features = RandomFourierFeatures(
            num_states=num_states, num_cosines=num_cosines, bandwidth=bandwidth, device=self.device, generator=generator
        )
        size = self.features.num_features
        double = {"dtype": torch.float64, "device": self.device}
        self.register_buffer("normal_matrix", torch.zeros(size, size, **double))
        self.register_buffer("normal_vector", torch.zeros(size, **double))
        self.register_buffer("num_samples", torch.zeros((), **double))
        self.register_buffer("weights", torch.zeros(size, **double))
        self.register_buffer("rejected_fits", torch.zeros((), dtype=torch.int64, device=self.device))
        self._warned = False

    @torch.no_grad()
    def forward(self, rollout: GroupRollout) -> GroupAdvantages:
        """Judge a rollout by the weights from before it, then take it into the fit.

        Args:
            rollout: States ``[T+1, E, S]``, rewards, terminations and time-outs ``[T, E]``.

        Returns:
            Advantages, baseline (both ``[T, E]``) and diagnostics.
        """
        features = self.features(rollout.states)
        earlier_weights = self.weights.clone()
        is_first = not self.num_samples.item()
        self._fit(features, rollout)
        weights = self.weights if is_first else earlier_weights
        values = features @ weights.to(features.dtype)
        advantages = generalised_advantage(
            rollout.rewards, values, rollout.terminated, rollout.time_outs, gamma=self.gamma, lam=self.lam
        )
        return GroupAdvantages(advantages, values[:-1], self._diagnostics(rollout, values))

    def value(self, states: Tensor) -> Tensor:
        """Evaluate the present value function.

        Args:
            states: Normalised states, ``[..., S]``.

        Returns:
            Values, ``[...]``, in reward units; zero before the first fit.
        """
        features = self.features(states)
        return features @ self.weights.to(features.dtype)

    def _fit(self, features: Tensor, rollout: GroupRollout) -> None:
        """Add a rollout to the normal equations and solve them; leave everything as it was if that is not finite."""
        matrix, vector = normal_equations(
            features, rollout.rewards, rollout.terminated, rollout.time_outs, gamma=self.gamma, lam=self.fit_lam
        )
        matrix, vector = distributed.all_sum(matrix), distributed.all_sum(vector)
        matrix += self.decay * self.normal_matrix
        vector += self.decay * self.normal_vector
        num_samples = self.decay * self.num_samples + rollout.rewards.numel() * distributed.world_size()
        # Checked before solving: a solver may raise, or loop, on what is not a number.
        if (matrix.sum() + vector.sum()).isfinite():
            weights = solve_regularised(matrix, vector, self.ridge * num_samples)
            if weights.isfinite().all():
                self.normal_matrix.copy_(matrix)
                self.normal_vector.copy_(vector)
                self.num_samples.copy_(num_samples)
                self.weights.copy_(weights)
                return
        self.rejected_fits += 1
        if not self._warned:
            self._warned = True
            logger.warning(
                "the value fit of an iteration was not finite: it is left out and the earlier weights are kept."
                " Look for NaN, infinite or enormous observations and rewards"
            )

    def _diagnostics(self, rollout: GroupRollout, values: Tensor) -> dict[str, Tensor]:
        """Describe how good the baseline was; the returns are Monte-Carlo ones, so as not to flatter it."""
        returns = return_to_go(
            rollout.rewards,
            rollout.terminated,
            rollout.time_outs,
            gamma=self.gamma,
            tail_values=values[-1],
            time_out_values=values[:-1],
        )
        return {
            "explained_variance": explained_variance(returns, values[:-1]),
            "value_weight_norm": self.weights.norm().to(returns.dtype),
            "rejected_fits": self.rejected_fits.to(returns.dtype),
        }


def normal_equations(
    features: Tensor, rewards: Tensor, terminated: Tensor, time_outs: Tensor, *, gamma: float, lam: float
) -> tuple[Tensor, Tensor]:
    """Sum up the LSTD(lambda) equations of a rollout.

    The products are float64: with the float32 shortcuts that simulators like to switch on for matrix products
    (TF32), their rounding would exceed the ridge.

    Args:
        features: Features of the states, ``[T+1, E, F]``.
        rewards: Rewards, ``[T, E]``.
        terminated: True ends of the episode, ``[T, E]`` bool.
        time_outs: Ends by the clock, ``[T, E]`` bool.
        gamma: Discount factor of one step.
        lam: Decay of the eligibility traces.

    Returns:
        Matrix ``sum z (phi - gamma phi')^T`` ``[F, F]`` and vector ``sum z r`` ``[F]``, float64.
    """
    size = features.shape[-1]
    matrix = features.new_zeros(size, size, dtype=torch.float64)
    vector = features.new_zeros(size, dtype=torch.float64)
    trace = torch.zeros_like(features[0], dtype=torch.float64)
    trace_decay = gamma * lam * (~(terminated | time_outs)).double().unsqueeze(-1)
    # Step by step rather than all at once: the float64 copies then stay at [E, F].
    for t in range(len(rewards)):
        following = successor(features[t : t + 2], terminated[t : t + 1], time_outs[t : t + 1])[0]
        trace += features[t]
        matrix.addmm_(trace.T, torch.sub(features[t].double(), following, alpha=gamma))
        vector.addmv_(trace.T, rewards[t].double())
        trace *= trace_decay[t]
    return matrix, vector


def solve_regularised(matrix: Tensor, vector: Tensor, ridge: Tensor) -> Tensor:
    """Solve ``(A + ridge I) w = b`` after scaling rows and columns alike to a unit diagonal.

    Args:
        matrix: ``A``, ``[F, F]`` float64.
        vector: ``b``, ``[F]`` float64.
        ridge: Regularisation, 0-dim.

    Returns:
        ``w``, ``[F]``; the least-squares solution where the system is singular to working precision.
    """
    regularised = matrix + ridge * torch.eye(len(vector), dtype=matrix.dtype, device=matrix.device)
    scale = regularised.diagonal().abs().clamp_min(ridge).rsqrt()
    scaled = scale[:, None] * regularised * scale[None, :]
    try:
        return scale * torch.linalg.solve(scaled, scale * vector)
    except torch.linalg.LinAlgError:
        logger.info("the value fit is singular to working precision: the least-squares solution is taken")
        return scale * torch.linalg.lstsq(scaled, (scale * vector)[:, None]).solution[:, 0]
