# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Means over finished episodes: each counted once, over a window, and never spoilt by a bad number."""

import math

import pytest
import torch

from cgrpo_lab.runners.episode_statistics import EpisodeStatistics


def step(statistics, rewards, dones, **extras):
    statistics.add_step(torch.tensor(rewards), torch.tensor(dones, dtype=torch.long), extras)


def test_returns_and_lengths_by_hand():
    # Env 0: 1 + 2 = 3 in two steps, then 4 in one step. Env 1: 10 + 20 + 30 = 60 in three steps.
    statistics = EpisodeStatistics(2, "cpu")
    step(statistics, [1.0, 10.0], [0, 0])
    assert statistics.collect() == {"episodes": 0.0}
    step(statistics, [2.0, 20.0], [1, 0])
    step(statistics, [4.0, 30.0], [1, 1])
    means = statistics.collect()
    assert means == {"episodes": 3.0, "return": (3 + 4 + 60) / 3, "length": 2.0}


def test_outcomes_count_only_where_an_episode_ended():
    # The flag of env 1 is about an episode that was counted long ago.
    statistics = EpisodeStatistics(2, "cpu")
    outcome = {"outcome": {"success": torch.tensor([True, True])}, "outcome_value": {"error": torch.tensor([0.5, 9.0])}}
    step(statistics, [0.0, 0.0], [1, 0], **outcome)
    means = statistics.collect()
    assert (means["success"], means["error"]) == (1.0, 0.5)
    outcome["outcome"]["success"] = torch.tensor([False, True])
    step(statistics, [0.0, 0.0], [1, 0], **outcome)
    assert statistics.collect()["success"] == 0.5


def test_every_episode_counts_the_same_whatever_iteration_it_ended_in():
    # One episode of return 9 in the first iteration, two of return 0 in the second: mean 3, not 4.5.
    statistics = EpisodeStatistics(2, "cpu")
    step(statistics, [9.0, 0.0], [1, 0])
    statistics.collect()
    step(statistics, [0.0, 0.0], [1, 1])
    assert statistics.collect()["return"] == 3.0


def test_window_keeps_at_least_a_hundred_episodes():
    # Iterations of 40 episodes with returns 1, 2, 3, 4: after the third 120 are kept (1, 2, 3), after the fourth the
    # first may go (120 remain: 2, 3, 4).
    statistics = EpisodeStatistics(40, "cpu")
    seen = []
    for value in (1.0, 2.0, 3.0, 4.0):
        step(statistics, [value] * 40, [1] * 40)
        seen.append(statistics.collect()["return"])
    assert seen == [1.0, 1.5, 2.0, 3.0]


def test_window_drops_iterations_without_an_end():
    statistics = EpisodeStatistics(100, "cpu")
    for _ in range(50):
        step(statistics, [1.0] * 100, [0] * 100)
        statistics.collect()
    for _ in range(2):
        step(statistics, [1.0] * 100, [1] * 100)
        statistics.collect()
    assert len(statistics.state_dict()["window"]) == 1


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_an_episode_with_a_bad_reward_is_left_out_and_the_next_one_counts(bad):
    statistics = EpisodeStatistics(2, "cpu")
    step(statistics, [bad, 1.0], [0, 0])
    step(statistics, [1.0, 1.0], [1, 1])
    means = statistics.collect()
    assert means == {"episodes": 1.0, "return": 2.0, "length": 2.0}
    step(statistics, [4.0, 3.0], [1, 0])
    assert statistics.collect() == {"episodes": 1.0, "return": 3.0, "length": 1.5}


def test_an_outcome_that_is_nan_where_no_episode_ended_does_no_harm():
    statistics = EpisodeStatistics(2, "cpu")
    step(statistics, [0.0, 0.0], [1, 0], outcome_value={"error": torch.tensor([0.25, math.nan])})
    assert statistics.collect()["error"] == 0.25


def test_the_environment_s_log_is_counted_once_per_reset():
    # Isaac Lab hands out the same dictionary at every step until the next reset.
    statistics = EpisodeStatistics(1, "cpu")
    first, second = {"Episode_Reward/reach": torch.tensor(1.0), "x": 1.0}, {"Episode_Reward/reach": 4.0}
    for log in (first, first, first, second, second):
        step(statistics, [0.0], [0], log=log)
    assert statistics.collect() == {"episodes": 0.0, "Episode_Reward/reach": 2.5, "x": 1.0}
    step(statistics, [0.0], [0], log=second)
    assert "Episode_Reward/reach" not in statistics.collect()


