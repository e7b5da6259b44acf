# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""NaN and Inf are traced to where they began."""

import math

import pytest
import torch

from cgrpo_lab.runners.finite_check import FiniteCheck

NAMES = ["joint_pos[0]", "joint_pos[1]"]


def make():
    check = FiniteCheck(3, 2, 4, "cpu", NAMES)
    check.start(torch.zeros(3, 2))
    return check


def step(check, obs=(), actions=(), rewards=(), value=math.nan):
    """One step whose named entries are not finite."""
    tensors = [torch.zeros(3, 2), torch.zeros(3, 4), torch.zeros(3)]
    for tensor, where in zip(tensors, (obs, actions, rewards), strict=True):
        for index in where:
            tensor[index] = value
    check.add_step(*tensors)


def test_finite_numbers_are_not_reported():
    check = make()
    step(check, obs=[(0, 0)], value=3.0e38)
    assert check.report() is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_observation_is_named_by_environment_and_term(value):
    check = make()
    step(check, obs=[(2, 1)], value=value)
    step(check)
    assert check.report() == "observation joint_pos[1] of env 2 (1 of 3 envs are affected)"


def test_an_action_beyond_the_number_of_observations_and_a_reward_are_named():
    check = make()
    step(check, actions=[(1, 3)])
    assert check.report() == "action 3 of env 1 (1 of 3 envs are affected)"
    check.start(torch.zeros(3, 2))
    step(check, rewards=[0, 1])
    assert check.report() == "reward of env 0 (2 of 3 envs are affected)"


def test_the_earliest_is_the_cause():
    # A reward first, which spoils an observation of another environment with a smaller number later.
    check = make()
    step(check, rewards=[2])
    step(check, obs=[(0, 0)], actions=[(0, 0)])
    assert check.report() == "reward of env 2 (1 of 3 envs are affected)"


def test_within_a_step_the_action_came_first_and_the_observation_tells_more_than_the_reward():
    check = make()
    step(check, obs=[(1, 0)], rewards=[0])
    assert check.report().startswith("observation joint_pos[0] of env 1")
    check.start(torch.zeros(3, 2))
    step(check, obs=[(0, 0)], actions=[(1, 1)], rewards=[0])
    assert check.report().startswith("action 1 of env 1")


def test_what_the_rollout_began_with_is_looked_at_too():
    check = make()
    obs = torch.zeros(3, 2)
    obs[1, 0] = math.nan
    check.start(obs)
    step(check, actions=[(1, 0)])
    assert check.report().startswith("observation joint_pos[0] of env 1")


def test_every_rollout_starts_anew():
    check = make()
    step(check, obs=[(0, 0)])
    assert check.report() is not None
    check.start(torch.zeros(3, 2))
    step(check)
    assert check.report() is None


@pytest.mark.gpu
def test_nothing_waits_for_the_gpu_before_the_report():
    check = FiniteCheck(8, 2, 4, "cuda", NAMES)
    obs, actions, rewards = (torch.zeros(shape, device="cuda") for shape in ((8, 2), (8, 4), (8,)))
    torch.cuda.set_sync_debug_mode("error")
    try:
        check.start(obs)
        check.add_step(obs, actions, rewards)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert check.report() is None
