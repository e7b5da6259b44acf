# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The state-cluster advantages (eqs 6 and 7) against arithmetic by hand and plain loops."""

import logging

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_rollouts import empty_rollout, permuted, random_rollout

from cgrpo_lab.advantages import make_estimator
from cgrpo_lab.advantages.group_means import GroupSums, consistent_means, leave_one_out_means
from cgrpo_lab.advantages.returns import return_to_go


def make(num_states, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    return make_estimator("state_cluster", num_states=num_states, device="cpu", generator=generator, **options)


def plain_means(returns, labels, min_others):
    """Baselines by their definition, sample by sample (float64 python)."""
    num_steps, num_envs = returns.shape
    result = torch.zeros(num_steps, num_envs, dtype=torch.float64)
    fell_back = torch.ones(num_steps, num_envs, dtype=torch.bool)
    for t in range(num_steps):
        for e in range(num_envs):
            others = [(s, f) for s in range(num_steps) for f in range(num_envs) if f != e]
            same = [(s, f) for s, f in others if labels[s, f] == labels[t, e]] if labels[t, e] >= 0 else []
            row = [(s, f) for s, f in others if s == t]
            fell_back[t, e] = len(same) < min_others
            chosen = next((group for group in (same, row) if len(group) >= min_others), others)
            result[t, e] = sum(returns[s, f].item() for s, f in chosen) / len(chosen)
    return result, fell_back


def two_room_rollout(num_steps, num_envs, num_states=2, seed=0):
    """Robots that stay in one of two far rooms (even and odd environments); rewards are the room plus noise."""
    generator = torch.Generator().manual_seed(seed)
    rollout = empty_rollout(num_steps, num_envs, num_states)
    room = (torch.arange(num_envs) % 2).float()
    noise = torch.randn(rollout.states.shape, generator=generator)
    rollout.states.copy_(100.0 * room[:, None] + noise)
    rollout.rewards.copy_(room + 0.1 * torch.randn(rollout.rewards.shape, generator=generator))
    return rollout


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    num_envs=st.sampled_from([2, 4, 6]),
    num_clusters=st.sampled_from([0, 1, 3, 8]),
    min_others=st.sampled_from([1, 3, 8, 100]),
)
def test_means_equal_their_definition(seed, num_envs, num_clusters, min_others):
    generator = torch.Generator().manual_seed(seed)
    returns = torch.randn(5, num_envs, generator=generator)
    labels = torch.randint(-1, max(num_clusters, 1), (5, num_envs), generator=generator).clamp_max(num_clusters - 1)
    means, fell_back = leave_one_out_means(returns, labels, num_clusters, min_others)
    expected, expected_fell_back = plain_means(returns, labels, min_others)
    assert torch.equal(fell_back, expected_fell_back)
    torch.testing.assert_close(means.double(), expected, rtol=1e-5, atol=1e-5)


def test_means_by_hand():
    # Two steps of three environments, clusters [[0, 0, 1], [0, 1, -1]], returns [[1, 2, 3], [4, 5, 6]].
    returns = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    labels = torch.tensor([[0, 0, 1], [0, 1, -1]])
    means, fell_back = leave_one_out_means(returns, labels, 2, min_others=1)
    # Cluster 0 holds 1 and 4 of env 0 and 2 of env 1: env 0 is compared with 2, env 1 with (1 + 4) / 2.
    # Cluster 1 holds 5 of env 1 and 3 of env 2: each is compared with the other. Noise: its step's (4 + 5) / 2.
    assert means.tolist() == [[2.0, 2.5, 5.0], [2.0, 3.0, 4.5]]
    assert fell_back.tolist() == [[False, False, False], [False, False, True]]
    # Two others wanted: only env 1 in cluster 0 has them. The rest takes its step: (2 + 3) / 2, (1 + 2) / 2 and so on.
    means, fell_back = leave_one_out_means(returns, labels, 2, min_others=2)
    assert means.tolist() == [[2.5, 2.5, 1.5], [5.5, 5.0, 4.5]]
    assert (~fell_back).nonzero().tolist() == [[0, 1]]
    # Three wanted: not even a step has them. All of the others: env 0 (2 + 3 + 5 + 6) / 4, env 1 14 / 4, env 2 12 / 4.
    means, fell_back = leave_one_out_means(returns, labels, 2, min_others=3)
    assert means.tolist() == [[4.0, 3.5, 3.0], [4.0, 3.5, 3.0]]
    assert fell_back.all()


