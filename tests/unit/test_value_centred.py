# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The least-squares advantage, centred within clusters, against arithmetic by hand and plain loops."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_rollouts import empty_rollout, permuted, random_rollout

from cgrpo_lab.advantages import make_estimator

SMALL = {"value_options": {"num_cosines": 16}, "clustering_options": {"num_clusters": 4}}


def make(num_states, seed=0, kind="value_centred", **options):
    generator = torch.Generator().manual_seed(seed)
    return make_estimator(kind, num_states=num_states, device="cpu", generator=generator, **options)


def test_by_hand():
    # gamma 0: the advantage of the first fit is r - V(s), V linear. Two far rooms with equal states inside, so that
    # V is the mean of the room (with hardly any ridge) and each room's advantages are centred already: A = r - mean,
    # and less the mean of the others' A: of 1 2 6 (A = -2 -1 3) env 0 gets -2 - (-1 + 3) / 2 = -3.
    rollout = empty_rollout(1, 6, 1)
    rollout.states[:, 3:] = 1.0
    rollout.rewards.copy_(torch.tensor([[1.0, 2.0, 6.0, 10.0, 20.0, 60.0]]))
    options = {"value_options": {"num_cosines": 4, "ridge": 1e-9}, "clustering_options": {"num_clusters": 2}}
    result = make(1, gamma=0.0, min_others=1, **options)(rollout)
    expected = torch.tensor([[-3.0, -1.5, 4.5, -30.0, -15.0, 45.0]])
    torch.testing.assert_close(result.advantages, expected, rtol=1e-3, atol=1e-3)
    # What remains is the deviation from the others' mean reward, whatever V is.
    torch.testing.assert_close(result.baseline, rollout.rewards - expected, rtol=1e-3, atol=1e-3)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), min_others=st.sampled_from([1, 8, 40]))
def test_equals_its_definition(seed, min_others):
    centred, value = make(3, seed, min_others=min_others, **SMALL), make(3, seed, "least_squares", num_cosines=16)
    for offset in range(2):
        rollout = random_rollout(5, 9, 3, seed=seed + offset, ends=0.1)
        result, plain = centred(rollout), value(rollout)
        labels = centred.clusterer.predict(rollout.states[:-1].flatten(0, 1)).view(5, 9)
        for t in range(5):
            for e in range(9):
                others = [(s, f) for s in range(5) for f in range(9) if f != e]
                same = [(s, f) for s, f in others if labels[s, f] == labels[t, e]]
                row = [(s, f) for s, f in others if s == t]
                chosen = next((group for group in (same, row) if len(group) >= min_others), others)
                mean = sum(plain.advantages[s, f].item() for s, f in chosen) / len(chosen)
                assert result.advantages[t, e].item() == pytest.approx(plain.advantages[t, e].item() - mean, abs=1e-4)
        total = plain.advantages + plain.baseline
        torch.testing.assert_close(result.advantages + result.baseline, total, rtol=1e-5, atol=1e-4)


def test_takes_away_an_error_that_alike_states_share():
    # The value is judged before it has seen that the second room pays: everything there looks good until centred.
    def rooms(seed, reward):
        rollout = empty_rollout(8, 40, 2)
        generator = torch.Generator().manual_seed(seed)
        room = (torch.arange(40) % 2).float()
        rollout.states.copy_(10.0 * room[:, None] + torch.randn(rollout.states.shape, generator=generator))
        rollout.rewards.copy_(reward * room + 0.1 * torch.randn(rollout.rewards.shape, generator=generator))
        return rollout

    options = {"clustering_options": {"num_clusters": 2}}
    centred, value = make(2, gamma=0.5, **options), make(2, 0, "least_squares", gamma=0.5)
    for estimator in (centred, value):
        estimator(rooms(0, 0.0))
    new = rooms(1, 5.0)
    plain, result = value(new), centred(new)
    assert plain.advantages[:, 1::2].mean() > 4.0
    assert result.advantages[:, 1::2].mean() == pytest.approx(0.0, abs=0.05)
    assert result.diagnostics["residual_explained"] > 0.9
    assert result.diagnostics["num_clusters"] == 2