def test_state_goes_on_where_it_was():
    first, second = EpisodeStatistics(2, "cpu"), EpisodeStatistics(2, "cpu")
    step(first, [1.0, 2.0], [0, 1])
    first.collect()
    second.load_state_dict(first.state_dict())
    for statistics in (first, second):
        step(statistics, [3.0, 4.0], [1, 1])
    assert first.collect() == second.collect() == {"episodes": 2.0, "return": (2 + 4 + 4) / 3, "length": 4 / 3}


def test_shortened_episodes_count_until_a_whole_one_has_ended():
    # Env 0 begins midway, env 1 at its beginning; both earn -1 a step in episodes of three steps.
    statistics = EpisodeStatistics(2, "cpu")
    statistics.begin_midway(torch.tensor([2, 0]))
    step(statistics, [-1.0, -1.0], [1, 0])
    assert statistics.collect() == {"episodes": 1.0, "return": -1.0, "length": 1.0, "shortened": 1.0}
    step(statistics, [-1.0, -1.0], [0, 0])
    assert statistics.collect() == {"episodes": 0.0, "return": -1.0, "length": 1.0, "shortened": 1.0}
    step(statistics, [-1.0, -1.0], [0, 1])
    assert statistics.collect() == {"episodes": 1.0, "return": -3.0, "length": 3.0, "shortened": 0.0}


def test_shortened_episodes_that_end_late_count_no_more():
    # Env 1 falls in its first step, long before env 0, which began midway, reaches its end.
    statistics = EpisodeStatistics(2, "cpu")
    statistics.begin_midway(torch.tensor([500, 0]))
    step(statistics, [1.0, 4.0], [0, 1])
    step(statistics, [1.0, 6.0], [1, 1])
    assert statistics.collect() == {"episodes": 2.0, "return": 5.0, "length": 1.0, "shortened": 0.0}
    step(statistics, [8.0, 6.0], [1, 0])
    assert statistics.collect() == {"episodes": 1.0, "return": 6.0, "length": 1.0, "shortened": 0.0}


def test_an_iteration_with_both_kinds_leaves_when_whole_ones_follow():
    statistics = EpisodeStatistics(2, "cpu")
    statistics.begin_midway(torch.tensor([1, 1]))
    step(statistics, [1.0, 3.0], [1, 0])
    step(statistics, [6.0, 1.0], [1, 0])
    assert statistics.collect() == {"episodes": 2.0, "return": 3.5, "length": 1.0, "shortened": 0.5}
    step(statistics, [8.0, 1.0], [1, 1])
    assert statistics.collect() == {"episodes": 1.0, "return": 8.0, "length": 1.0, "shortened": 0.0}


def test_shortened_episodes_go_on_in_a_resumed_run():
    first, second = EpisodeStatistics(2, "cpu"), EpisodeStatistics(2, "cpu")
    first.begin_midway(torch.tensor([3, 0]))
    step(first, [1.0, 2.0], [0, 1])
    first.collect()
    second.load_state_dict(first.state_dict())
    for statistics in (first, second):
        step(statistics, [1.0, 4.0], [1, 1])
    assert first.collect() == second.collect() == {"episodes": 1.0, "return": 3.0, "length": 1.0, "shortened": 0.0}


def test_new_episodes_begin_at_nothing():
    first, second = EpisodeStatistics(2, "cpu"), EpisodeStatistics(2, "cpu")
    step(first, [1.0, 2.0], [0, 1])
    first.collect()
    second.load_state_dict(first.state_dict(), with_running=False)
    step(second, [3.0, 4.0], [1, 1])
    assert second.collect() == {"episodes": 2.0, "return": (2 + 3 + 4) / 3, "length": 1.0}


def test_names_come_in_one_order():
    statistics = EpisodeStatistics(1, "cpu")
    for name in "hgfedcba":
        step(statistics, [1.0], [1], outcome={name: torch.ones(1)})
    assert list(statistics.collect()) == ["episodes", *"abcdefgh", "length", "return"]


def test_state_of_another_number_of_environments_gives_its_window():
    first, second = EpisodeStatistics(2, "cpu"), EpisodeStatistics(3, "cpu")
    step(first, [1.0, 2.0], [0, 1])
    first.collect()
    second.load_state_dict(first.state_dict())
    assert second.running_return.tolist() == [0.0] * 3
    assert second.collect()["return"] == 2.0
