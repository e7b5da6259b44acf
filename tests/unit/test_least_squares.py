# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The closed-form value estimator against arithmetic by hand, plain loops and exact value functions."""

import logging

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_rollouts import empty_rollout, permuted, random_rollout

from cgrpo_lab.advantages import ESTIMATORS, LeastSquares, make_estimator
from cgrpo_lab.advantages.base import explained_variance
from cgrpo_lab.advantages.features import MAX_PRODUCTS, QuadraticFeatures, RandomFourierFeatures
from cgrpo_lab.advantages.linear_value import normal_equations, solve_regularised
from cgrpo_lab.advantages.returns import generalised_advantage


def make(num_states, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    return make_estimator("least_squares", num_states=num_states, device="cpu", generator=generator, **options)


def plain_normal_equations(features, rollout, gamma, lam):
    """LSTD(lambda) sums by their definition: for every pair of steps i <= t of one episode (float64 python)."""
    num_steps, num_envs = rollout.rewards.shape
    phi = features.double()
    matrix = torch.zeros(phi.shape[-1], phi.shape[-1], dtype=torch.float64)
    vector = torch.zeros(phi.shape[-1], dtype=torch.float64)
    for e in range(num_envs):
        for t in range(num_steps):
            following = phi[t + 1, e]
            if rollout.time_outs[t, e]:
                following = phi[t, e]
            if rollout.terminated[t, e]:
                following = torch.zeros_like(following)
            for i in range(t, -1, -1):
                if i < t and rollout.dones[i, e]:
                    break
                trace = (gamma * lam) ** (t - i) * phi[i, e]
                matrix += torch.outer(trace, phi[t, e] - gamma * following)
                vector += trace * rollout.rewards[t, e].double()
    return matrix, vector


def chain_rollout(num_steps, num_envs, rewards, *, terminated=(), time_outs=()):
    """Robots on a ring of one-hot states; an episode end at the named states resets to state 0."""
    size = len(rewards)
    rollout = empty_rollout(num_steps, num_envs, size)
    state = torch.arange(num_envs) % size
    for t in range(num_steps):
        rollout.states[t, torch.arange(num_envs), state] = 1.0
        rollout.rewards[t] = torch.tensor(rewards)[state]
        for name, where in (("terminated", terminated), ("time_outs", time_outs)):
            for s in where:
                getattr(rollout, name)[t] |= state == s
        state = torch.where(rollout.dones[t], 0, (state + 1) % size)
    rollout.states[-1, torch.arange(num_envs), state] = 1.0
    return rollout


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), ends=st.sampled_from([0.0, 0.2]), lam=st.sampled_from([0.0, 0.95, 1.0]))
def test_normal_equations_equal_their_definition(seed, ends, lam):
    rollout = random_rollout(6, 3, 4, seed=seed, ends=ends)
    expected = plain_normal_equations(rollout.states, rollout, 0.9, lam)
    for states, tolerance in ((rollout.states.double(), 1e-9), (rollout.states, 1e-5)):
        result = normal_equations(states, rollout.rewards, rollout.terminated, rollout.time_outs, gamma=0.9, lam=lam)
        for ours, plain in zip(result, expected, strict=True):
            assert ours.dtype == torch.float64
            torch.testing.assert_close(ours, plain, rtol=tolerance, atol=tolerance)


