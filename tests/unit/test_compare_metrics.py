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
from cgrpo_app.compare.records import FAILED, FINISHED, Curve, Record
from cgrpo_app.compare.references import Reference, parse_experts
from cgrpo_app.compare.report import compute
from cgrpo_app.compare.results import find_references, measure_run
from cgrpo_app.compare.settings import Settings
from cgrpo_app.errors import UserError

STEPS = np.array([100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0, 900.0, 950.0, 1000.0])


def curve_of(returns, shortened=0):
    """A curve at :data:`STEPS` and a hundredth of them in seconds, whose first points are of shortened episodes."""
    return Curve(STEPS, STEPS / 100.0, np.asarray(returns), np.arange(len(STEPS)) >= shortened)


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

    def test_interval_holds_the_middle_95_percent_of_the_redrawn_figures(self):
        """Of a skewed sample, whose 90 % interval reaches to 3.95 and whose 99 % interval to 5.3."""
        sample = np.array([*[0.0] * 12, 1.0, 1.0, 2.0, 2.0, 3.0, 5.0, 8.0, 20.0])
        means = np.random.default_rng(0).choice(sample, (20_000, 20)).mean(axis=1)
        estimate = statistics.estimate(lambda x: float(x.mean()), sample)
        assert [estimate.low, estimate.high] == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=0.2)

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


class TestFiguresOfAComparison:
    """Task S runs from -100 (random) to 100 (the given expert) with a threshold of 80, task T from 0 to 10 with 9."""

    @staticmethod
    def record(task, agent, seed, value, returns, perturbed=None):
        """A finished run; its curve begins and ends as given, zeros between, and the last two are its last tenth."""
        evaluation = {"episodes": 100, "return": {"mean": value, "std": 3.0}, "success": {"rate": 0.1 * seed}}
        report = {"env_steps": 1000, "training_time_s": 4.0 + seed, "versions": {}, "hardware": {}}
        curve = curve_of([*returns[:-2], *[0.0] * (11 - len(returns)), *returns[-2:]])
        record = Record(task, agent, seed, FINISHED, "command", None, curve, evaluation)
        record.perturbed = perturbed and dict(zip(("none", "mass x0.8", "delay 1"), (value, *perturbed), strict=True))
        record.report = report
        return record

    @pytest.fixture
    def content(self, monkeypatch):
        monkeypatch.setattr(statistics, "REPETITIONS", 100)
        records = [
            self.record("S", "a", 1, 60.0, [80.0, 90.0], (20.0, -20.0)),
            self.record("S", "a", 2, 20.0, [40.0, 40.0], (0.0, 0.0)),
            self.record("S", "b", 1, 40.0, [0.0, 0.0, 100.0, 100.0, 96.0], (-100.0, -100.0)),
            self.record("T", "a", 1, 9.0, [9.0, 9.0, 11.0]),
            self.record("T", "a", 2, 4.0, [0.0, 0.0, 9.5, 4.0, 4.0]),
            Record("T", "b", 1, FAILED, "command", "train: NaN"),
        ]
        settings = Settings(("S", "T"), ("a", "b"), (1, 2), {"S": 1000, "T": 1000}, "cpu")
        return compute(settings, records, {"S": -100.0, "T": 0.0}, {"S": 100.0, "T": 10.0})

    def test_given_experts_count_on_curves_too(self, content):
        expected = {"random": -100.0, "expert": 100.0, "expert_curve": 100.0, "threshold": 80.0, "source": "given"}
        assert content["references"]["S"] == pytest.approx(expected)
        assert content["references"]["T"]["threshold"] == pytest.approx(9.0)

    def test_of_runs(self, content):
        first, *others = content["runs"]
        assert first.pop("perturbed") == {"none": 60.0, "mass x0.8": 20.0, "delay 1": -20.0}
        assert first == pytest.approx({
            "task": "S", "agent": "a", "seed": 1, "state": "finished", "error": None, "command": "command",
            "env_steps": 1000, "training_time_s": 5.0, "episodes": 100, "return": 60.0, "return_std": 3.0,
            "success": 0.1, "last_part_return": 85.0, "last_part_std": math.sqrt(50.0), "score": 0.8,
            "steps_to_90": 950.0, "seconds_to_90": 9.5,
            "perturbed_score": (0.6 + 0.4) / 2, "retained": 0.5 / 0.8,
        })  # fmt: skip
        assert [row.get("score") for row in others] == pytest.approx([0.6, 0.7, 0.9, 0.4, None])
        assert [row.get("steps_to_90") for row in others] == [None, 300.0, 100.0, 300.0, None]

    def test_of_an_agent_on_a_task(self, content):
        cell = content["tasks"]["S"]["a"]
        assert cell.pop("perturbed") == {"none": 40.0, "mass x0.8": 10.0, "delay 1": -10.0}
        curve = cell.pop("curve")["seconds"]
        assert (curve["at"][0], curve["at"][-1]) == (1.0, 10.0) and (curve["mean"][0], curve["mean"][-1]) == (0.0, 65.0)
        assert (curve["low"][-1], curve["high"][-1]) == (40.0, 90.0)
        assert cell == pytest.approx({
            "runs": 2, "finished": 2, "failed": 0, "return": 40.0, "return_min": 20.0, "return_max": 60.0,
            "std_between_runs": math.sqrt(800.0), "std_within_runs": math.sqrt(50.0) / 2, "training_time_s": 5.5,
            "success": 0.15, "perturbed_score": 0.5, "retained": (0.5 / 0.8 + 0.5 / 0.6) / 2, "score": 0.7,
            "steps_to_90": None, "seconds_to_90": None, "reached": 1,
        })  # fmt: skip
        assert [content["tasks"]["T"]["a"][key] for key in ("steps_to_90", "seconds_to_90")] == [200.0, 2.0]
        assert content["tasks"]["T"]["b"] == {"runs": 1, "finished": 0, "failed": 1}

    def test_of_an_agent(self, content):
        """Its scores are 0.8 and 0.6 on S, 0.9 and 0.4 on T; the other agent's 0.7, and 0 for the failed run."""
        agents = content["agents"]
        profile = agents["a"].pop("profile")
        assert [profile["mean"][percent] for percent in (0, 50, 70, 85)] == [1.0, 0.75, 0.5, 0.25]
        estimates = [agents[name].pop(key)["value"] for name in "ab" for key in ("iqm", "perturbed_iqm")]
        assert estimates == pytest.approx([0.7, 0.5, 0.35, 0.0])
        assert agents["a"] == pytest.approx({
            "runs": 4, "failed": 0, "reached": 3, "steps_to_90": (300.0 + 950.0) / 2,  # 100, 300, 950 and never
            "std_between_runs": (0.2 + 0.5) / math.sqrt(2.0) / 2,
            "std_within_runs": (math.sqrt(50.0) / 200.0 + math.sqrt(2.0) / 10.0) / 4,
        })  # fmt: skip
        del agents["b"]["profile"]
        assert agents["b"] == pytest.approx({
            "runs": 2, "failed": 1, "reached": 1, "steps_to_90": None, "std_between_runs": None,
            "std_within_runs": math.sqrt(8.0) / 200.0,
        })  # fmt: skip

    def test_who_beats_whom(self, content):
        """On S one of two runs of a is better than that of b, on T both are."""
        table = content["improvement"]
        assert (table["a"]["b"]["value"], table["b"]["a"]["value"]) == (0.75, 0.25)


