# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""skrl's agents through the runner of all others: repeatable, resumable, exported, and right about ends of episodes."""

import csv
import math
from importlib.util import find_spec

import pytest
import torch
from dummy_env import DummyEnv, DummyEnvState
from torch.distributions import Normal, TanhTransform, TransformedDistribution

from cgrpo_lab.baselines import SACCfg, TD3Cfg, TRPOCfg
from cgrpo_lab.export import export_onnx, onnx_parity
from cgrpo_lab.runners import CGRPORunner, CheckpointError, cgrpo_runner
from cgrpo_lab.runners.replay_file import kept_replay, read_replay
from cgrpo_lab.validation import ConfigError

pytestmark = pytest.mark.skipif(find_spec("skrl") is None, reason="skrl is not installed (./isaaclab.sh -i baselines)")

SMALL = {"hidden_dims": [16], "learning_rate": 1e-3}
OFF_POLICY = {**SMALL, "gradient_steps": 4, "batch_size": 32, "random_steps": 32}
AGENTS = {"sac": (SACCfg, OFF_POLICY), "td3": (TD3Cfg, OFF_POLICY), "trpo": (TRPOCfg, SMALL)}


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """Pictures, and rsl_rl's notes about the repository at every start, take longer than these trainings."""
    monkeypatch.setattr("rsl_rl.utils.logger.Logger._store_code_state", lambda self: [])
    monkeypatch.setattr(cgrpo_runner, "draw_curves", lambda table, picture, title: None)


def runner_cfg(agent, max_iterations=20, num_steps=4, **changes):
    cfg_class, small = AGENTS[agent]
    return {
        "algorithm": {"class_name": cfg_class.class_name, **small, **changes},
        "obs_groups": {"actor": ["policy"]},
        "num_steps_per_env": num_steps,
        "max_iterations": max_iterations,
        "save_interval": 1000,
        "seed": 3,
    }


def make(agent, folder=None, seed=0, num_envs=16, **options):
    torch.manual_seed(seed)
    env = DummyEnv(num_envs)
    log_dir = str(folder) if folder else None
    return CGRPORunner(env, runner_cfg(agent, **options), log_dir, "cpu", env_state=DummyEnvState(env))


def flat(value, prefix=""):
    """All entries of nested containers by name."""
    if isinstance(value, (dict, list, tuple)):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        return {name: leaf for key, part in parts for name, leaf in flat(part, f"{prefix}.{key}").items()}
    return {prefix: value}


def assert_same(first, second):
    a, b = flat(first.alg.save()), flat(second.alg.save())
    assert a.keys() == b.keys()
    for name, value in a.items():
        same = torch.equal(value, b[name]) if isinstance(value, torch.Tensor) else value == b[name]
        assert same, f"{name} differs"


@pytest.mark.parametrize("agent", AGENTS)
def test_same_seed_same_run(agent):
    first, second, other = (make(agent, seed=seed) for seed in (5, 5, 6))
    for runner, seed in ((first, 5), (second, 5), (other, 6)):
        torch.manual_seed(seed)
        runner.learn(4)
    assert_same(first, second)
    with pytest.raises(AssertionError, match="differs"):
        assert_same(first, other)


@pytest.mark.parametrize("agent", AGENTS)
def test_a_resumed_run_equals_the_uninterrupted_one_bit_for_bit(agent, tmp_path):
    whole = make(agent, tmp_path / "whole")
    whole.learn(6)
    make(agent, tmp_path / "parts").learn(3)
    second = make(agent, tmp_path / "parts", seed=99)
    second.load(str(tmp_path / "parts" / "model_3.pt"))
    torch.rand(3)
    second.learn(3)
    assert_same(whole, second)
    assert torch.equal(whole.env.position, second.env.position)
    assert (second.current_learning_iteration, second.total_steps) == (6, 6 * 4 * 16)


@pytest.mark.parametrize("agent", ["sac", "td3"])
def test_a_full_memory_is_resumed_where_it_was(agent, tmp_path):
    # 5 rows for 4 new ones an iteration: after two iterations the next row is in the middle.
    whole = make(agent, tmp_path / "whole", replay_size=5 * 16)
    whole.learn(5)
    make(agent, tmp_path / "parts", replay_size=5 * 16).learn(2)
    second = make(agent, tmp_path / "parts", replay_size=5 * 16)
    second.load(str(tmp_path / "parts" / "model_2.pt"))
    second.learn(3)
    assert_same(whole, second)


def test_a_longer_run_gets_a_larger_memory(tmp_path):
    short = make("sac", tmp_path, max_iterations=2)
    short.learn(2)
    assert short.alg.agent.memory.filled
    longer = make("sac", tmp_path, max_iterations=4)
    longer.load(str(tmp_path / "model_2.pt"))
    longer.learn(2)
    assert len(longer.alg.agent.memory) == 4 * 4 * 16
    assert torch.equal(longer.alg.agent.memory.tensors["rewards"][:8], short.alg.agent.memory.tensors["rewards"])


