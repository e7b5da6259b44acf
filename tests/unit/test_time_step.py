# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Group Policy Gradient's binned baselines against arithmetic by hand and plain loops."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_rollouts import count_episode_steps, empty_rollout, permuted, random_rollout

from cgrpo_lab.advantages import make_estimator
from cgrpo_lab.advantages.binning import StateGrid, TimeBins
from cgrpo_lab.advantages.group_means import GroupSums, consistent_means
from cgrpo_lab.advantages.time_step import first_visits, positions_in

BINNINGS = [
    {"binning": "constant"},
    {"binning": "time_step"},
    {"binning": "time_step", "binning_options": {"steps_per_bin": 3}},
    {"binning": "state_grid", "binning_options": {"dimensions": [0]}},
    {"binning": "state_grid", "binning_options": {"dimensions": [0, 1], "steps_per_bin": 4}},
]


def make(num_states, **options):
    return make_estimator("time_step", num_states=num_states, device="cpu", generator=torch.Generator(), **options)


def plain_key(options, state, step):
    """The binning function by its definition, one step at a time."""
    inner = options.get("binning_options", {})
    width = inner.get("steps_per_bin")
    if options["binning"] == "constant":
        return 0
    if options["binning"] == "time_step":
        return step // (width or 1)
    cells = tuple(round(state[d].item()) for d in inner["dimensions"])
    return cells if width is None else (*cells, step // width)


class Plain:
    """The estimator by its definition: python floats, dictionaries and loops, values by repeated substitution."""

    def __init__(self, gamma, min_others, options):
        self.gamma, self.min_others, self.options = gamma, min_others, options
        self.values, self.overall = {}, None

    def __call__(self, rollout):
        num_steps, num_envs = rollout.rewards.shape
        age = [[int(rollout.episode_steps[t, e]) for e in range(num_envs)] for t in range(num_steps)]
        age.append([0 if rollout.dones[-1, e] else age[-1][e] + 1 for e in range(num_envs)])
        self.keys = [
            [plain_key(self.options, rollout.states[t, e], age[t][e]) for e in range(num_envs)]
            for t in range(num_steps + 1)
        ]
        first = self._first_visits(rollout)
        if self.overall is None:
            self._solve(rollout, first)
        returns = self._returns(rollout)
        self._solve(rollout, first)
        baseline = torch.zeros(num_steps, num_envs, dtype=torch.float64)
        samples = [(t, e) for t in range(num_steps) for e in range(num_envs)]
        for t, e in samples:
            others = [(s, f) for s, f in samples if f != e]
            same = [(s, f) for s, f in others if (s, f) in first and self.keys[s][f] == self.keys[t][e]]
            row = [(s, f) for s, f in others if s == t]
            chosen = next((group for group in (same, row) if len(group) >= self.min_others), others)
            baseline[t, e] = sum(returns[s][f] for s, f in chosen) / len(chosen)
        return torch.tensor(returns, dtype=torch.float64) - baseline, baseline

    def _first_visits(self, rollout):
        first = set()
        for e in range(rollout.num_envs):
            seen = set()
            for t in range(rollout.num_steps):
                if self.keys[t][e] not in seen:
                    first.add((t, e))
                seen.add(self.keys[t][e])
                if rollout.dones[t, e]:
                    seen = set()
        return first

    def _value(self, key):
        return self.values.get(key, self.overall or 0.0)

    def _returns(self, rollout):
        num_steps, num_envs = rollout.rewards.shape
        returns = [[0.0] * num_envs for _ in range(num_steps)]
        for e in range(num_envs):
            ahead = self._value(self.keys[num_steps][e])
            for t in reversed(range(num_steps)):
                if rollout.time_outs[t, e]:
                    ahead = self._value(self.keys[t][e])
                if rollout.terminated[t, e]:
                    ahead = 0.0
                ahead = rollout.rewards[t, e].item() + self.gamma * ahead
                returns[t][e] = ahead
        return returns

    def _solve(self, rollout, first):
        for _ in range(400):
            returns = self._returns(rollout)
            found = {}
            for t, e in first:
                found.setdefault(self.keys[t][e], []).append(returns[t][e])
            self.overall = sum(map(sum, found.values())) / len(first)
            self.values |= {key: sum(each) / len(each) for key, each in found.items()}


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    options=st.sampled_from(BINNINGS),
    ends=st.sampled_from([0.0, 0.1]),
    min_others=st.sampled_from([1, 3]),
)
def test_equals_its_definition(seed, options, ends, min_others):
    ours, plain = make(2, gamma=0.9, min_others=min_others, **options), Plain(0.9, min_others, options)
    for offset in range(3):
        rollout = random_rollout(5, 4, 2, seed=seed + offset, ends=ends)
        rollout.states.mul_(2.0)
        result, (advantages, baseline) = ours(rollout), plain(rollout)
        torch.testing.assert_close(result.advantages.double(), advantages, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(result.baseline.double(), baseline, rtol=1e-4, atol=1e-4)


def test_time_steps_by_hand():
    # gamma 1/2, two steps, then all end for good: G = [r_0 + r_1 / 2, r_1] = [[2, 3, 7], [2, 4, 6]].
    # Others' means: step 0 (3 + 7) / 2, (2 + 7) / 2, (2 + 3) / 2; step 1 5, 4, 3.
    rollout = empty_rollout(2, 3, 1)
    rollout.rewards.copy_(torch.tensor([[1.0, 1.0, 4.0], [2.0, 4.0, 6.0]]))
    rollout.terminated[-1] = True
    count_episode_steps(rollout)
    result = make(1, gamma=0.5, min_others=1)(rollout)
    assert result.baseline.tolist() == [[5.0, 4.5, 2.5], [5.0, 4.0, 3.0]]
    assert result.advantages.tolist() == [[-3.0, -1.5, 4.5], [-3.0, 0.0, 3.0]]
    assert result.diagnostics["fallback_share"] == 0
    assert result.diagnostics["num_bins"] == 2


def test_steps_of_equal_age_are_compared_wherever_they_are_in_the_rollout():
    # Env 0 ends after its first step, so its ages are 0 0; env 1 has ages 0 1; env 2, older, 1 2. gamma 0: G = r.
    rollout = empty_rollout(2, 3, 1)
    rollout.rewards.copy_(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    rollout.terminated[0, 0] = True
    rollout.episode_steps.copy_(torch.tensor([[0, 0, 1], [0, 1, 2]]))
    result = make(1, gamma=0.0, min_others=1)(rollout)
    # Age 0: env 0 has 1 and 4 (two trajectories), env 1 has 2. Age 1: env 1 has 5, env 2 has 3. Age 2: no others, so
    # the others at the same step: (4 + 5) / 2.
    assert result.baseline.tolist() == [[2.0, 2.5, 5.0], [2.0, 3.0, 4.5]]


def test_first_visits_by_hand():
    # Env 0 stays in a cell, leaves and comes back; env 1 comes back after an end.
    labels = torch.tensor([[0, 1], [0, 2], [3, 1], [0, 1]])
    dones = torch.tensor([[False, False], [False, True], [False, False], [False, False]])
    assert first_visits(labels, dones).T.tolist() == [[True, False, True, False], [True, True, True, False]]


def test_a_long_stay_weighs_no_more_than_a_short_one():
    # One bin, gamma 0: the baseline is the mean of the others' *first* rewards, whatever they get later.
    rollout = empty_rollout(3, 3, 1)
    rollout.rewards.copy_(torch.tensor([[1.0, 2.0, 6.0], [50.0, 60.0, 70.0], [80.0, 90.0, 10.0]]))
    count_episode_steps(rollout)
    result = make(1, gamma=0.0, min_others=1, binning="constant")(rollout)
    assert result.baseline.tolist() == [[4.0, 3.5, 1.5]] * 3


def test_a_bin_that_is_not_visited_keeps_its_value():
    # Ages 0 and 1 in the first rollout, 2 and 3 in the second, then 0 and 1 again after a termination.
    estimator = make(1, gamma=0.5, min_others=1)
    rollout = empty_rollout(2, 2, 1)
    rollout.rewards.fill_(1.0)
    rollout.episode_steps.copy_(torch.tensor([[0, 0], [1, 1]]))
    estimator(rollout)
    # All new: 1 + v/2 with v the mean of everything, so every value is 2.
    assert estimator.group_values.tolist() == [2.0, 2.0, 2.0]
    rollout.rewards.fill_(3.0)
    rollout.episode_steps.add_(2)
    rollout.terminated[-1] = True
    estimator(rollout)
    assert estimator.bin_keys.tolist() == [0, 1, 2, 3]
    # 3 = last reward, 3 + 3/2 the one before; mean of the two samples' kinds 3.75; ages 0 and 1 as they were.
    assert estimator.group_values.tolist() == [2.0, 2.0, 4.5, 3.0, 3.75]


def test_consistent_means_keep_what_was_known():
    rollout = empty_rollout(1, 2, 1)
    rollout.rewards.fill_(1.0)
    sums = GroupSums.of(rollout, torch.tensor([[0, 0], [1, 2]]), 3, gamma=0.5)
    # b_0 = 1 + (b_1 + b_2) / 4 with b_1 = 10 known and b_2 = b_all = b_0: b_0 = 3.5 / 0.75.
    means = consistent_means(sums, torch.tensor([torch.nan, 10.0, torch.nan], dtype=torch.float64))
    torch.testing.assert_close(means, torch.tensor([14 / 3, 10.0, 14 / 3, 14 / 3], dtype=torch.float64))


def test_termination_against_time_out():
    # Reward 1 a step at gamma 1/2: V = 2 after a time-out, nothing after a termination.
    estimator = make(1, gamma=0.5)
    rollout = empty_rollout(1, 20, 1)
    rollout.rewards.fill_(1.0)
    estimator(rollout)
    rollout.terminated[0, 0] = True
    rollout.time_outs[0, 1] = True
    result = estimator(rollout)
    assert (result.advantages + result.baseline)[0].tolist() == pytest.approx([1.0] + [2.0] * 19)


def test_only_the_most_visited_bins_are_kept():
    estimator = make(1, min_others=1, max_bins=2, binning="state_grid")
    rollout = empty_rollout(4, 3, 1)
    rollout.states.copy_(torch.tensor([0.0, 0.0, 5.0, 9.0, 7.0])[:, None, None])
    rollout.states[2, 0] = 9.0
    count_episode_steps(rollout)
    result = estimator(rollout)
    # Visits: cell 0 6, cell 9 4, cell 5 2.
    assert estimator.bin_keys.tolist() == [0, 9]
    assert result.diagnostics["unbinned_share"] == pytest.approx(2 / 12)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), options=st.sampled_from(BINNINGS))
