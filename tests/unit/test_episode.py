# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Outcome supervision against arithmetic by hand and plain loops."""

import logging
import statistics

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_rollouts import count_episode_steps, empty_rollout, permuted, random_rollout

from cgrpo_lab.advantages import make_estimator
from cgrpo_lab.advantages.episode import NORMALIZATIONS


def make(num_states=2, **options):
    return make_estimator("episode", num_states=num_states, device="cpu", generator=torch.Generator(), **options)


def rollout_of_groups(num_steps, num_envs, group_size, *, seed, ends):
    """A rollout whose start groups begin together now and then, and whose envs also end on their own."""
    rollout = random_rollout(num_steps, num_envs, 2, seed=seed, ends=ends)
    generator = torch.Generator().manual_seed(seed)
    together = torch.rand(num_steps, num_envs // group_size, generator=generator) < 0.3
    rollout.time_outs |= together.repeat_interleave(group_size, dim=1)
    rollout.terminated &= ~rollout.time_outs
    count_episode_steps(rollout)
    # Half of the start groups were under way when the rollout began.
    for e in range(num_envs // 2):
        end = int(rollout.dones[:, e].int().argmax()) if rollout.dones[:, e].any() else num_steps - 1
        rollout.episode_steps[: end + 1, e] += 3
    return rollout


def plain_advantages(rollout, gamma, group_size, normalization):
    """Advantages and mask by their definition, from a list of all episodes (float64 python)."""
    num_steps, num_envs = rollout.rewards.shape
    episodes = {}
    for e in range(num_envs):
        start = 0
        for t in range(num_steps):
            if rollout.dones[t, e] or t == num_steps - 1:
                if rollout.episode_steps[start, e] == 0 and rollout.dones[t, e]:
                    episodes[e, start] = [rollout.rewards[s, e].item() for s in range(start, t + 1)]
                start = t + 1
    advantages, judged = torch.zeros(2, num_steps, num_envs, dtype=torch.float64)
    for (e, start), rewards in episodes.items():
        block = e // group_size * group_size
        group = [episodes.get((f, start)) for f in range(block, block + group_size)]
        if None in group:
            continue
        outcomes = [sum(gamma**k * r for k, r in enumerate(member)) for member in group]
        own = outcomes[e - block]
        rest = [outcome for f, outcome in enumerate(outcomes) if f != e - block]
        advantages[start : start + len(rewards), e] = {
            "leave_one_out": own - statistics.fmean(rest),
            "mean": own - statistics.fmean(outcomes),
            "std": (own - statistics.fmean(outcomes)) / statistics.stdev(outcomes),
        }[normalization]
        judged[start : start + len(rewards), e] = 1
    return advantages, judged


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    ends=st.sampled_from([0.1, 0.3]),
    group_size=st.sampled_from([2, 3]),
    normalization=st.sampled_from(NORMALIZATIONS),
    gamma=st.sampled_from([0.9, 1.0]),
)
def test_equals_its_definition(seed, ends, group_size, normalization, gamma):
    rollout = rollout_of_groups(12, 12, group_size, seed=seed, ends=ends)
    result = make(gamma=gamma, group_size=group_size, normalization=normalization)(rollout)
    advantages, judged = plain_advantages(rollout, gamma, group_size, normalization)
    assert torch.equal(result.judged, judged.bool())
    torch.testing.assert_close(result.advantages.double(), advantages, rtol=1e-4, atol=1e-4)
    assert result.diagnostics["judged_share"] == pytest.approx(judged.mean().item())


@pytest.mark.parametrize(
    ("normalization", "advantages"),
    [("leave_one_out", [-6.0, 0.0, 6.0]), ("mean", [-4.0, 0.0, 4.0]), ("std", [-1.0, 0.0, 1.0])],
)
def test_outcomes_by_hand(normalization, advantages):
    # gamma 1/2. Env 0 earns 1 and ends; env 1 earns 3 + 4/2 = 5; env 2 earns 8 + 2/2 = 9. Mean 5, deviation 4.
    rollout = empty_rollout(2, 3, 1)
    rollout.rewards.copy_(torch.tensor([[1.0, 3.0, 8.0], [100.0, 4.0, 2.0]]))
    rollout.terminated.copy_(torch.tensor([[True, False, False], [False, True, False]]))
    rollout.time_outs[1, 2] = True
    count_episode_steps(rollout)
    result = make(1, gamma=0.5, group_size=3, normalization=normalization)(rollout)
    # Env 0's second episode has not ended: its step is not judged.
    assert result.advantages.tolist() == [advantages, [0.0, *advantages[1:]]]
    assert result.judged.tolist() == [[True, True, True], [False, True, True]]
    # Against the mean of the others: (5 + 9) / 2, (1 + 9) / 2, (1 + 5) / 2.
    others = [7.0, 5.0, 3.0] if normalization == "leave_one_out" else [5.0, 5.0, 5.0]
    assert result.baseline.tolist() == [others, [0.0, *others[1:]]]
    assert result.diagnostics["judged_share"] == pytest.approx(5 / 6)
    assert result.diagnostics["complete_groups"] == 1


def test_a_group_without_variance_is_dropped_and_counted():
    # 0.1 + 0.2 and 0.2 + 0.1 differ by rounding only; the second group differs in earnest.
    rollout = empty_rollout(2, 4, 1)
    rollout.rewards.copy_(torch.tensor([[0.1, 0.2, 1.0, 2.0], [0.2, 0.1, 0.0, 0.0]]))
    rollout.time_outs[-1] = True
    count_episode_steps(rollout)
    result = make(1, gamma=1.0, group_size=2, normalization="std")(rollout)
    assert result.diagnostics["complete_groups"] == 2
    assert result.diagnostics["zero_variance_groups"] == 1
    assert result.judged.tolist() == [[False, False, True, True]] * 2
    torch.testing.assert_close(result.advantages[0], torch.tensor([0.0, 0.0, -(0.5**0.5), 0.5**0.5]))


def test_equal_outcomes_of_nothing_are_dropped_too():
    rollout = empty_rollout(2, 4, 1)
    rollout.time_outs[-1] = True
    count_episode_steps(rollout)
    result = make(1, group_size=2)(rollout)
    assert result.diagnostics["zero_variance_groups"] == 2
    assert not result.judged.any()
    assert not result.advantages.any()


def test_only_what_begins_together_is_compared():
    # Env 0 ends after one step and goes on alone, env 1 after two; then both begin together, and end inside.
    rollout = empty_rollout(5, 2, 1)
    rollout.rewards.copy_(torch.tensor([[1.0, 4.0], [50.0, 4.0], [3.0, 2.0], [3.0, 90.0], [70.0, 90.0]]))
    rollout.terminated[0, 0] = rollout.terminated[2, 1] = rollout.terminated[3, 0] = True
    rollout.time_outs[1] = True
    count_episode_steps(rollout)
    result = make(1, gamma=1.0, group_size=2)(rollout)
    # First group: 1 against 4 + 4. Second: 3 + 3 against 2. What env 0 did alone, and the ends, are not judged.
    assert result.advantages.tolist() == [[-7.0, 7.0], [0.0, 7.0], [4.0, -4.0], [4.0, 0.0], [0.0, 0.0]]
    # The same, had the envs been under way when the rollout began: the first group is not judged.
    rollout.episode_steps[0] += 2
    rollout.episode_steps[1, 1] += 2
    result = make(1, gamma=1.0, group_size=2)(rollout)
    assert result.advantages.tolist() == [[0.0, 0.0], [0.0, 0.0], [4.0, -4.0], [4.0, 0.0], [0.0, 0.0]]


def test_termination_and_time_out_are_alike():
    rollouts = [rollout_of_groups(12, 8, 2, seed=1, ends=0.2) for _ in range(2)]
    rollouts[1].terminated, rollouts[1].time_outs = rollouts[0].time_outs, rollouts[0].terminated
    results = [make(group_size=2)(rollout) for rollout in rollouts]
    assert results[0].judged.any()
    assert torch.equal(results[0].advantages, results[1].advantages)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), normalization=st.sampled_from(NORMALIZATIONS))