@pytest.mark.parametrize("agent", ["sac", "td3"])
def test_only_the_latest_checkpoint_keeps_the_memory(agent, tmp_path):
    runner = make(agent, tmp_path)
    runner.cfg["save_interval"] = 2
    runner.learn(4)
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == [
        *("model_2.pt", "model_4.pt", "model_best.pt", "replay_4.pt")
    ]
    assert "replay" not in torch.load(tmp_path / "model_4.pt", weights_only=True)
    with pytest.raises(CheckpointError, match="resume from the latest checkpoint, or start a new run"):
        make(agent, tmp_path).load(str(tmp_path / "model_2.pt"))
    with pytest.raises(CheckpointError, match="made with 16 envs"):
        make(agent, tmp_path, num_envs=8).load(str(tmp_path / "model_4.pt"))


def test_a_kill_between_memory_and_checkpoint_leaves_the_older_pair(tmp_path):
    with kept_replay(tmp_path, 1, {"next_row": 1}):
        (tmp_path / "model_1.pt").touch()
    with pytest.raises(KeyboardInterrupt), kept_replay(tmp_path, 2, {"next_row": 2}):
        raise KeyboardInterrupt
    assert read_replay(tmp_path / "model_1.pt") == {"next_row": 1}
    (tmp_path / "renamed.pt").touch()
    assert read_replay(tmp_path / "renamed.pt") is None


@pytest.mark.parametrize("agent", AGENTS)
def test_a_checkpoint_plays_and_starts_a_new_run(agent, tmp_path):
    trained = make(agent, tmp_path)
    trained.learn(3)
    obs = DummyEnv(8).get_observations()
    expected = trained.get_inference_policy()(obs)
    player = make(agent, num_envs=8)
    player.load(str(tmp_path / "model_3.pt"), {"actor": True, "critic": True, "optimizer": False, "iteration": True})
    assert torch.equal(player.get_inference_policy()(obs), expected)
    assert player.current_learning_iteration == 3 and player.alg.agent.memory is None
    begun = make(agent, num_envs=8)
    begun.load(str(tmp_path / "model_3.pt"), {"actor": True, "critic": True, "optimizer": True, "iteration": False})
    assert torch.equal(begun.get_inference_policy()(obs), expected)
    assert (begun.current_learning_iteration, begun.alg.timestep) == (0, 0)


@pytest.mark.parametrize("agent", AGENTS)
def test_a_new_run_has_the_learning_rate_it_asks_for(agent, tmp_path):
    make(agent, tmp_path, learning_rate=1e-3).learn(2)
    begun = make(agent, learning_rate=1e-5)
    begun.load(str(tmp_path / "model_2.pt"), {"actor": True, "critic": True, "optimizer": True, "iteration": False})
    optimizers = [m for m in begun.alg.agent.checkpoint_modules.values() if isinstance(m, torch.optim.Optimizer)]
    assert optimizers and all(group["lr"] == 1e-5 for o in optimizers for group in o.param_groups)


def test_the_learned_entropy_coefficient_goes_with_the_networks(tmp_path):
    trained = make("sac", tmp_path)
    trained.learn(3)
    begun = make("sac")
    begun.load(str(tmp_path / "model_3.pt"), {"actor": True, "critic": True, "optimizer": True, "iteration": False})
    learned = trained.alg.agent.log_entropy_coefficient
    assert torch.equal(begun.alg.agent.log_entropy_coefficient, learned) and learned != math.log(0.2)


@pytest.mark.parametrize("agent", AGENTS)
def test_the_exported_file_equals_the_policy(agent, tmp_path):
    runner = make(agent)
    runner.learn(3)
    policy = runner.alg.get_policy()
    export_onnx(policy.as_onnx(), tmp_path / "policy.onnx", {"version": "1"})
    assert onnx_parity(policy.as_onnx(), tmp_path / "policy.onnx") < 1e-5
    obs = DummyEnv(8).get_observations()
    torch.testing.assert_close(policy.as_jit()(obs["policy"]), policy(obs), rtol=0.0, atol=1e-6)


@pytest.mark.parametrize("agent", AGENTS)
def test_the_table_has_the_columns_of_all_agents_and_the_agent_s_own(agent, tmp_path):
    make(agent, tmp_path).learn(5)
    with (tmp_path / "progress.csv").open(newline="") as file:
        row = list(csv.DictReader(file))[-1]
    own = {
        "sac": ["Loss/critic", "Loss/policy", "Coefficient/entropy_coefficient", "Q-network/q1_max"],
        "td3": ["Loss/critic", "Target/target_mean"],
    }
    expected = [
        *("iteration", "env_steps", "wall_time_s", "Train/mean_reward", "Train/mean_episode_length", "Train/episodes"),
        *("Train/success", "Loss/learning_rate", "Policy/mean_std", "Perf/collection_time", "Perf/learning_time"),
        *own.get(agent, ["Loss/policy", "Loss/value"]),
    ]
    for name in expected:
        assert math.isfinite(float(row[name])), name