@pytest.mark.parametrize("clustering", ["dbscan", "kmeans"])
def test_a_trajectory_does_not_influence_its_own_baseline(clustering):
    # By the mean, that is: the value's part of the advantage looks at its own rewards to come.
    rests = []
    for factor in (1.0, -5.0):
        centred, value = make(3, clustering=clustering), make(3, 0, "least_squares")
        for estimator in (centred, value):
            estimator(random_rollout(8, 30, 3, seed=0))
        rollout = random_rollout(8, 30, 3, seed=1, ends=0.1)
        rollout.rewards[:, 7] *= factor
        rests.append(centred(rollout).advantages - value(rollout).advantages)
    torch.testing.assert_close(rests[0][:, 7], rests[1][:, 7], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(rests[0], rests[1], atol=1e-3)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_one_cluster_of_single_steps_is_centred(seed):
    # One sample a trajectory: leaving out the own one stretches the deviation, the sum stays zero.
    result = make(3, seed, value_options={"num_cosines": 16}, clustering_options={"num_clusters": 1})(
        random_rollout(1, 20, 3, seed=seed)
    )
    assert result.advantages.sum().item() == pytest.approx(0.0, abs=1e-3)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_scaling_rewards_scales_advantages(seed):
    results = []
    for factor in (1.0, 4.0):
        estimator = make(3, **SMALL)
        for offset in range(2):
            rollout = random_rollout(6, 12, 3, seed=seed + offset)
            rollout.rewards.mul_(factor)
            result = estimator(rollout)
        results.append(result)
    torch.testing.assert_close(4 * results[0].advantages, results[1].advantages, rtol=1e-4, atol=1e-4)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_order_of_environments_does_not_matter(seed):
    # With DBSCAN: k-means draws its first centroids by the order of the points.
    order = torch.randperm(20, generator=torch.Generator().manual_seed(seed))
    options = {"value_options": {"num_cosines": 16}, "clustering": "dbscan"}
    plain, shuffled = make(3, **options), make(3, **options)
    for offset in range(2):
        rollout = random_rollout(6, 20, 3, seed=seed + offset)
        first, second = plain(rollout), shuffled(permuted(rollout, order))
        torch.testing.assert_close(first.advantages[:, order], second.advantages, rtol=1e-3, atol=1e-3)


def test_termination_against_time_out():
    # One state, reward 1, gamma 1/2: V = 2. A termination loses the gamma V = 1 that a time-out keeps.
    estimator = make(1, gamma=0.5, value_options={"ridge": 1e-9}, clustering_options={"num_clusters": 1})
    rollout = empty_rollout(1, 20, 1)
    rollout.rewards.fill_(1.0)
    estimator(rollout)
    rollout.terminated[0, 0] = True
    rollout.time_outs[0, 1] = True
    result = estimator(rollout)
    # Others' means: 0 for env 0, -1 / 19 for the others.
    expected = torch.tensor([-1.0] + [1 / 19] * 19)
    torch.testing.assert_close(result.advantages[0], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("clustering", ["dbscan", "kmeans"])
def test_continues_from_a_checkpoint_bit_for_bit(clustering, tmp_path):
    options = {"clustering": clustering, "clustering_options": {"max_fit_points": 100}}
    estimator = make(5, **options)
    with torch.inference_mode():
        for seed in range(2):
            estimator(random_rollout(8, 20, 5, seed=seed))
    torch.save(estimator.state_dict(), tmp_path / "estimator.pt")
    resumed = make(5, seed=99, **options)
    resumed.load_state_dict(torch.load(tmp_path / "estimator.pt", weights_only=True))
    resumed.generator.set_state(estimator.generator.get_state())
    for seed in range(2, 4):
        rollout = random_rollout(8, 20, 5, seed=seed)
        assert torch.equal(estimator(rollout).advantages, resumed(rollout).advantages)
    for name, value in estimator.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gamma": 1.0}, "gamma = 1.0"),
        ({"min_others": 0}, "min_others = 0"),
        ({"value_options": {"lamda": 0.9}}, "'lamda'.*fit_lam"),
        ({"value_options": {"gamma": 0.9}}, "gamma"),
        ({"clustering": "hdbscan"}, "clustering = 'hdbscan'"),
        ({"clustering_options": {"eps": 0.1}}, "'eps'.*num_clusters"),
    ],
)
def test_names_what_is_wrong_with_an_option(options, message):
    with pytest.raises(ValueError, match=message):
        make(3, **options)