def test_advantages_of_a_group_sum_to_zero(seed, normalization):
    # All episodes fill the rollout, so the sum over a group's envs is that over its episodes.
    rollout = random_rollout(6, 12, 2, seed=seed, ends=0.0)
    rollout.time_outs[-1] = True
    result = make(group_size=4, normalization=normalization)(rollout)
    assert result.judged.all()
    sums = result.advantages.unflatten(1, (3, 4)).sum(dim=2)
    torch.testing.assert_close(sums, torch.zeros(6, 3), rtol=0, atol=1e-4)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), normalization=st.sampled_from(NORMALIZATIONS))
def test_scaling_rewards(seed, normalization):
    rollouts = [rollout_of_groups(9, 6, 2, seed=seed, ends=0.2) for _ in range(2)]
    rollouts[1].rewards.mul_(4.0)
    plain, scaled = (make(group_size=2, normalization=normalization)(rollout) for rollout in rollouts)
    factor = 1.0 if normalization == "std" else 4.0
    torch.testing.assert_close(factor * plain.advantages, scaled.advantages, rtol=1e-5, atol=1e-5)
    assert torch.equal(plain.judged, scaled.judged)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_order_of_groups_and_within_groups_does_not_matter(seed):
    generator = torch.Generator().manual_seed(seed)
    order = torch.arange(12).view(3, 4)[torch.randperm(3, generator=generator)]
    order = order[:, torch.randperm(4, generator=generator)].flatten()
    plain, shuffled = make(group_size=4), make(group_size=4)
    rollout = rollout_of_groups(12, 12, 4, seed=seed, ends=0.1)
    first, second = plain(rollout), shuffled(permuted(rollout, order))
    torch.testing.assert_close(first.advantages[:, order], second.advantages, rtol=1e-5, atol=1e-5)
    assert torch.equal(first.judged[:, order], second.judged)