@pytest.mark.parametrize("agent", ["sac", "td3"])
def test_ends_of_episodes_in_the_memory(agent):
    """After a termination nothing follows; after a time-out the last state stands for what the reset has hidden."""
    runner = make(agent, num_steps=16, random_steps=10_000)
    runner.learn(1)
    memory = runner.alg.agent.memory.tensors
    state, following = memory["observations"][:16], memory["next_observations"][:16]
    age = (state[..., 2] * 16).round()
    inside = ~memory["terminated"][:16, :, 0] & (age < 15)
    moved = (following - state)[..., :2].norm(dim=-1)
    assert inside.any() and torch.allclose(following[inside][:, 2], state[inside][:, 2] + 1 / 16)
    assert (moved[inside] <= 0.3 * math.sqrt(2) + 1e-6).all()
    last = (age == 15) & ~memory["terminated"][:16, :, 0]
    assert last.any() and torch.equal(following[last], state[last])
    distance = state[memory["terminated"][:16, :, 0]][:, :2].norm(dim=-1)
    assert len(distance) and (distance > 1.6 - 0.3 * math.sqrt(2) - 1e-6).all()


def test_the_environment_s_rewards_are_not_changed():
    # TRPO adds the value after a time-out to the rewards it is given.
    runner = make("trpo", num_steps=16)
    runner.learn(1)
    memory = runner.alg.agent.memory.tensors
    assert memory["truncated"].any()
    assert runner.last_metrics["Train/mean_reward"] <= 16.0
    obs = runner.env.get_observations()
    rewards = torch.ones(16)
    runner.alg.act(obs)
    runner.alg.process_env_step(obs, rewards, torch.ones(16), {"time_outs": torch.ones(16, dtype=torch.bool)})
    assert torch.equal(rewards, torch.ones(16))


def test_random_actions_cover_the_range_and_come_from_torch_s_generator():
    runner = make("sac", random_steps=10_000, num_steps=16)
    runner.learn(1)
    actions = runner.alg.agent.memory.tensors["actions"][:16]
    assert actions.min() < -0.9 and actions.max() > 0.9 and actions.mean().abs() < 0.1
    assert runner.alg.agent.policy.std.eq(1.0).all()  # the network has not acted


def test_density_of_the_squashed_gaussian():
    from cgrpo_lab.baselines.models import SquashedGaussianActor

    torch.manual_seed(0)
    actor = SquashedGaussianActor(3, 2, [16], "relu", "cpu").double()
    inputs = {"observations": torch.randn(200, 3, dtype=torch.float64)}
    actions, outputs = actor.act(inputs)
    mean, others = actor.compute(inputs)
    reference = TransformedDistribution(Normal(mean, others["log_std"].exp()), [TanhTransform()])
    torch.testing.assert_close(outputs["log_prob"], reference.log_prob(actions).sum(dim=-1, keepdim=True))
    torch.testing.assert_close(actor.deterministic()(inputs["observations"]), torch.tanh(mean))


@pytest.mark.parametrize(
    ("agent", "iterations", "gradient_steps"), [("sac", 30, 32), ("td3", 35, 32), ("trpo", 25, None)]
)
def test_learns_the_way_to_the_origin(agent, iterations, gradient_steps):
    """Standing still earns 0.2 a step, the best way 0.85."""
    options = {"num_steps": 16} if gradient_steps is None else {"gradient_steps": gradient_steps, "batch_size": 128}
    runner = make(agent, num_envs=32, hidden_dims=[32, 32], learning_rate=3e-3, **options)
    runner.learn(iterations)
    metrics = runner.last_metrics
    assert metrics["Train/mean_reward"] / metrics["Train/mean_episode_length"] > 0.6


@pytest.mark.parametrize(
    ("agent", "name", "value"),
    [
        ("sac", "gradient_steps", 0),
        ("sac", "replay_size", -1),
        ("sac", "init_entropy_coef", 0.0),
        ("sac", "gamma", 1.0),
        ("td3", "polyak", 1.5),
        ("td3", "exploration_std", -0.1),
        ("td3", "policy_delay", 1.5),
        ("trpo", "max_kl", 0.0),
        ("trpo", "hidden_dims", [0]),
        ("td3", "hidden_dims", []),
        ("sac", "hidden_dims", 256),
        ("trpo", "activation", "sin"),
        ("trpo", "num_mini_batches", 65),
    ],
)
def test_a_bad_setting_is_named(agent, name, value):
    with pytest.raises(ConfigError, match=f"agent.algorithm.{name} = "):
        make(agent, **{name: value})


def test_an_unknown_setting_is_named():
    with pytest.raises(ConfigError, match="no option 'clip_param'"):
        make("sac", clip_param=0.2)


def test_a_checkpoint_of_another_algorithm_is_refused(tmp_path):
    make("sac", tmp_path).learn(1)
    with pytest.raises(ValueError, match="was not written by td3"):
        make("td3").load(str(tmp_path / "model_1.pt"))