class TestSampleEfficiencyOfARun:
    @pytest.mark.parametrize(("shortened", "steps"), [(0, 100.0), (3, 700.0)])
    def test_shortened_episodes_reach_nothing(self, shortened, steps):
        """Half an episode has half the penalty: the curve begins above the threshold of -20 and gets there at 700."""
        curve = curve_of([-5.0, -10.0, -15.0, -50.0, -40.0, -30.0, *[-10.0] * 5], shortened)
        evaluation = {"episodes": 100, "return": {"mean": -10.0, "std": 1.0}}
        record = Record("T", "a", 1, FINISHED, "", None, curve, evaluation)
        record.report = {"env_steps": 1000, "training_time_s": 10.0}
        row = measure_run(record, Reference(random=-110.0, expert=-10.0, expert_curve=-10.0, source="given"))
        assert (row["steps_to_90"], row["seconds_to_90"]) == (steps, steps / 100.0)


class TestDrawnCurve:
    def test_shortened_episodes_are_not_drawn_beside_whole_ones(self):
        drawn = curve_of(np.arange(11.0), shortened=8).drawn()
        assert (drawn.steps.tolist(), drawn.returns.tolist()) == ([900.0, 950.0, 1000.0], [8.0, 9.0, 10.0])
        assert drawn.seconds.tolist() == [9.0, 9.5, 10.0] and drawn.whole.all()

    @pytest.mark.parametrize("shortened", [0, 10, 11])
    def test_a_point_alone_is_no_curve(self, shortened):
        assert len(curve_of(np.arange(11.0), shortened).drawn().steps) == 11


class TestExperts:
    def test_the_best_agent_counts_with_the_end_of_its_own_curve(self):
        """The policies of "b" are better while they learn, noise included, and worse once they are judged."""
        figures = {"a": (10.0, 6.0), "b": (8.0, 9.0)}
        records = [
            Record("T", agent, seed, FINISHED, "", curve=curve_of(np.full(11, end + seed)))
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
