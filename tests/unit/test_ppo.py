# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What our subclass adds to rsl_rl's PPO."""

import pytest
import torch
from dummy_env import DummyEnv, ppo_cfg

from cgrpo_lab.runners import CGRPORunner


def make(**algorithm):
    torch.manual_seed(0)
    return CGRPORunner(DummyEnv(16), ppo_cfg(algorithm), None, "cpu")


def step(algorithm, rewards, dones):
    """One step with these answers; returns the rewards that went into the storage."""
    obs = DummyEnv(16).get_observations()
    with torch.inference_mode():
        algorithm.act(obs)
        algorithm.process_env_step(obs, rewards, dones, {})
    return algorithm.storage.rewards[algorithm.storage.step - 1, :, 0]


def test_rewards_are_divided_by_the_deviation_of_discounted_returns():
    algorithm = make(reward_normalization=True, gamma=0.9).alg
    generator = torch.Generator().manual_seed(1)
    returns, seen = torch.zeros(16, dtype=torch.float64), []
    for t in range(8):
        rewards = torch.randn(16, generator=generator) * 5.0 + 3.0
        dones = torch.rand(16, generator=generator) < 0.2
        stored = step(algorithm, rewards, dones)
        returns = returns * 0.9 + rewards.double()
        seen.append(returns.clone())
        returns[dones] = 0.0
        expected = rewards / (torch.cat(seen).std(correction=0) + 1e-2)
        torch.testing.assert_close(stored, expected.float(), rtol=1e-4, atol=1e-5, msg=f"step {t}")


def test_rewards_stay_as_they_are_unless_asked():
    rewards = torch.arange(16.0)
    torch.testing.assert_close(step(make().alg, rewards, torch.zeros(16, dtype=torch.bool)), rewards)


def test_networks_start_as_the_group_policies_do():
    algorithm = make(orthogonal_init=True).alg
    for model, last_gain in ((algorithm.actor, 0.01), (algorithm.critic, 1.0)):
        layers = [module for module in model.mlp if isinstance(module, torch.nn.Linear)]
        for layer in layers:
            gain = last_gain if layer is layers[-1] else 2.0**0.5
            rows, columns = layer.weight.shape
            short = layer.weight if rows <= columns else layer.weight.T
            expected = gain**2 * torch.eye(min(rows, columns))
            torch.testing.assert_close(short @ short.T, expected, rtol=1e-4, atol=1e-6)
            assert not layer.bias.any()


def test_linear_schedule_ends_at_zero():
    runner = make(schedule="linear", learning_rate=1.0e-3)
    rates = []
    for _ in range(22):
        runner.learn(1)
        rates.append(runner.alg.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([1.0e-3 * (1.0 - i / 20) for i in range(20)] + [0.0, 0.0])


@pytest.mark.parametrize("schedule", ["fixed", "linear", "adaptive"])
def test_a_new_run_has_the_learning_rate_it_asks_for(schedule):
    trained = make(schedule=schedule, learning_rate=1.0e-3)
    trained.learn(3)
    begun = make(schedule="fixed", learning_rate=3.0e-4)
    begun.alg.load(trained.alg.save(), {"actor": True, "critic": True, "optimizer": True, "iteration": False})
    begun.learn(1)
    assert begun.alg.learning_rate == begun.alg.optimizer.param_groups[0]["lr"] == 3.0e-4


def test_a_resumed_run_takes_over_an_adapted_rate_unless_another_one_is_configured():
    trained = make(schedule="adaptive", learning_rate=1.0e-3)
    trained.alg._use_learning_rate(4.0e-3)
    for configured, expected in ((1.0e-3, 4.0e-3), (2.0e-3, 2.0e-3)):
        other = make(schedule="adaptive", learning_rate=configured)
        other.alg.load({**trained.alg.save(), "iter": 3})
        assert other.alg.learning_rate == other.alg.optimizer.param_groups[0]["lr"] == expected
