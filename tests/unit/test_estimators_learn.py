# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Every estimator behind the whole algorithm, on a task that is learnt in seconds."""

import pytest
import torch
from dummy_env import GroupedEnv, runner_cfg

from cgrpo_lab.algorithms import CGRPO

CASES = {
    # So few cosines need a wider kernel than the default's 512.
    "least_squares": ("least_squares", {"num_cosines": 16, "bandwidth": 0.7}),
    "state_cluster": ("state_cluster", {}),
    "k-means": ("state_cluster", {"clustering": "kmeans", "clustering_options": {"num_clusters": 16}}),
    "time_step": ("time_step", {}),
    "constant": ("time_step", {"binning": "constant"}),
    "state_grid": ("time_step", {"binning": "state_grid", "binning_options": {"cell_size": 0.5, "dimensions": [0, 1]}}),
    "episode": ("episode", {}),
    "value_centred": (
        "value_centred",
        {"value_options": {"num_cosines": 16, "bandwidth": 0.7}, "clustering_options": {"num_clusters": 16}},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_learns(case):
    estimator, options = CASES[case]
    torch.manual_seed(0)
    env = GroupedEnv(64)
    cfg = runner_cfg(
        num_steps=16, max_iterations=25, estimator=estimator, estimator_options=options, num_learning_epochs=5
    )
    algorithm = CGRPO.construct_algorithm(env.get_observations(), env, {**cfg, "multi_gpu": None}, "cpu")
    rewards = []
    for _ in range(25):
        with torch.inference_mode():
            for _ in range(16):
                obs, reward, dones, extras = env.step(algorithm.act(env.get_observations()))
                algorithm.process_env_step(obs, reward, dones, extras)
            algorithm.compute_returns(obs)
        rewards.append(algorithm.rollout.rewards.mean().item())
        algorithm.update()
    # Standing still earns 0.2 a step; going straight to the middle 0.8.
    assert sum(rewards[-3:]) / 3 > 0.5, [round(reward, 2) for reward in rewards]
