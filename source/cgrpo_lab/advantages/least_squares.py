# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Closed-form values: least-squares temporal differences on features that no gradient descent trains."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cgrpo_lab import distributed
from cgrpo_lab.advantages.base import AdvantageEstimator, GroupAdvantages, explained_variance
from cgrpo_lab.advantages.features import QuadraticFeatures, RandomFourierFeatures
from cgrpo_lab.advantages.linear_value import LinearValue, exact_products
from cgrpo_lab.advantages.metric import gradient_outer_product, metric_from
from cgrpo_lab.advantages.returns import generalised_advantage, return_to_go
from cgrpo_lab.advantages.value_features import Encoder, ValueFeatures
from cgrpo_lab.validation import ConfigError, require_number

if TYPE_CHECKING:
    from cgrpo_lab.rollouts import GroupRollout


class LeastSquares(AdvantageEstimator):
    """Lambda-advantage over a value that is solved for, not trained.

    ``V(s) = w . phi(s)`` takes the place of the cluster mean of eq 6. The weights solve LSTD(lambda) (Boyan 2002),

        ``sum_t z_t (phi_t - gamma phi'_t)^T w = sum_t z_t r_t``,  ``z_t = phi_t + gamma lambda z_{t-1}``

    with ``phi'`` and the ends of episodes treated as in :mod:`cgrpo_lab.advantages.returns` and the traces ``z`` cut
    there and at the start of the rollout. The sums forget by ``decay`` an iteration. There is no critic network and
    no learning rate: the weights jump to the fixed point of the data at once.

    An iteration is judged by the weights from *before* it, so that no action influences its own baseline and the
    explained variance is a held-out one. The very first iteration has nothing before it and is judged by its own fit.

    With ``learn_metric`` the random features learn which directions of a state matter: every ``renew_interval``
    iterations their frequencies are turned into the metric of the value's own gradients
    (:mod:`cgrpo_lab.advantages.metric`), by which states are then near or far. Sums of old features are of no use to
    new ones, so a successor is fitted beside the present value and takes over when it has seen enough.

    The fit is linear in the rewards: multiplying all rewards by a number multiplies values and advantages by it. So
    rewards need no running scale here (which would weigh old and new rewards of the sums differently), and the group
    normalisation (eq 8) makes the result independent of their unit.
    """

    takes_encoder = True

    def __init__(
        self,
        *,
        num_states: int,
        device: str | torch.device,
        generator: torch.Generator,
        freeze_encoder: Callable[[], Encoder] | None,
        gamma: float = 0.99,
        lam: float = 0.95,
        fit_lam: float = 0.95,
        num_cosines: int = 512,
        bandwidth: float | Sequence[float] = 0.5,
        learn_metric: bool = True,
        quadratic: bool = False,
        policy_features: bool = False,
        renew_interval: int = 10,
        decay: float = 0.9,
        ridge: float = 1e-5,
    ):
        """Draw the features and start with empty sums.

        Args:
            num_states: Size ``S`` of a state.
            device: Device of the rollouts.
            generator: Source of the random features.
            freeze_encoder: Makes a frozen copy of the policy's hidden layers as they are now; read only with
                ``policy_features``.
            gamma: Discount factor of one step.
            lam: Lambda of the advantages.
            fit_lam: Lambda of the eligibility traces of the fit.
            num_cosines: Number of random Fourier features.
            bandwidth: Width of their kernel, in units of ``sqrt(S)``; of several, each gets an equal part of them.
            learn_metric: Whether the cosines, if there are any, follow the metric of the value's gradients.
            quadratic: Whether products of every two entries of a state are features, too; with ``num_cosines=0``
                instead of the cosines.
            policy_features: Whether the last hidden layer of the policy gives features, too (of the first policy, if
                there are several); with ``num_cosines=0`` instead of the cosines.
            renew_interval: Every so many iterations metric and policy features are brought up to date.
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
        require_number("renew_interval", renew_interval, at_least=1, integer=True)
        self.lam = lam
        self.renew_interval = renew_interval
        self.freeze_encoder = freeze_encoder
        for name, wanted in (
            ("learn_metric", learn_metric),
            ("quadratic", quadratic),
            ("policy_features", policy_features),
        ):
            if not isinstance(wanted, bool):
                raise ConfigError(f"{name} = {wanted!r} cannot be used: give true or false")
        if policy_features and freeze_encoder is None:
            raise ConfigError("policy_features = True cannot be used: there is no policy here; give false")
        self.learn_metric = learn_metric and num_cosines > 0
        cosines = RandomFourierFeatures(
            num_states=num_states, num_cosines=num_cosines, bandwidth=bandwidth, device=self.device, generator=generator
        )
        products = QuadraticFeatures(num_states=num_states, device=self.device) if quadratic else None
        self.features = ValueFeatures(cosines, products, freeze_encoder() if policy_features else None)

        value = {"gamma": gamma, "lam": fit_lam, "decay": decay, "ridge": ridge, "device": self.device}
        self.fitted = LinearValue(self.features.num_features, **value)
        self.next_features = self.next_fitted = None
        if self.learn_metric or policy_features:
            self.next_features = copy.deepcopy(self.features)
            self.next_fitted = LinearValue(self.features.num_features, **value)
            self.register_buffer("iterations", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def forward(self, rollout: GroupRollout) -> GroupAdvantages:
        """Judge a rollout by the weights from before it, then take it into the fit.

        Args:
            rollout: States ``[T+1, E, S]``, rewards, terminations and time-outs ``[T, E]``.

        Returns:
            Advantages, baseline (both ``[T, E]``) and diagnostics.
        """
        is_first = not self.fitted.num_samples.item()
        values = torch.empty_like(rollout.states[..., 0])
        is_finite = self.fitted.fit(self._features(rollout, self.features, values), rollout)
        if is_first:
            with exact_products():
                values = torch.stack([self.fitted(features) for features in self._features(rollout, self.features)])
        if self.next_fitted is not None and is_finite:
            self._prepare_successor(rollout)
        advantages = generalised_advantage(
            rollout.rewards, values, rollout.terminated, rollout.time_outs, gamma=self.gamma, lam=self.lam
        )
        return GroupAdvantages(advantages, values[:-1], self._diagnostics(rollout, values))

    def value(self, states: Tensor, observations: Tensor | None = None) -> Tensor:
        """Evaluate the present value function.

        Args:
            states: Normalised states, ``[..., S]``.
            observations: What the policies saw there, ``[..., D]``; read only with ``policy_features``.

        Returns:
            Values, ``[...]``, in reward units; zero before the first fit.
        """
        return self.fitted(self.features(states, observations))

    def _features(
        self, rollout: GroupRollout, features: ValueFeatures, values: Tensor | None = None
    ) -> Iterator[Tensor]:
        """Features of one step after the other, ``[E, F]``: those of a rollout would be its largest tensor by far.

        Args:
            rollout: States and observations.
            features: What to evaluate.
            values: Where to put the present values of the states, ``[T+1, E]``.
        """
        for t, (states, observations) in enumerate(zip(rollout.states, rollout.observations, strict=True)):
            step = features(states, observations)
            if values is not None:
                values[t] = self.fitted(step)
            yield step

    def _prepare_successor(self, rollout: GroupRollout) -> None:
        """Fit the value on newer features, and let it take over when it has seen ``renew_interval`` rollouts."""
        self.next_fitted.fit(self._features(rollout, self.next_features), rollout)
        self.iterations += 1
        if self.iterations % self.renew_interval == 0:
            self.features.load_state_dict(self.next_features.state_dict())
            self.fitted.take_over(self.next_fitted)
            self._renew(self.next_features, rollout)
            self.next_fitted.forget()

    def _renew(self, features: ValueFeatures, rollout: GroupRollout) -> None:
        """Bring features up to date with the value and the policies as they are now."""
        if features.encoder is not None:
            features.encoder.load_state_dict(self.freeze_encoder().state_dict())
        if self.learn_metric:
            seen = zip(rollout.states[:-1], rollout.observations[:-1], strict=True)
            outer = torch.stack([gradient_outer_product(self.value, *step) for step in seen]).mean(dim=0)
            features.cosines.set_metric(metric_from(distributed.all_mean(outer)))

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
            "value_weight_norm": self.fitted.weights.norm().to(returns.dtype),
            "rejected_fits": self.fitted.rejected_fits.to(returns.dtype),
        }