def test_products_are_exact_whatever_the_simulator_prefers():
    rollout = random_rollout(2, 3, 4, seed=0)
    seen = []

    def features(broken=False):
        for states in rollout.states:
            seen.append(torch.get_float32_matmul_precision())
            yield states[:, :2] if broken and len(seen) > 4 else states

    ends = rollout.terminated, rollout.time_outs
    torch.set_float32_matmul_precision("medium")
    try:
        normal_equations(features(), rollout.rewards, *ends, gamma=0.9, lam=0.9)
        assert seen == ["highest"] * 3
        with pytest.raises(RuntimeError):
            normal_equations(features(broken=True), rollout.rewards, *ends, gamma=0.9, lam=0.9)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_normal_equations_by_hand():
    # One feature, features 1 2 | 3, rewards 1 1, gamma = lambda = 1/2:
    # z_0 = 1, z_1 = 2 + 1/4 = 2.25; A = 1 (1 - 2/2) + 2.25 (2 - 3/2) = 1.125; b = 1 + 2.25 = 3.25.
    features = torch.tensor([[[1.0]], [[2.0]], [[3.0]]])
    none = torch.zeros(2, 1, dtype=torch.bool)
    matrix, vector = normal_equations(features, torch.ones(2, 1), none, none, gamma=0.5, lam=0.5)
    assert matrix.item() == 1.125
    assert vector.item() == 3.25


@pytest.mark.parametrize("fit_lam", [0.0, 0.95])
def test_recovers_the_exact_values_of_a_ring(fit_lam):
    # Moves are certain, so V = (I - gamma P)^-1 r with P the shift by one.
    rewards = [1.0, -2.0, 0.5, 3.0, 0.0]
    estimator = make(5, gamma=0.9, fit_lam=fit_lam, ridge=1e-9)
    estimator(chain_rollout(20, 10, rewards))
    shift = torch.eye(5, dtype=torch.float64).roll(1, dims=1)
    exact = torch.linalg.solve(torch.eye(5, dtype=torch.float64) - 0.9 * shift, torch.tensor(rewards).double())
    torch.testing.assert_close(estimator.value(torch.eye(5)).double(), exact, rtol=1e-3, atol=1e-3)


def test_values_at_a_termination_and_at_a_time_out():
    # Chain 0 -> 1 -> 2, rewards 1 1 4, gamma 1/2. Terminated at 2: V = [1 + 1/2 + 4/4, 1 + 4/2, 4] = [2.5, 3, 4].
    # Cut by the clock at 2: V_2 = 4 + V_2/2 = 8, V_1 = 1 + 8/2 = 5, V_0 = 1 + 5/2 = 3.5.
    for end, exact in (("terminated", [2.5, 3.0, 4.0]), ("time_outs", [3.5, 5.0, 8.0])):
        estimator = make(3, gamma=0.5, ridge=1e-9)
        estimator(chain_rollout(12, 6, [1.0, 1.0, 4.0], **{end: (2,)}))
        torch.testing.assert_close(estimator.value(torch.eye(3)), torch.tensor(exact), rtol=1e-3, atol=1e-3)


def test_exact_values_leave_no_advantage():
    rollout = chain_rollout(20, 10, [1.0, -2.0, 0.5, 3.0, 0.0])
    estimator = make(5, gamma=0.9, ridge=1e-9)
    estimator(rollout)
    result = estimator(rollout)
    assert result.advantages.abs().max() < 5e-3
    assert result.diagnostics["explained_variance"] > 0.999


def test_an_iteration_is_judged_by_the_weights_from_before_it():
    first, second = random_rollout(8, 16, 3, seed=1), random_rollout(8, 16, 3, seed=2)
    estimator = make(3, lam=0.5, fit_lam=0.9)
    result = estimator(first)
    # Nothing comes before the first iteration: its own fit judges it.
    torch.testing.assert_close(result.baseline, estimator.value(first.states[:-1]))
    values = estimator.value(second.states)
    result = estimator(second)
    torch.testing.assert_close(result.baseline, values[:-1])
    expected = generalised_advantage(second.rewards, values, second.terminated, second.time_outs, gamma=0.99, lam=0.5)
    torch.testing.assert_close(result.advantages, expected)
    assert not torch.allclose(estimator.value(second.states), values)


def test_rewards_do_not_influence_their_own_baseline():
    estimators = make(3), make(3)
    rollouts = random_rollout(8, 16, 3, seed=2), random_rollout(8, 16, 3, seed=2)
    rollouts[1].rewards.neg_()
    baselines = []
    for estimator, rollout in zip(estimators, rollouts, strict=True):
        estimator(random_rollout(8, 16, 3, seed=1))
        baselines.append(estimator(rollout).baseline)
    assert torch.equal(*baselines)