def test_leaving_one_out_stretches_the_plain_deviation():
    # One sample a trajectory: G - mean of the others = n / (n - 1) (G - mean of all).
    returns = torch.randn(1, 10, generator=torch.Generator().manual_seed(0))
    means, _ = leave_one_out_means(returns, torch.zeros(1, 10, dtype=torch.long), 1, min_others=1)
    torch.testing.assert_close(returns - means, 10 / 9 * (returns - returns.mean()))


def test_consistent_mean_by_hand():
    # One cluster, one step with reward 1, gamma 1/2, then cut: b = 1 + b / 2, so b = 2.
    rollout = empty_rollout(1, 2, 1)
    rollout.rewards.fill_(1.0)
    sums = GroupSums.of(rollout, torch.zeros(2, 2, dtype=torch.long), 1, gamma=0.5)
    assert consistent_means(sums).tolist() == [2.0, 2.0]


def test_consistent_means_of_an_empty_cluster_and_of_noise():
    # Of three clusters only 0 is visited, once, and 1 only after the last step; the other sample is noise with reward 3
    # and ends for good. b_all = (1 + b_1 / 2 + 3) / 2 with b_1 = b_all, as 1 is empty: b_all = 8 / 3, b_0 = 1 + 4 / 3.
    rollout = empty_rollout(1, 2, 1)
    rollout.rewards.copy_(torch.tensor([[1.0, 3.0]]))
    rollout.terminated[0, 1] = True
    sums = GroupSums.of(rollout, torch.tensor([[0, -1], [1, 0]]), 3, gamma=0.5)
    means = consistent_means(sums)
    torch.testing.assert_close(means, torch.tensor([7 / 3, 8 / 3, 8 / 3, 8 / 3], dtype=torch.float64))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), ends=st.sampled_from([0.0, 0.2]), num_clusters=st.sampled_from([1, 4]))
def test_consistent_means_agree_with_themselves(seed, ends, num_clusters):
    rollout = random_rollout(6, 20, 2, seed=seed, ends=ends)
    labels = torch.randint(-1, num_clusters, (7, 20), generator=torch.Generator().manual_seed(seed))
    means = consistent_means(GroupSums.of(rollout, labels, num_clusters, gamma=0.9))
    values = means[labels]  # noise, -1, reads the last entry: the mean over everything
    returns = return_to_go(
        rollout.rewards.double(),
        rollout.terminated,
        rollout.time_outs,
        gamma=0.9,
        tail_values=values[-1],
        time_out_values=values[:-1],
    )
    torch.testing.assert_close(means[-1], returns.mean())
    for cluster in range(num_clusters):
        members = returns[labels[:-1] == cluster]
        if len(members):
            torch.testing.assert_close(means[cluster], members.mean())


def test_compares_with_the_same_room():
    estimator = make(2, gamma=0.5, clustering_options={"reach": 10.0})
    result = estimator(two_room_rollout(10, 40))
    # Rewards are about 0 and 1 forever: returns 0 and 1 / (1 - 1/2) = 2. A common mean would be 1.
    assert result.baseline[:, 0::2].mean() == pytest.approx(0.0, abs=0.05)
    assert result.baseline[:, 1::2].mean() == pytest.approx(2.0, abs=0.05)
    assert result.diagnostics["num_clusters"] == 2
    assert result.diagnostics["largest_cluster_share"] == pytest.approx(0.5, abs=0.01)
    assert result.diagnostics["fallback_share"] == 0
    assert result.diagnostics["noise_share"] == 0
    assert result.diagnostics["explained_variance"] > 0.9


def test_later_tails_are_continued_by_the_values_of_the_iteration_before():
    estimator = make(2, gamma=0.5, clustering_options={"reach": 10.0})
    estimator(two_room_rollout(10, 40))
    values = estimator.group_values.clone()
    rollout = two_room_rollout(10, 40, seed=1)
    tail = values[estimator.clusterer.predict(rollout.states[-1])]
    result = estimator(rollout)
    none = torch.zeros(10, 40, dtype=torch.bool)
    returns = return_to_go(
        rollout.rewards, none, none, gamma=0.5, tail_values=tail, time_out_values=torch.zeros(10, 40)
    )
    torch.testing.assert_close(result.advantages + result.baseline, returns)