def test_continues_from_a_checkpoint_bit_for_bit():
    # There is nothing to save, because no rollout leaves a trace.
    estimator = make(group_size=2)
    with torch.inference_mode():
        for seed in range(2):
            estimator(rollout_of_groups(12, 8, 2, seed=seed, ends=0.1))
    assert not estimator.state_dict()
    rollout = rollout_of_groups(12, 8, 2, seed=2, ends=0.1)
    expected = estimator(rollout)
    assert expected.judged.any()
    assert torch.equal(expected.advantages, make(group_size=2)(rollout).advantages)


def test_says_once_that_nothing_is_judged(caplog):
    estimator = make(group_size=2)
    with caplog.at_level(logging.WARNING):
        for seed in range(2):
            result = estimator(random_rollout(4, 4, 2, seed=seed, ends=0.0))
    assert not result.judged.any()
    assert len(caplog.records) == 1
    assert "num_steps_per_env" in caplog.text


def test_says_once_that_starts_differ(caplog):
    # One of two groups begins in one state up to noise of 0.1, the other does not: 0.3 is more than noise.
    rollout = random_rollout(4, 4, 2, seed=0, ends=0.0)
    rollout.time_outs[-1] = True
    rollout.states[0, 1] = rollout.states[0, 0] + 0.1
    rollout.states[0, 3] = rollout.states[0, 2] - 0.3
    estimator = make(group_size=2)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            result = estimator(rollout)
    assert result.diagnostics["unequal_starts"] == 0.5
    assert len(caplog.records) == 1
    assert "50%" in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gamma": 1.1}, "gamma = 1.1"),
        ({"group_size": 1}, "group_size = 1"),
        ({"normalization": "whiten"}, "normalization = 'whiten'.*'std'"),
        ({"min_others": 3}, "'min_others'.*group_size"),
    ],
)
def test_names_what_is_wrong_with_an_option(options, message):
    with pytest.raises(ValueError, match=message):
        make(3, **options)


def test_names_a_group_that_does_not_fit():
    with pytest.raises(ValueError, match="group_size = 8 does not divide the 12"):
        make()(random_rollout(4, 12, 2, seed=0))
