# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""A value that is linear in features, solved for by least-squares temporal differences."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from cgrpo_lab import distributed
from cgrpo_lab.advantages.returns import successor

if TYPE_CHECKING:
    from cgrpo_lab.rollouts import GroupRollout

logger = logging.getLogger(__name__)


class LinearValue(nn.Module):
    """Weights of ``V = w . phi`` and the decayed LSTD(lambda) sums they solve (Boyan 2002)."""

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
        self, num_features: int, *, gamma: float, lam: float, decay: float, ridge: float, device: torch.device
    ):
        """Start with empty sums.

        Args:
            num_features: Size ``F`` of the feature vector.
            gamma: Discount factor of one step.
            lam: Lambda of the eligibility traces.
            decay: Weight that a fit gives to the sums of the iterations before.
            ridge: Regularisation per step in the sums.
            device: Where the fit is done.
        """
        super().__init__()
        self.gamma, self.lam, self.decay, self.ridge = gamma, lam, decay, ridge
        double = {"dtype": torch.float64, "device": device}
        self.register_buffer("normal_matrix", torch.zeros(num_features, num_features, **double))
        self.register_buffer("normal_vector", torch.zeros(num_features, **double))
        self.register_buffer("num_samples", torch.zeros((), **double))
        self.register_buffer("weights", torch.zeros(num_features, **double))
        self.register_buffer("rejected_fits", torch.zeros((), dtype=torch.int64, device=device))
        self._warned = False

    def forward(self, features: Tensor) -> Tensor:
        """Values of states with these features, ``[..., F]`` -> ``[...]``; zero before the first fit."""
        return features @ self.weights.to(features.dtype)

    def fit(self, features: Iterable[Tensor], rollout: GroupRollout) -> bool:
        """Add a rollout to the sums and solve them; leave everything as it was if that is not finite.

        Args:
            features: Features of the rollout's states, ``T + 1`` tensors ``[E, F]`` or one ``[T+1, E, F]``.
            rollout: Rewards, terminations and time-outs ``[T, E]``.

        Returns:
            Whether the rollout was finite and is part of the sums now.
        """
        matrix, vector = normal_equations(
            features, rollout.rewards, rollout.terminated, rollout.time_outs, gamma=self.gamma, lam=self.lam
        )
        matrix, vector = distributed.all_sum(matrix), distributed.all_sum(vector)
        matrix.add_(self.normal_matrix, alpha=self.decay)
        vector.add_(self.normal_vector, alpha=self.decay)
        num_samples = self.decay * self.num_samples + rollout.rewards.numel() * distributed.world_size()
        # Checked before solving: a solver may raise, or loop, on what is not a number.
        if (matrix.sum() + vector.sum()).isfinite():
            weights = solve_regularised(matrix, vector, self.ridge * num_samples)
            if weights.isfinite().all():
                self.normal_matrix.copy_(matrix)
                self.normal_vector.copy_(vector)
                self.num_samples.copy_(num_samples)
                self.weights.copy_(weights)
                return True
        self.rejected_fits += 1
        if not self._warned:
            self._warned = True
            logger.warning(
                "the value fit of an iteration was not finite: it is left out and the earlier weights are kept."
                " Look for NaN, infinite or enormous observations and rewards"
            )
        return False

    def take_over(self, other: LinearValue) -> None:
        """Go on with the sums and weights of another value of as many features; rejected fits stay counted."""
        for own, theirs in zip(self._sums(), other._sums(), strict=True):
            own.copy_(theirs)

    def forget(self) -> None:
        """Start anew, with empty sums."""
        for sums in self._sums():
            sums.zero_()

    def _sums(self) -> tuple[Tensor, ...]:
        """What a fit changes."""
        return self.normal_matrix, self.normal_vector, self.num_samples, self.weights


def normal_equations(
    features: Iterable[Tensor], rewards: Tensor, terminated: Tensor, time_outs: Tensor, *, gamma: float, lam: float
) -> tuple[Tensor, Tensor]:
    """Sum up the LSTD(lambda) equations of a rollout.

    A rollout is summed in the features' own precision: its rounding, some 1e-6 of an entry, is far below the ridge.
    Sums over rollouts, and their solution, are float64.

    Args:
        features: Features of the states, ``T + 1`` tensors ``[E, F]`` or one ``[T+1, E, F]``. A generator may make
            them one by one, so that never more than two exist.
        rewards: Rewards, ``[T, E]``.
        terminated: True ends of the episode, ``[T, E]`` bool.
        time_outs: Ends by the clock, ``[T, E]`` bool.
        gamma: Discount factor of one step.
        lam: Decay of the eligibility traces.

    Returns:
        Matrix ``sum z (phi - gamma phi')^T`` ``[F, F]`` and vector ``sum z r`` ``[F]``, float64.
    """
    features = iter(features)
    with exact_products():
        present = next(features)
        size = present.shape[-1]
        matrix, vector = present.new_zeros(size, size), present.new_zeros(size)
        trace = torch.zeros_like(present)
        trace_decay = gamma * lam * (~(terminated | time_outs)).to(present.dtype).unsqueeze(-1)
        for t, later in enumerate(features):
            following = successor(torch.stack((present, later)), terminated[t : t + 1], time_outs[t : t + 1])[0]
            trace += present
            matrix.addmm_(trace.T, torch.sub(present, following, alpha=gamma))
            vector.addmv_(trace.T, rewards[t].to(present.dtype))
            trace *= trace_decay[t]
            present = later
    return matrix.double(), vector.double()


@contextlib.contextmanager
def exact_products() -> Iterator[None]:
    """Multiply matrices without the shortcuts (TF32, bfloat16) that simulators like to switch on for float32.

    Their rounding, 1e-3 of an entry, would exceed the ridge.
    """
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)


def solve_regularised(matrix: Tensor, vector: Tensor, ridge: Tensor) -> Tensor:
    """Solve ``(A + ridge I) w = b`` after scaling rows and columns alike to a unit diagonal.

    Args:
        matrix: ``A``, ``[F, F]`` float64.
        vector: ``b``, ``[F]`` float64.
        ridge: Regularisation, 0-dim.

    Returns:
        ``w``, ``[F]``; the least-squares solution where the system is singular to working precision.
    """
    # One copy, changed in place: with few environments these matrices are what learning needs most memory for.
    scaled = matrix.clone()
    scaled.diagonal().add_(ridge)
    scale = scaled.diagonal().abs().clamp_min(ridge).rsqrt()
    scaled.mul_(scale[:, None]).mul_(scale[None, :])
    try:
        return scale * torch.linalg.solve(scaled, scale * vector)
    except torch.linalg.LinAlgError:
        logger.info("the value fit is singular to working precision: the least-squares solution is taken")
        return scale * torch.linalg.lstsq(scaled, (scale * vector)[:, None]).solution[:, 0]