def test_sums_forget():
    estimator = make(3, num_cosines=16, decay=0.5, lam=0.5, fit_lam=0.9)
    rollouts = [random_rollout(8, 16, 3, seed=seed) for seed in range(3)]
    parts = []
    for rollout in rollouts:
        estimator(rollout)
        parts.append(plain_normal_equations(estimator.features(rollout.states), rollout, 0.99, 0.9))
    # 1/4 of the first, 1/2 of the second, all of the last; 128 steps each: 32 + 64 + 128 = 224.
    for total, index in ((estimator.fitted.normal_matrix, 0), (estimator.fitted.normal_vector, 1)):
        expected = parts[0][index] / 4 + parts[1][index] / 2 + parts[2][index]
        torch.testing.assert_close(total, expected, rtol=1e-4, atol=1e-4)
    assert estimator.fitted.num_samples == 224


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_scaling_rewards_scales_advantages(seed):
    # By a power of two, so that not even the rounding differs.
    results = []
    for factor in (1.0, 4.0):
        estimator = make(3, num_cosines=16)
        for offset in range(2):
            rollout = random_rollout(6, 8, 3, seed=seed + offset)
            rollout.rewards.mul_(factor)
            result = estimator(rollout)
        results.append(result)
    assert torch.equal(4 * results[0].advantages, results[1].advantages)
    assert torch.equal(4 * results[0].baseline, results[1].baseline)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_constant_reward_moves_the_values_only(seed):
    # Where no episode ends for good, a reward c more adds c / (1 - gamma) to every value: 3 / 0.1 = 30.
    results = []
    for shift in (0.0, 3.0):
        estimator = make(3, num_cosines=16, gamma=0.9, ridge=1e-9)
        for offset in range(2):
            rollout = random_rollout(6, 8, 3, seed=seed + offset, terminations=False)
            rollout.rewards.add_(shift)
            result = estimator(rollout)
        results.append(result)
    torch.testing.assert_close(results[0].advantages, results[1].advantages, rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(results[0].baseline + 30, results[1].baseline, rtol=1e-3, atol=1e-2)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_order_of_environments_does_not_matter(seed):
    order = torch.randperm(8, generator=torch.Generator().manual_seed(seed))
    # A ridge that makes 48 samples enough: what rounding leaves of another order is then small, too.
    plain, shuffled = (make(3, num_cosines=16, ridge=1e-3) for _ in range(2))
    for offset in range(2):
        rollout = random_rollout(6, 8, 3, seed=seed + offset)
        first, second = plain(rollout), shuffled(permuted(rollout, order))
        torch.testing.assert_close(first.advantages[:, order], second.advantages, rtol=1e-4, atol=1e-4)


def test_continues_from_a_checkpoint_bit_for_bit():
    estimator = make(5, seed=0)
    for seed in range(3):
        estimator(random_rollout(8, 16, 5, seed=seed))
    resumed = make(5, seed=99)
    resumed.load_state_dict(estimator.state_dict())
    for seed in range(3, 5):
        rollout = random_rollout(8, 16, 5, seed=seed)
        expected, result = estimator(rollout), resumed(rollout)
        assert torch.equal(expected.advantages, result.advantages)
        assert torch.equal(expected.baseline, result.baseline)
    for name, value in estimator.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("where", ["states", "rewards"])
def test_what_is_not_finite_stays_out_of_the_fit(where, value, caplog):
    estimator = make(3)
    estimator(random_rollout(8, 16, 3, seed=0))
    before = {name: buffer.clone() for name, buffer in estimator.state_dict().items()}
    broken = random_rollout(8, 16, 3, seed=1)
    getattr(broken, where)[3, 2] = value
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            result = estimator(broken)
    assert result.diagnostics["rejected_fits"] == 2
    assert len(caplog.records) == 1
    for name, buffer in estimator.state_dict().items():
        if name != "fitted.rejected_fits":
            assert torch.equal(buffer, before[name]), name
    assert estimator(random_rollout(8, 16, 3, seed=2)).advantages.isfinite().all()


def test_a_rejected_fit_stays_counted_when_a_successor_takes_over():
    estimator = make(3, renew_interval=2)
    broken = random_rollout(8, 16, 3, seed=9)
    broken.rewards[0, 0] = torch.inf
    estimator(random_rollout(8, 16, 3, seed=0))
    estimator(broken)
    for seed in range(1, 6):
        assert estimator(random_rollout(8, 16, 3, seed=seed)).diagnostics["rejected_fits"] == 1


def test_solves_systems_of_very_unequal_scale():
    # Rows and columns scaled by 1e-6 to 1e6: condition number about 1e24, but well posed after scaling.
    generator = torch.Generator().manual_seed(0)
    scale = torch.logspace(-6, 6, 6, dtype=torch.float64)
    matrix = torch.randn(6, 6, generator=generator, dtype=torch.float64) + 5 * torch.eye(6, dtype=torch.float64)
    exact = torch.randn(6, generator=generator, dtype=torch.float64)
    result = solve_regularised(
        scale[:, None] * matrix * scale, scale * (matrix @ exact), torch.tensor(1e-20, dtype=torch.float64)
    )
    torch.testing.assert_close(result, exact / scale, rtol=1e-6, atol=0)


def test_a_singular_system_gets_the_least_squares_solution():
    # [[1, -2], [-2, 4]] w = [1, -2] with a vanishing ridge: rank one, and every w_0 - 2 w_1 = 1 solves it.
    matrix = torch.tensor([[1.0, -2.0], [-2.0, 4.0]], dtype=torch.float64)
    vector = torch.tensor([1.0, -2.0], dtype=torch.float64)
    result = solve_regularised(matrix, vector, torch.tensor(1e-300, dtype=torch.float64))
    torch.testing.assert_close(matrix @ result, vector)


def test_random_features_approach_the_gaussian_kernel():
    # E[phi(x) phi(y)] = exp(-|x - y|^2 / (2 S)) at bandwidth 1; the deviation falls like 1 / sqrt(F).
    generator = torch.Generator().manual_seed(0)
    features = RandomFourierFeatures(
        num_states=4, num_cosines=20_000, bandwidth=1.0, device=torch.device("cpu"), generator=generator
    )
    points = torch.randn(6, 4, generator=generator)
    cosines = features(points)[:, :20_000]
    torch.testing.assert_close(
        cosines @ cosines.T, torch.exp(-(torch.cdist(points, points) ** 2) / 8), rtol=0, atol=0.03
    )
    rest = features(points)[:, 20_000:]
    torch.testing.assert_close(rest, torch.cat((0.1 * points, torch.ones(6, 1)), dim=1))


def test_explained_variance_by_hand():
    # Var[0 2] = 1, the baseline [0 1] leaves [0 1] with variance 1/4: 1 - 1/4.
    assert explained_variance(torch.tensor([0.0, 2.0]), torch.tensor([0.0, 1.0])) == 0.75
    assert explained_variance(torch.ones(3), torch.tensor([0.0, 1.0, 2.0])) == 0


def test_diagnostics_are_scalars_on_the_device():
    result = make(3)(random_rollout(4, 8, 3, seed=0))
    assert set(result.diagnostics) == {"explained_variance", "value_weight_norm", "rejected_fits"}
    assert all(value.shape == () for value in result.diagnostics.values())
    assert not result.advantages.requires_grad


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"gamma": 1.0}, "gamma"),
        ({"gamma": float("nan")}, "gamma"),
        ({"lam": 1.5}, "lam"),
        ({"fit_lam": -0.1}, "fit_lam"),
        ({"decay": 2}, "decay"),
        ({"ridge": 0.0}, "ridge"),
        ({"num_cosines": -1}, "num_cosines"),
        ({"num_cosines": 2.5}, "num_cosines"),
        ({"bandwidth": -1.0}, "bandwidth"),
        ({"bandwidth": []}, "bandwidth"),
        ({"bandwidth": [1.0, 0.0]}, "bandwidth"),
        ({"bandwidth": "wide"}, "bandwidth"),
        ({"bandwith": 1.0}, "bandwith"),
        ({"quadratic": 1}, "quadratic"),
        ({"learn_metric": 1}, "learn_metric"),
        ({"policy_features": 1}, "policy_features"),
        ({"policy_features": True}, "policy_features"),  # there is no policy here
        ({"renew_interval": 0}, "renew_interval"),
    ],
)
def test_names_what_is_wrong_with_an_option(options, field):
    with pytest.raises(ValueError, match=field):
        make(3, **options)


