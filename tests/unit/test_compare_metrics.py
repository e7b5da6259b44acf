# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The arithmetic of comparisons against numbers worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cgrpo_app.compare import figures, metrics, statistics
from cgrpo_app.compare.records import FINISHED, Record
from cgrpo_app.compare.references import Reference, parse_experts
from cgrpo_app.compare.results import find_references
from cgrpo_app.errors import UserError

STEPS = np.array([100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0, 900.0, 950.0, 1000.0])


class TestSampleEfficiency:
    def test_the_first_point_counts_even_if_the_curve_falls_again(self):
        returns = np.array([0.0, 5.0, 9.0, 3.0])
        assert metrics.first_reaching(9.0, returns, np.array([10.0, 20.0, 30.0, 40.0])) == 30.0

    def test_never_is_infinite(self):
        assert metrics.first_reaching(9.1, np.array([0.0, 9.0]), np.array([10.0, 20.0])) == math.inf

    def test_ninety_percent_is_counted_from_the_random_policy(self):
        # From -200 to 800 it is 1000: nine tenths of the way are at 700, and 300 is (300 + 200) / 1000.
        reference = Reference(random=-200.0, expert=800.0, expert_curve=800.0, source="given")
        assert reference.threshold == pytest.approx(700.0)
        assert reference.score(300.0) == pytest.approx(0.5)

    def test_without_an_expert_above_random_there_is_no_scale(self):
        assert not Reference(random=10.0, expert=9.0, expert_curve=20.0, source="given").is_usable

    @pytest.mark.parametrize(
        ("reached", "runs", "median"),
        [
            ([300.0, 100.0, 200.0], 3, 200.0),
            ([300.0, 100.0], 2, 200.0),
            ([300.0, 100.0], 3, 300.0),  # the third failed: 100, 300, infinity
            ([300.0, 100.0], 4, math.inf),  # 100, 300, infinity, infinity: between 300 and infinity
            ([], 1, math.inf),
        ],
    )
    def test_runs_without_a_value_count_as_infinitely_slow(self, reached, runs, median):
        assert metrics.median_with_failures(reached, runs) == median


class TestStability:
    def test_the_last_tenth_is_that_of_the_steps_not_of_the_points(self):
        assert metrics.last_part(STEPS, np.arange(11.0)).tolist() == [9.0, 10.0]

    def test_standard_deviation_divides_by_one_less(self):
        # Mean 4, squares 9 + 1 + 16 = 26, divided by 2: 13.
        assert metrics.sample_std(np.array([1.0, 3.0, 8.0])) == pytest.approx(math.sqrt(13.0))

    def test_equal_returns_have_no_spread_whatever_rounding_makes_of_their_mean(self):
        values = np.full(14, 0.1)
        assert np.std(values, ddof=1) > 0.0 and metrics.sample_std(values) == 0.0

    def test_one_run_has_no_spread(self):
        assert metrics.sample_std(np.array([3.0])) is None