def test_a_trajectory_does_not_influence_its_own_baseline(seed, options):
    baselines = []
    for factor in (1.0, -5.0):
        estimator = make(2, **options)
        estimator(random_rollout(6, 10, 2, seed=seed))
        rollout = random_rollout(6, 10, 2, seed=seed + 1)
        rollout.rewards[:, 7] *= factor
        baselines.append(estimator(rollout).baseline)
    torch.testing.assert_close(baselines[0][:, 7], baselines[1][:, 7], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(baselines[0], baselines[1], atol=1e-3)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_steps_of_one_age_are_centred(seed):
    # Without ends every environment is once at every age: the advantages of an age sum to zero.
    result = make(2)(random_rollout(6, 12, 2, seed=seed, ends=0.0))
    torch.testing.assert_close(result.advantages.sum(dim=1), torch.zeros(6), rtol=0, atol=1e-4)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), options=st.sampled_from(BINNINGS))
def test_scaling_rewards_scales_advantages(seed, options):
    results = []
    for factor in (1.0, 4.0):
        estimator = make(2, **options)
        for offset in range(2):
            rollout = random_rollout(6, 10, 2, seed=seed + offset)
            rollout.rewards.mul_(factor)
            result = estimator(rollout)
        results.append(result)
    torch.testing.assert_close(4 * results[0].advantages, results[1].advantages, rtol=1e-4, atol=1e-4)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), options=st.sampled_from(BINNINGS))