def test_registry():
    assert {"state_cluster", "least_squares"} <= set(ESTIMATORS)
    assert isinstance(make(3), LeastSquares)
    with pytest.raises(ValueError, match="'least_square' cannot be used.*'least_squares'"):
        make_estimator("least_square", num_states=3, device="cpu", generator=torch.Generator())


# -- Features of the policy --------------------------------------------------------------------------------------------


class ChangingEncoder:
    """A policy whose hidden layer multiplies observations by a number that changes with every iteration."""

    def __init__(self):
        self.factor = 1.0

    def freeze(self):
        encoder = torch.nn.Linear(3, 3, bias=False)
        encoder.num_features = 3
        with torch.no_grad():
            encoder.weight.copy_(self.factor * torch.eye(3))
        return encoder


def test_policy_features_are_renewed_together_with_the_value_that_was_fitted_to_them():
    policy = ChangingEncoder()
    options = {"num_cosines": 4, "decay": 0.5, "learn_metric": False, "policy_features": True, "renew_interval": 2}
    estimator = make(3, freeze_encoder=policy.freeze, **options)
    rollouts = [random_rollout(8, 16, 3, seed=seed) for seed in range(5)]
    results = []
    for i, rollout in enumerate(rollouts):
        rollout.observations.copy_(rollout.states + 1.0)
        policy.factor = 10.0**i  # what the policy is while rollout i is judged
        results.append(estimator(rollout))

    def plain_value(factor, seen, rollout):
        """The value fitted to rollouts ``seen`` on features of the policy ``factor``."""

        def features(r):
            return torch.cat((estimator.features.cosines(r.states), factor * r.observations / 3**0.5), dim=-1).double()

        size = features(rollout).shape[-1]
        matrix, vector, count = torch.zeros(size, size).double(), torch.zeros(size).double(), 0.0
        for r in seen:
            more = plain_normal_equations(features(r), r, 0.99, 0.95)
            matrix, vector, count = matrix / 2 + more[0], vector / 2 + more[1], count / 2 + 128
        weights = torch.linalg.solve(matrix + 1e-5 * count * torch.eye(size).double(), vector)
        return (features(rollout)[:-1] @ weights).float()

    # The first two and their successors are judged on features of the policy at the start; the fifth on those frozen
    # after rollout 1, with the value that has seen rollouts 2 and 3 only.
    expected = [
        plain_value(1.0, rollouts[:1], rollouts[0]),
        plain_value(1.0, rollouts[:1], rollouts[1]),
        plain_value(1.0, rollouts[:2], rollouts[2]),
        plain_value(1.0, rollouts[:3], rollouts[3]),
        plain_value(10.0, rollouts[2:4], rollouts[4]),
    ]
    for result, baseline in zip(results, expected, strict=True):
        torch.testing.assert_close(result.baseline, baseline, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "features",
    [{"num_cosines": 0, "policy_features": True}, {"learn_metric": True}, {"learn_metric": True, "quadratic": True}],
)
def test_renewed_features_continue_from_a_checkpoint_bit_for_bit(features):
    policy = ChangingEncoder()
    options = {**features, "renew_interval": 3, "freeze_encoder": policy.freeze}
    estimator = make(3, **options)
    for seed in range(4):
        policy.factor += 1.0
        estimator(random_rollout(8, 16, 3, seed=seed))
    resumed = make(3, seed=9, **options)
    resumed.load_state_dict(estimator.state_dict())
    for seed in range(4, 9):
        policy.factor += 1.0
        rollout = random_rollout(8, 16, 3, seed=seed)
        assert torch.equal(estimator(rollout).advantages, resumed(rollout).advantages)


