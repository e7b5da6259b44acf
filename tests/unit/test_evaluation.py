# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Evaluation: every environment counts the same, and the interval is Wilson's."""

import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from cgrpo_lab.evaluation import EpisodeResults, evaluate, summarize, wilson_interval


class ClockworkEnv(VecEnv):
    """Environment e pays 1 a step and ends every ``lengths[e]`` steps; its episode k succeeds as ``outcomes[e][k]``."""

    def __init__(self, lengths, outcomes):
        self.num_envs, self.num_actions, self.device, self.cfg = len(lengths), 1, "cpu", {}
        self.lengths, self.outcomes = torch.tensor(lengths), outcomes
        self.resets = 0

    def reset(self):
        self.resets += 1
        self.age = torch.zeros(self.num_envs, dtype=torch.long)
        self.episode = [0] * self.num_envs
        self.success = torch.zeros(self.num_envs, dtype=torch.bool)
        self.error = torch.full((self.num_envs,), math.nan)
        return self.get_observations(), {}

    def get_observations(self):
        return TensorDict({"policy": self.age.float().unsqueeze(1)}, [self.num_envs])

    def step(self, actions):
        self.age = self.age + 1
        dones = self.age >= self.lengths
        for e in dones.nonzero().flatten().tolist():
            self.success[e] = self.outcomes[e][self.episode[e] % len(self.outcomes[e])]
            self.error[e] = e + 0.25
            self.episode[e] += 1
        self.age = torch.where(dones, 0, self.age)
        extras = {"outcome": {"success": self.success}, "outcome_value": {"error": self.error}}
        return self.get_observations(), torch.ones(self.num_envs) + 0.0 * actions[:, 0], dones.long(), extras


def run(env, episodes):
    return evaluate(env, lambda obs: torch.zeros(env.num_envs, 1), episodes)


def test_short_episodes_do_not_dominate():
    # Env 0 fails after 1 step, env 1 succeeds after 10: the first two episodes that come in are both env 0's.
    results = run(ClockworkEnv([1, 10], [[False], [True]]), 2)
    assert results.returns == [1.0, 10.0] and results.lengths == [1, 10]
    assert results.outcomes == {"success": [0.0, 1.0], "error": [0.25, 1.25]}


def test_a_remainder_goes_to_the_first_environments_in_order():
    # 5 episodes in 2 envs: the first 3 of env 0, the first 2 of env 1, although env 1 is seven times as fast.
    results = run(ClockworkEnv([7, 1], [[True, False, True, False], [False, True, False, True]]), 5)
    assert results.lengths == [7, 7, 7, 1, 1]
    assert results.outcomes["success"] == [1.0, 0.0, 1.0, 0.0, 1.0]


def test_fewer_episodes_than_environments():
    results = run(ClockworkEnv([3, 2, 1], [[True]] * 3), 2)
    assert results.lengths == [3, 2]


def test_it_starts_from_a_reset():
    env = ClockworkEnv([4], [[True]])
    env.reset()
    env.step(torch.zeros(1, 1))
    assert run(env, 1).lengths == [4] and env.resets == 2


def test_without_outcomes():
    env = ClockworkEnv([2], [[True]])
    step = env.step
    env.step = lambda actions: (*step(actions)[:3], {})
    assert summarize(run(env, 3)) == {
        "episodes": 3, "return": {"mean": 2.0, "std": 0.0}, "length": {"mean": 2.0, "std": 0.0},
    }  # fmt: skip


@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    episodes=st.integers(1, 12),
)
def test_every_environment_gives_its_first_episodes(lengths, episodes):
    results = run(ClockworkEnv(lengths, [[True]] * len(lengths)), episodes)
    quota = [episodes // len(lengths) + (e < episodes % len(lengths)) for e in range(len(lengths))]
    assert results.lengths == [length for e, length in enumerate(lengths) for _ in range(quota[e])]


# -- Intervals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # Newcombe (1998), Statistics in Medicine 17, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_equals_the_published_one(successes, trials, low, high):
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


@given(trials=st.integers(1, 2000), share=st.floats(0.0, 1.0))
def test_wilson_interval_solves_its_equation(trials, share):
    # Its ends are the rates p at which (rate - p)^2 = z^2 p (1 - p) / n.
    successes = round(share * trials)
    rate, z = successes / trials, 1.959964
    low, high = wilson_interval(successes, trials)
    assert 0.0 <= low <= rate + 1e-12 and rate - 1e-12 <= high <= 1.0
    for p in (low, high):
        assert (rate - p) ** 2 == pytest.approx(z * z * p * (1 - p) / trials, abs=1e-6)


def test_wilson_interval_mirrors():
    low, high = wilson_interval(3, 11)
    assert wilson_interval(8, 11) == pytest.approx((1.0 - high, 1.0 - low))


# -- Summary -----------------------------------------------------------------------------------------------------------


def test_summary_by_hand():
    # Returns 1, 2, 6: mean 3, squares 4 + 1 + 9 = 14, sample deviation sqrt(14 / 2).
    results = EpisodeResults([1.0, 2.0, 6.0], [10, 10, 13], {"success": [True, False, True], "error": [0.0, 0.5, 1.0]})
    summary = summarize(results)
    assert summary["episodes"] == 3
    assert summary["return"] == pytest.approx({"mean": 3.0, "std": math.sqrt(7.0)})
    assert summary["length"] == pytest.approx({"mean": 11.0, "std": math.sqrt(3.0)})
    low, high = wilson_interval(2, 3)
    assert summary["success"] == {"rate": pytest.approx(2 / 3), "low": low, "high": high}
    assert summary["error"] == pytest.approx({"mean": 0.5, "std": 0.5})


def test_summary_is_plain_json_with_the_promised_keys():
    summary = json.loads(json.dumps(summarize(run(ClockworkEnv([2, 3], [[True], [False]]), 4))))
    assert summary["episodes"] == 4
    assert set(summary["return"]) == {"mean", "std"}
    assert set(summary["success"]) == {"rate", "low", "high"}


def test_a_single_episode_has_no_deviation():
    assert summarize(EpisodeResults([2.0], [5]))["return"] == {"mean": 2.0, "std": 0.0}


def test_a_figure_that_is_always_zero_is_no_success_rate():
    results = run(ClockworkEnv([2], [[True]]), 2)
    results.outcomes["error"] = [0.0, 0.0]
    summary = summarize(results)
    assert summary["success"]["rate"] == 1.0 and summary["error"] == {"mean": 0.0, "std": 0.0}