def test_the_order_of_environments_does_not_matter(seed, options):
    order = torch.randperm(10, generator=torch.Generator().manual_seed(seed))
    plain, shuffled = make(2, **options), make(2, **options)
    for offset in range(2):
        rollout = random_rollout(6, 10, 2, seed=seed + offset)
        first, second = plain(rollout), shuffled(permuted(rollout, order))
        torch.testing.assert_close(first.advantages[:, order], second.advantages, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("options", BINNINGS)
def test_continues_from_a_checkpoint_bit_for_bit(options, tmp_path):
    estimator = make(2, **options)
    with torch.inference_mode():
        for seed in range(2):
            estimator(random_rollout(8, 20, 2, seed=seed))
    torch.save(estimator.state_dict(), tmp_path / "estimator.pt")
    resumed = make(2, **options)
    resumed.load_state_dict(torch.load(tmp_path / "estimator.pt", weights_only=True))
    for seed in range(2, 4):
        rollout = random_rollout(8, 20, 2, seed=seed)
        assert torch.equal(estimator(rollout).advantages, resumed(rollout).advantages)
    for name, value in estimator.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_cells_of_the_grid_differ():
    # All 4-dimensional cells within 3 of the origin, and their keys.
    cells = torch.cartesian_prod(*[torch.arange(-3.0, 4.0)] * 4)
    keys = StateGrid(cell_size=0.5)(0.5 * cells + 0.1, torch.zeros(len(cells), dtype=torch.long))
    assert len(keys.unique()) == 7**4
    assert TimeBins(steps_per_bin=4)(cells[:6], torch.tensor([0, 3, 4, 7, 8, 100])).tolist() == [0, 0, 1, 1, 2, 25]


def test_positions():
    keys = torch.tensor([-5, 0, 7])
    assert positions_in(keys, torch.tensor([7, -6, 0, 3, 8, -5])).tolist() == [2, -1, 1, -1, -1, 0]
    assert positions_in(keys[:0], torch.tensor([1, 2])).tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gamma": 1.0}, "gamma = 1.0"),
        ({"min_others": 0}, "min_others = 0"),
        ({"max_bins": 0}, "max_bins = 0"),
        ({"binning": "octree"}, "binning = 'octree'.*'state_grid'"),
        ({"binning_options": {"cell_size": 1.0}}, "'cell_size'.*steps_per_bin"),
        ({"binning_options": {"steps_per_bin": 0}}, "steps_per_bin = 0"),
        ({"binning": "state_grid", "binning_options": {"cell_size": 0}}, "cell_size = 0"),
        ({"binning": "state_grid", "binning_options": {"dimensions": [-1]}}, "dimensions = -1"),
    ],
)
def test_names_what_is_wrong_with_an_option(options, message):
    with pytest.raises(ValueError, match=message):
        make(3, **options)


def test_names_a_dimension_that_the_state_has_not():
    estimator = make(3, binning="state_grid", binning_options={"dimensions": [3]})
    with pytest.raises(ValueError, match="dimensions = 3"):
        estimator(random_rollout(4, 4, 3, seed=0))