def test_several_bandwidths_make_the_mean_of_their_kernels():
    generator = torch.Generator().manual_seed(0)
    features = RandomFourierFeatures(
        num_states=4, num_cosines=40_000, bandwidth=[0.5, 2.0], device=torch.device("cpu"), generator=generator
    )
    points = torch.randn(6, 4, generator=generator)
    cosines = features(points)[:, :40_000]
    squares = torch.cdist(points, points) ** 2 / 4
    expected = (torch.exp(-squares / (2 * 0.25)) + torch.exp(-squares / (2 * 4.0))) / 2
    torch.testing.assert_close(cosines @ cosines.T, expected, rtol=0, atol=0.03)


def test_without_cosines_the_value_is_linear_in_the_state():
    features = RandomFourierFeatures(
        num_states=2, num_cosines=0, bandwidth=1.0, device=torch.device("cpu"), generator=torch.Generator()
    )
    torch.testing.assert_close(features(torch.tensor([[3.0, -1.0]])), torch.tensor([[0.3, -0.1, 1.0]]))


def test_products_are_those_of_every_two_entries():
    products = QuadraticFeatures(num_states=3, device=torch.device("cpu"))
    # Scale sqrt(2) / 4; the 7 counts as 5.
    expected = [4.0, -2.0, 10.0, 1.0, -5.0, 25.0]
    torch.testing.assert_close(
        products(torch.tensor([[2.0, -1.0, 7.0]])), 2**0.5 / 4 * torch.tensor([expected]), rtol=1e-6, atol=0.0
    )
    states = torch.randn(20_000, 3, generator=torch.Generator().manual_seed(0))
    assert products(states).square().sum(dim=-1).mean() == pytest.approx(1.5, rel=0.05)


