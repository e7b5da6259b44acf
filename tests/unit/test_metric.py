# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The metric of states that the closed-form value learns from its own gradients."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_rollouts import empty_rollout

from cgrpo_lab.advantages import LeastSquares
from cgrpo_lab.advantages.features import RandomFourierFeatures
from cgrpo_lab.advantages.metric import ISOTROPIC_SHARE, gradient_outer_product, metric_from, square_root


def test_outer_product_of_gradients_by_hand():
    """V = s_0^2 + 3 s_1 has the gradient (2 s_0, 3); observations are constants."""
    states = torch.tensor([[1.0, 5.0], [2.0, -7.0]])
    outer = gradient_outer_product(lambda s, o: s[:, 0] ** 2 + 3.0 * s[:, 1] + o[:, 0], states, torch.ones(2, 1))
    torch.testing.assert_close(outer, torch.tensor([[10.0, 9.0], [9.0, 9.0]], dtype=torch.float64))


def test_metric_by_hand():
    outer = torch.tensor([[3.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    # Trace 4 becomes 2: (1.5, 0.5), of which nine tenths and a tenth of the identity.
    expected = torch.tensor([[1.45, 0.0], [0.0, 0.55]], dtype=torch.float64)
    torch.testing.assert_close(metric_from(outer), expected)


@pytest.mark.parametrize("outer", [torch.zeros(3, 3), torch.full((3, 3), torch.nan), torch.full((3, 3), torch.inf)])
def test_gradients_that_say_nothing_leave_the_plain_metric(outer):
    torch.testing.assert_close(metric_from(outer.double()), torch.eye(3, dtype=torch.float64))


@given(seed=st.integers(0, 10_000), size=st.integers(1, 8), scale=st.sampled_from([1e-9, 1.0, 1e9]))
@settings(max_examples=30, deadline=None)
def test_metric_is_positive_of_trace_s_whatever_the_unit_of_rewards(seed, size, scale):
    gradient = torch.randn(size + 2, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    metric = metric_from(scale * gradient.T @ gradient)
    assert metric.trace().item() == pytest.approx(size)
    assert torch.linalg.eigvalsh(metric).min() >= ISOTROPIC_SHARE - 1e-9
    root = square_root(metric)
    torch.testing.assert_close(root, root.T)
    torch.testing.assert_close(root @ root, metric)


def test_cosines_measure_distances_by_the_metric():
    generator = torch.Generator().manual_seed(0)
    features = RandomFourierFeatures(
        num_states=3, num_cosines=40_000, bandwidth=1.0, device=torch.device("cpu"), generator=generator
    )
    metric = metric_from(torch.tensor([[4.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.1]], dtype=torch.float64))
    features.set_metric(metric)
    points = torch.randn(6, 3, generator=generator)
    difference = (points[:, None] - points[None]).double()
    squares = torch.einsum("ijs,st,ijt->ij", difference, metric, difference) / 3
    cosines = features(points)[:, :40_000]
    torch.testing.assert_close((cosines @ cosines.T).double(), torch.exp(-squares / 2), rtol=0, atol=0.03)
    features.set_metric(torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(features.frequencies, features.directions)


def ridge_rollout(seed):
    """Rewards that depend on one direction of twelve, and not linearly."""
    rollout = empty_rollout(16, 32, 12)
    generator = torch.Generator().manual_seed(seed)
    rollout.states.copy_(torch.randn(rollout.states.shape, generator=generator))
    direction = torch.randn(12, generator=torch.Generator().manual_seed(7))
    rollout.rewards.copy_(torch.cos(2.0 * rollout.states[:-1] @ (direction / direction.norm())))
    return rollout


def test_the_metric_is_that_of_the_new_value_at_all_states_of_the_rollout():
    options = {"freeze_encoder": None, "num_cosines": 16, "renew_interval": 1}
    estimator = LeastSquares(num_states=12, device="cpu", generator=torch.Generator().manual_seed(0), **options)
    for seed in range(2):
        rollout = ridge_rollout(seed)
        estimator(rollout)
    states, observations = rollout.states[:-1].flatten(0, 1), rollout.observations[:-1].flatten(0, 1)
    expected = copy.deepcopy(estimator.next_features.cosines)
    expected.set_metric(metric_from(gradient_outer_product(estimator.value, states, observations)))
    torch.testing.assert_close(estimator.next_features.cosines.frequencies, expected.frequencies, rtol=1e-4, atol=1e-4)


def test_learned_directions_explain_what_random_ones_do_not():
    """With gamma 0 the value is a regression of the reward, and the explained variance is of rollouts not yet seen."""
    explained = {}
    for learn_metric in (False, True):
        generator = torch.Generator().manual_seed(0)
        estimator = LeastSquares(
            num_states=12,
            device="cpu",
            generator=generator,
            freeze_encoder=None,
            gamma=0.0,
            num_cosines=128,
            bandwidth=0.5,
            learn_metric=learn_metric,
            renew_interval=4,
        )
        results = [estimator(ridge_rollout(seed)) for seed in range(24)]
        explained[learn_metric] = float(results[-1].diagnostics["explained_variance"])
    assert explained[True] > 0.8 and explained[False] < 0.5, explained


def test_without_cosines_there_is_no_metric_to_learn():
    estimator = LeastSquares(
        num_states=12, device="cpu", generator=torch.Generator(), freeze_encoder=None, num_cosines=0, renew_interval=1
    )
    estimator(ridge_rollout(0))
    assert not any(name.startswith("next_") for name in estimator.state_dict())