class TestAggregates:
    def test_interquartile_mean_leaves_out_a_quarter_at_each_end_of_all_tasks_together(self):
        # Of 0 1 2 3 4 5 6 100 the middle half is 2 3 4 5.
        assert statistics.interquartile_mean(np.array([100.0, 0.0, 5.0, 1.0]), np.array([2.0, 6.0, 4.0, 3.0])) == 3.5

    def test_interquartile_mean_counts_tasks_alike(self):
        # Of 0 0 0 0 1 2 3 9 the middle half is 0 0 1 2; without repeating it, the one run would be cut as an outlier.
        assert statistics.interquartile_mean(np.array([0.0]), np.array([1.0, 2.0, 3.0, 9.0])) == 0.75

    @pytest.mark.parametrize("runs", [1, 2, 3, 4, 5, 10])
    def test_interquartile_mean_is_scipys(self, runs):
        curves = np.random.default_rng(runs).normal(size=(runs, 6))
        assert statistics.interquartile_curve(curves) == pytest.approx(stats.trim_mean(curves, 0.25, axis=0))

    def test_probability_of_improvement_counts_pairs_and_halves_ties(self):
        # Task 1: of (1, 2), (1, 3), (3, 2), (3, 3) one is won and one is even: 1.5 / 4. Task 2: 1 of 1.
        first = [np.array([1.0, 3.0]), np.array([5.0])]
        second = [np.array([2.0, 3.0]), np.array([4.0])]
        assert statistics.probability_of_improvement(first, second) == pytest.approx((1.5 / 4 + 1.0) / 2)
        assert statistics.probability_of_improvement(second, first) == pytest.approx((2.5 / 4 + 0.0) / 2)

    def test_performance_profile_counts_tasks_alike(self):
        # Task 1 has two runs, task 2 one; strictly more than the level counts.
        scores = [np.array([0.5, 1.0]), np.array([0.2])]
        profile = statistics.performance_profile(scores, np.array([0.0, 0.5, 0.9]))
        assert profile.tolist() == [1.0, 0.25, 0.25]

    def test_bootstrap_is_stratified_by_task(self):
        """Without strata, samples would hold more zeros or more ones by chance, and the interval would be wide."""
        estimate = statistics.estimate(statistics.interquartile_mean, np.zeros(3), np.ones(3))
        assert (estimate.low, estimate.value, estimate.high) == (0.5, 0.5, 0.5)

    def test_interval_is_that_of_the_mean_of_a_pair(self):
        """A pair 0, 1 drawn anew has mean 0, 1/2 or 1 with probabilities 1/4, 1/2, 1/4: both ends belong to it."""
        estimate = statistics.estimate(lambda x: float(x.mean()), np.array([0.0, 1.0]))
        assert (estimate.low, estimate.value, estimate.high) == (0.0, 0.5, 1.0)

    def test_interval_covers_the_truth_as_often_as_it_says(self):
        """95 % intervals of the mean of 20 normal draws; a bootstrap of so few is a little narrow."""
        draws = np.random.default_rng(0)
        hits = 0
        for _ in range(40):
            estimate = statistics.estimate(lambda x: float(x.mean()), draws.normal(size=20))
            hits += estimate.low <= 0.0 <= estimate.high
        assert 34 <= hits <= 40

    def test_intervals_are_the_same_every_time(self):
        scores = np.random.default_rng(1).normal(size=5)
        assert statistics.estimate(np.mean, scores) == statistics.estimate(np.mean, scores)


class TestExperts:
    def test_the_best_agent_counts_with_the_end_of_its_own_curve(self):
        """The policies of "b" are better while they learn, noise included, and worse once they are judged."""
        figures = {"a": (10.0, 6.0), "b": (8.0, 9.0)}
        records = [
            Record("T", agent, seed, FINISHED, "", steps=STEPS, returns=np.full(11, end + seed))
            for agent, (_, end) in figures.items()
            for seed in (0, 1)
        ]
        for record in records:
            record.evaluation = {"return": {"mean": figures[record.agent][0]}}
        reference = find_references(records, ("T",), {"T": 0.0}, {})["T"]
        assert reference == Reference(random=0.0, expert=10.0, expert_curve=6.5, source="best agent here (a)")

    TASKS = ("HalfCheetah-CGRPO", "Franka-Reach-CGRPO")

    def test_built_in_and_given(self):
        assert parse_experts(["d4rl"], self.TASKS) == {"HalfCheetah-CGRPO": 12135.0}
        assert parse_experts(["Franka-Reach-CGRPO=12.5"], self.TASKS) == {"Franka-Reach-CGRPO": 12.5}
        assert parse_experts(["best"], self.TASKS) == {}

    @pytest.mark.parametrize("item", ["d4rll", "Ant-CGRPO=3", "Franka-Reach-CGRPO=much"])
    def test_mistakes_are_named(self, item):
        with pytest.raises(UserError, match=item):
            parse_experts([item], self.TASKS)


class TestLabels:
    def test_only_those_that_are_in_the_way_move(self):
        assert figures.push_apart([0.0, 5.0, 5.5, 10.0], 1.0, 10.0) == [0.0, 5.0, 6.0, 10.0]

    @given(st.lists(st.floats(0.0, 10.0), min_size=1, max_size=9).map(sorted))
    def test_they_are_apart_and_below_the_top(self, heights):
        moved = np.array(figures.push_apart(heights, 1.0, 10.0))
        assert (np.diff(moved) >= 1.0 - 1e-9).all() and moved[-1] <= 10.0