def test_a_value_of_second_degree_needs_quadratic_features():
    """With gamma 0 a value is a regression of the reward; the second rollout is judged by the fit to the first."""
    explained = {}
    for quadratic in (False, True):
        estimator = make(4, num_cosines=0, quadratic=quadratic, gamma=0.0, ridge=1e-9)
        for seed in (1, 2):
            rollout = empty_rollout(16, 32, 4)
            rollout.states.copy_(torch.randn(rollout.states.shape, generator=torch.Generator().manual_seed(seed)))
            states = rollout.states[:-1]
            rollout.rewards.copy_(states[..., 0] * states[..., 3] - 0.5 * states[..., 1].square() + states[..., 2])
            result = estimator(rollout)
        explained[quadratic] = float(result.diagnostics["explained_variance"])
    assert explained[True] > 0.999 and explained[False] < 0.5


def test_too_many_products_are_refused_with_a_remedy():
    make(90, num_cosines=0, quadratic=True)
    with pytest.raises(ValueError, match=f"91 entries.*4186 products.*{MAX_PRODUCTS}.*obs_groups.state"):
        make(91, quadratic=True)


def test_cosines_products_and_policy_features_come_together():
    policy = ChangingEncoder()
    estimator = make(3, num_cosines=4, quadratic=True, policy_features=True, freeze_encoder=policy.freeze)
    rollout = random_rollout(8, 16, 3, seed=0)
    estimator(rollout)
    seen = rollout.states, rollout.observations
    features = estimator.features
    parts = features.cosines(seen[0]), features.products(seen[0]), features.encoder(seen[1]) / 3**0.5
    assert [part.shape[-1] for part in parts] == [8, 6, 3]
    expected = torch.cat(parts, dim=-1).double() @ estimator.fitted.weights
    torch.testing.assert_close(estimator.value(*seen).double(), expected, rtol=1e-4, atol=1e-4)