@pytest.mark.parametrize("clustering", ["dbscan", "kmeans"])
def test_a_trajectory_does_not_influence_its_own_baseline(clustering):
    baselines = []
    for factor in (1.0, -5.0):
        estimator = make(3, clustering=clustering)
        estimator(random_rollout(8, 30, 3, seed=0))
        rollout = random_rollout(8, 30, 3, seed=1, ends=0.1)
        rollout.rewards[:, 7] *= factor
        baselines.append(estimator(rollout).baseline)
    torch.testing.assert_close(baselines[0][:, 7], baselines[1][:, 7], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(baselines[0], baselines[1], atol=1e-3)


def test_noise_and_no_cluster_at_all(caplog):
    estimator = make(3, clustering_options={"eps": 1e-3})
    rollout = random_rollout(6, 20, 3, seed=0)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            result = estimator(rollout)
    assert len(caplog.records) == 1
    assert result.diagnostics["num_clusters"] == 0
    assert result.diagnostics["noise_share"] == 1
    assert result.diagnostics["fallback_share"] == 1
    # The mean of the others at the same step, so every row of advantages is centred.
    torch.testing.assert_close(result.advantages.mean(dim=1), torch.zeros(6), rtol=0, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), clustering=st.sampled_from(["dbscan", "kmeans"]))
def test_scaling_rewards_scales_advantages(seed, clustering):
    results = []
    for factor in (1.0, 4.0):
        estimator = make(3, clustering=clustering)
        for offset in range(2):
            rollout = random_rollout(6, 20, 3, seed=seed + offset)
            rollout.rewards.mul_(factor)
            result = estimator(rollout)
        results.append(result)
    torch.testing.assert_close(4 * results[0].advantages, results[1].advantages, rtol=1e-4, atol=1e-4)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_constant_reward_changes_nothing_where_nothing_ends_for_good(seed):
    results = []
    for shift in (0.0, 3.0):
        estimator = make(3, gamma=0.9)
        for offset in range(2):
            rollout = random_rollout(6, 20, 3, seed=seed + offset, terminations=False)
            rollout.rewards.add_(shift)
            result = estimator(rollout)
        results.append(result)
    torch.testing.assert_close(results[0].advantages, results[1].advantages, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(results[0].baseline + 30, results[1].baseline, rtol=1e-3, atol=1e-3)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_order_of_environments_does_not_matter(seed):
    order = torch.randperm(20, generator=torch.Generator().manual_seed(seed))
    plain, shuffled = make(3), make(3)
    for offset in range(2):
        rollout = random_rollout(6, 20, 3, seed=seed + offset)
        first, second = plain(rollout), shuffled(permuted(rollout, order))
        torch.testing.assert_close(first.advantages[:, order], second.advantages, rtol=1e-4, atol=1e-4)


def test_termination_against_time_out():
    # One step of reward 1 in one room: V = 1 / (1 - 1/2) = 2 after a time-out, nothing after a termination.
    estimator = make(2, gamma=0.5, clustering_options={"reach": 100.0})
    rollout = empty_rollout(1, 20, 2)
    rollout.states.copy_(torch.randn(2, 20, 2, generator=torch.Generator().manual_seed(0)))
    rollout.rewards.fill_(1.0)
    estimator(rollout)
    rollout.terminated[0, 0] = True
    rollout.time_outs[0, 1] = True
    result = estimator(rollout)
    returns = (result.advantages + result.baseline)[0]
    assert returns.tolist() == pytest.approx([1.0] + [2.0] * 19)


@pytest.mark.parametrize("clustering", ["dbscan", "kmeans"])
def test_continues_from_a_checkpoint_bit_for_bit(clustering, tmp_path):
    # A sample of the states is clustered, so that the generator matters too; the runner saves it.
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
        expected, result = estimator(rollout), resumed(rollout)
        assert torch.equal(expected.advantages, result.advantages)
        assert torch.equal(expected.baseline, result.baseline)
    for name, value in estimator.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_checkpoint_can_be_loaded_over_a_used_estimator():
    first, second = make(3), make(3)
    first(random_rollout(6, 20, 3, seed=0))
    second(two_room_rollout(10, 40, num_states=3))
    second.load_state_dict(first.state_dict())
    rollout = random_rollout(6, 20, 3, seed=1)
    assert torch.equal(first(rollout).advantages, second(rollout).advantages)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gamma": 1.0}, "gamma = 1.0"),
        ({"min_others": 0}, "min_others = 0"),
        ({"clustering": "hdbscan"}, "clustering = 'hdbscan'.*'dbscan'"),
        ({"clustering_options": {"epsilon": 0.1}}, "'epsilon'.*eps"),
        ({"clustering_options": {"eps": -0.1}}, "eps = -0.1"),
        ({"clustering": "kmeans", "clustering_options": {"eps": 0.1}}, "'eps'.*num_clusters"),
    ],
)
def test_names_what_is_wrong_with_an_option(options, message):
    with pytest.raises(ValueError, match=message):
        make(3, **options)


def test_one_environment_has_no_others():
    with pytest.raises(ValueError, match="num_envs = 1"):
        make(3)(random_rollout(6, 1, 3, seed=0))
