# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The algorithm against a second implementation, and every reading of the paper's unclear points."""

import copy
import itertools
import math
import shutil

import pytest
import torch
from dummy_env import DummyEnv, GroupedEnv, runner_cfg
from plain_update import PlainPolicy, own_samples, plain_features, plain_update

from cgrpo_lab.advantages import GroupAdvantages
from cgrpo_lab.algorithms import CGRPO, cgrpo
from cgrpo_lab.algorithms.group_adam import GroupAdam
from cgrpo_lab.algorithms.loss import Loss
from cgrpo_lab.algorithms.objective import normalize_by_group
from cgrpo_lab.reference import MixtureReference

FULL = {
    "num_policies": 3,
    "num_groups": 2,
    "adaptive_clip": True,
    "smoothness_coef": 0.05,
    "diversity_coef": 0.05,
    "diversity_threshold": -0.5,
    "reference_size": 2,
    "entropy_coef": 0.01,
}


def build(env=None, cfg=None, **algorithm):
    env = env or DummyEnv(12, max_episode_length=5)
    cfg = cfg or runner_cfg(num_steps=6, **algorithm)
    return CGRPO.construct_algorithm(env.get_observations(), env, {**cfg, "multi_gpu": None}, "cpu"), env


def collect(alg, env):
    """One rollout with its advantages; returns what the estimator answered."""
    answers = []
    hook = alg.estimator.register_forward_hook(lambda module, args, answer: answers.append(answer))
    with torch.inference_mode():
        obs = env.get_observations()
        for _ in range(alg.rollout.num_steps):
            obs, rewards, dones, extras = env.step(alg.act(obs))
            alg.process_env_step(obs, rewards, dones, extras)
        alg.compute_returns(obs)
    hook.remove()
    return answers[0].advantages


def differentiate(alg):
    """Give the policies deviations, and thereby features, of their own."""
    with torch.no_grad():
        shift = torch.tensor([0.3, -0.4, 0.5, -0.1])[: alg.cfg.num_policies]
        alg.policy.log_std.add_(shift.unsqueeze(1))
        alg.policy.weights[-1].mul_(30.0)


# -- One iteration, step by step ---------------------------------------------------------------------------------------


def test_environment_e_acts_by_policy_e_div_m():
    alg, env = build(num_policies=3)
    differentiate(alg)
    obs = env.get_observations()
    actions = alg.act(obs)
    for e in range(12):
        expected = PlainPolicy(alg, e // 4).normal(obs["policy"][e])
        torch.testing.assert_close(alg.rollout.means[0, e].double(), expected.mean[0], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(actions[e], torch.tanh(alg.rollout.samples[0, e]))


def test_densities_are_those_of_the_policy_that_acted():
    alg, env = build(num_policies=3)
    differentiate(alg)
    policies = [PlainPolicy(alg, n) for n in range(3)]
    collect(alg, env)
    rollout = alg.rollout
    for t in range(rollout.num_steps):
        for e in range(12):
            normal = policies[e // 4].normal(rollout.observations[t, e])
            log_prob = normal.log_prob(rollout.samples[t, e].double()).sum()
            assert rollout.log_probs[t, e].item() == pytest.approx(log_prob.item(), rel=1e-5, abs=1e-5)


def test_time_outs_and_terminations_are_told_apart():
    alg, env = build()
    dones, obs = torch.zeros(12, dtype=torch.long), env.get_observations()
    dones[1] = dones[2] = 1
    time_outs = torch.zeros(12, dtype=torch.bool)
    time_outs[2] = time_outs[3] = True  # 3 is flagged although its episode goes on: no end
    alg.act(obs)
    alg.process_env_step(obs, torch.zeros(12), dones, {"time_outs": time_outs})
    assert alg.rollout.terminated[0].nonzero().tolist() == [[1]]
    assert alg.rollout.time_outs[0].nonzero().tolist() == [[2]]


def test_without_time_outs_every_end_is_a_termination():
    alg, env = build()
    alg.act(env.get_observations())
    alg.process_env_step(env.get_observations(), torch.zeros(12), torch.ones(12, dtype=torch.long), {})
    assert alg.rollout.terminated[0].all() and not alg.rollout.time_outs.any()


def test_the_estimator_sees_states_normalised_by_earlier_iterations():
    alg, env = build()
    collect(alg, env)
    first = alg.rollout.raw_states[:-1].flatten(0, 1).clone()
    assert torch.equal(alg.rollout.states, alg.rollout.raw_states / 1.01)  # mean 0, deviation 1, eps 0.01
    alg.update()
    collect(alg, env)
    expected = (alg.rollout.raw_states - first.mean(0)) / (first.std(0, unbiased=False) + 0.01)
    torch.testing.assert_close(alg.rollout.states, expected, rtol=1e-4, atol=1e-4)


def test_the_policies_normaliser_stands_still_from_acting_to_the_update():
    # One minibatch of everything, before the first step: new and old densities are the same.
    alg, env = build(num_learning_epochs=1, num_mini_batches=1, num_policies=2)
    for _ in range(3):
        collect(alg, env)
        losses = alg.update()
        assert abs(losses["kl"]) < 1e-6 and losses["clip_fraction"] <= 0.1
        assert losses["surrogate"] == pytest.approx(0.0, abs=1e-5)  # ratio 1 times advantages of mean zero


def test_every_sample_is_used_once_per_epoch_in_an_order_of_its_own():
    alg, env = build(num_policies=2, num_learning_epochs=2, num_mini_batches=4)
    collect(alg, env)
    batches = list(alg._mini_batches())
    assert len(batches) == 8
    for n in range(2):
        everything = sorted(alg.rollout.per_policy(alg.rollout.log_probs)[n].tolist())
        for epoch in (batches[:4], batches[4:]):
            assert sorted(torch.cat([batch.log_probs[n] for batch in epoch]).tolist()) == everything
    orders = [torch.cat([batch.log_probs[0] for batch in epoch]).tolist() for epoch in (batches[:4], batches[4:])]
    assert orders[0] != orders[1]


def test_several_observation_groups_are_concatenated_in_the_order_asked_for():
    env = DummyEnv(4, groups=("policy", "privileged"))
    cfg = runner_cfg(num_steps=6)
    cfg["obs_groups"] = {"actor": ["privileged", "policy"], "state": ["privileged"]}
    alg, _ = build(env, cfg)
    obs = env.get_observations()
    alg.act(obs)
    assert torch.equal(alg.rollout.observations[0], torch.cat((obs["privileged"], obs["policy"]), dim=-1))
    assert torch.equal(alg.rollout.raw_states[0], obs["privileged"])
    torch.testing.assert_close(alg.get_policy()(obs), torch.tanh(alg.rollout.means[0]))


# -- Against the second implementation ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "algorithm",
    [
        {"num_policies": 1},
        {"num_policies": 1, "entropy_coef": 0.02, "schedule": "fixed", "max_grad_norm": 0.05},
        {"num_policies": 3, "num_groups": 1, "smoothness_coef": 0.1},
        {"num_policies": 3, "num_groups": 3, "adaptive_clip": True},
        FULL,
        {"num_policies": 3, "sharing": "all"},
        {"num_policies": 3, "sharing": "leader", "entropy_coef": 0.01, "follower_entropy_coef": 0.1},
        {**FULL, "sharing": "leader"},
    ],
    ids=["simple", "entropy", "smoothness", "singletons", "full", "sharing", "leader", "full-leader"],
)
def test_updates_equal_the_second_implementation(algorithm):
    torch.manual_seed(0)
    alg, env = build(learning_rate=1e-2, clip_param=0.1, **algorithm)
    differentiate(alg)
    for _ in range(2):
        raw = collect(alg, env)
        # Adam starts anew in the second implementation, so it does here.
        alg.optimizer = GroupAdam(alg.policy.vectors, max_grad_norm=alg.cfg.max_grad_norm)
        before = [p.detach().clone() for p in alg.policy.parameters()]
        expected = plain_update(alg, raw, alg.groups.tolist())
        losses = alg.update()
        assert losses["clip_fraction"] > 0.0 and losses["nonfinite_gradients"] == 0.0
        for n, plain in enumerate(expected):
            ours = [tensor for pair in zip(alg.policy.weights, alg.policy.biases, strict=True) for tensor in pair]
            ours = [tensor[n].squeeze(0) if tensor.shape[1] == 1 else tensor[n] for tensor in ours]
            for a, b in zip([*ours, alg.policy.log_std[n]], plain.parameters, strict=True):
                torch.testing.assert_close(a.double(), b.detach().view_as(a), rtol=2e-3, atol=2e-4)
        moved = max((p.detach() - b).abs().max().item() for p, b in zip(alg.policy.parameters(), before, strict=True))
        assert moved > 0.02  # a hundred times the tolerance


def test_trajectory_features_and_groups_equal_plain_ones():
    torch.manual_seed(0)
    alg, env = build(**{**FULL, "num_policies": 4})
    with torch.no_grad():
        # Two calm and two noisy policies: groups that any k-means finds.
        alg.policy.log_std.copy_(torch.tensor([0.3, -1.5, 0.2, -1.6]).unsqueeze(1))
        alg.policy.weights[-1].mul_(30.0)
    reference = [PlainPolicy(alg, m, alg.reference.members) for m in range(2)]
    policies = [PlainPolicy(alg, n) for n in range(4)]
    collect(alg, env)
    rollout = alg.rollout
    pairs = [
        (own_samples(alg, rollout.observations[:-1], n), own_samples(alg, rollout.samples, n).double())
        for n in range(4)
    ]
    rewards = [own_samples(alg, rollout.rewards, n).double().mean() for n in range(4)]
    features = plain_features(alg, policies, reference, pairs, rewards).detach()
    torch.testing.assert_close(alg.comparison.features.double(), features, rtol=1e-4, atol=1e-4)
    points = (features - features.mean(0)) / features.std(0, unbiased=False)
    assert canonical(alg.groups.tolist()) == canonical(best_partition(points, 2)) == [0, 1, 0, 1]


def best_partition(points, num_groups):
    """The k-means optimum, found by trying every assignment."""

    def inertia(labels):
        total = 0.0
        for k in set(labels):
            members = points[[i for i, label in enumerate(labels) if label == k]]
            total += (members - members.mean(0)).square().sum().item()
        return total

    return min(itertools.product(range(num_groups), repeat=len(points)), key=inertia)


def canonical(labels):
    """Labels numbered in the order of their first appearance."""
    return [list(dict.fromkeys(labels)).index(label) for label in labels]


# -- Readings of the paper ---------------------------------------------------------------------------------------------


def test_fewer_than_three_policies_are_one_group_unless_asked(monkeypatch):
    def fail(*args, **kwargs):
        raise AssertionError("clustered although there is one group")

    monkeypatch.setattr(cgrpo, "KMeans", fail)
    for n in (1, 2):
        alg, env = build(num_policies=n)
        raw = collect(alg, env)
        assert alg.groups.tolist() == [0] * n
        torch.testing.assert_close(alg.comparison.advantages.mean(), torch.tensor(0.0), rtol=0.0, atol=1e-5)
        rows = torch.stack([own_samples(alg, raw, i) for i in range(n)])
        torch.testing.assert_close(alg.comparison.advantages, (rows - rows.mean()) / rows.std(), rtol=1e-4, atol=1e-4)


def test_one_group_of_episodes_keeps_the_base_clip_whatever_share_of_steps_is_judged():
    alg, _ = build(num_policies=2, adaptive_clip=True)
    advantages = torch.randn(6, 12, generator=torch.Generator().manual_seed(0))
    judged = torch.zeros(6, 12, dtype=torch.bool)
    judged[:2] = True
    estimate = GroupAdvantages(advantages * judged, torch.zeros(6, 12), judged=judged)
    comparison, _ = alg._compare(estimate, torch.zeros(2, dtype=torch.long), None)
    torch.testing.assert_close(comparison.clip, torch.full((2,), alg.cfg.clip_param), rtol=1e-6, atol=0.0)


def test_what_is_not_judged_neither_counts_nor_teaches():
    env = GroupedEnv(16, max_episode_length=4)
    alg, _ = build(env, num_policies=2, num_groups=2, estimator="episode", estimator_options={})
    raw = alg.rollout.per_policy(collect(alg, env))
    judged = alg.rollout.per_policy(alg.estimator(alg.rollout).judged)
    assert judged.any(dim=1).all() and not judged.all(dim=1).any()
    expected, _, _ = normalize_by_group(raw, alg.groups, 2, judged)
    torch.testing.assert_close(alg.comparison.advantages, expected)
    assert not alg.comparison.advantages[~judged].any()
    for n in range(2):
        assert alg.comparison.advantages[n, judged[n]].std().item() == pytest.approx(1.0, rel=1e-5)


def test_singleton_groups_are_normalised_policy_by_policy():
    alg, env = build(num_policies=3, num_groups=3)
    differentiate(alg)
    collect(alg, env)
    assert sorted(alg.groups.tolist()) == [0, 1, 2]
    torch.testing.assert_close(alg.comparison.advantages.std(dim=1), torch.ones(3), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(alg.comparison.advantages.mean(dim=1), torch.zeros(3), rtol=0.0, atol=1e-5)


def test_identical_policies_can_be_grouped():
    # Fewer distinct points than groups.
    alg, env = build(num_policies=4, num_groups=3)
    env.step = lambda actions: (env.get_observations(), torch.ones(12), torch.zeros(12, dtype=torch.long), {})
    collect(alg, env)
    assert alg.comparison.advantages.isfinite().all()
    assert all(math.isfinite(value) for value in alg.update().values())


def test_the_reference_follows_the_best_policies_after_the_update():
    alg, env = build(num_policies=3, num_groups=2, reference_size=2)
    differentiate(alg)
    collect(alg, env)
    alg.scores = torch.tensor([0.1, 0.9, 0.5])
    alg.update()
    for mine, theirs in zip(alg.reference.members.parameters(), alg.policy.parameters(), strict=True):
        assert torch.equal(mine, theirs[[1, 2]])


def test_scores_are_a_running_mean_and_the_best_policy_is_deployed():
    alg, env = build(num_policies=2)
    collect(alg, env)
    first = torch.stack([own_samples(alg, alg.rollout.rewards, n).mean() for n in range(2)])
    torch.testing.assert_close(alg.scores, first)
    alg.update()
    collect(alg, env)
    second = torch.stack([own_samples(alg, alg.rollout.rewards, n).mean() for n in range(2)])
    torch.testing.assert_close(alg.scores, 0.9 * first + 0.1 * second)
    alg.scores = torch.tensor([0.0, 1.0])
    obs = env.get_observations()
    expected = torch.tanh(PlainPolicy(alg, 1).mean(obs["policy"])).float()
    torch.testing.assert_close(alg.get_policy()(obs), expected, rtol=1e-4, atol=1e-5)


def test_every_policys_reward_is_told_where_there_are_several():
    alg, env = build(num_policies=3)
    collect(alg, env)
    for i in range(3):
        expected = alg.rollout.rewards[:, 4 * i : 4 * i + 4].mean().item()
        assert float(alg.metrics[f"Policy/reward_{i}"]) == pytest.approx(expected, rel=1e-5)
    alone, env = build()
    collect(alone, env)
    assert not any(name.startswith("Policy/reward") for name in alone.metrics)


def test_the_weakest_is_replaced_every_replace_interval_iterations():
    alg, env = build(num_policies=3, replace_interval=2, replace_noise=0.0)
    for replaced in (False, True, False):
        collect(alg, env)
        alg.update()
        rows = alg.policy.vectors
        assert any(torch.equal(rows[i], rows[j]) for i, j in ((0, 1), (0, 2), (1, 2))) == replaced


def record_rates(alg):
    """Learning rate of every step that the optimiser takes from now on."""
    used, step = [], alg.optimizer.step
    alg.optimizer.step = lambda rate: used.append(rate) or step(rate)
    return used


@pytest.mark.parametrize("schedule", ["fixed", "linear"])
def test_learning_rate_schedules(schedule):
    alg, env = build(cfg=runner_cfg(num_steps=6, max_iterations=4, learning_rate=0.01, schedule=schedule))
    used, seen = record_rates(alg), []
    for _ in range(6):
        collect(alg, env)
        alg.update()
        seen.append(alg.learning_rate)
        assert set(used) == {alg.learning_rate}
        used.clear()
    expected = {"fixed": [0.01] * 6, "linear": [0.01, 0.0075, 0.005, 0.0025, 0.0, 0.0]}[schedule]
    assert seen == pytest.approx(expected)


@pytest.mark.parametrize(
    ("before", "kl", "rate"),
    [
        (0.006, 0.03, 0.004),
        (0.004, 0.01, 0.004),
        (0.004, 0.001, 0.006),
        (0.004, math.nan, 0.004),
        # Between 1e-5 and 1e-2.
        (1.2e-5, 0.03, 1e-5),
        (0.009, 0.001, 0.01),
    ],
)
def test_adaptive_learning_rate(before, kl, rate):
    # Desired 0.01: above 0.02 the rate is divided by 1.5, below 0.005 multiplied by it.
    alg, _ = build(learning_rate=before, schedule="adaptive")
    alg.rate.adapt(kl)
    assert alg.learning_rate == pytest.approx(rate, rel=1e-6)


@pytest.mark.parametrize(("desired_kl", "factor"), [(1e-9, 1 / 1.5), (1e3, 1.5)])
def test_an_update_adapts_the_rate_of_the_next(desired_kl, factor):
    alg, env = build(learning_rate=0.004, schedule="adaptive", desired_kl=desired_kl)
    used = record_rates(alg)
    for expected in (0.004, 0.004 * factor):
        collect(alg, env)
        alg.update()
        assert used == pytest.approx([expected] * 8)
        used.clear()


def test_noise_comes_back_from_the_end_of_its_range():
    # An entropy bonus drives the noise to the end of its range; without it, it is free to fall again at once.
    alg, env = build(entropy_coef=10.0, learning_rate=0.1)
    for _ in range(3):
        collect(alg, env)
        alg.update()
    assert (alg.policy.log_std == 1.0).all()
    alg.cfg.entropy_coef = 0.0
    collect(alg, env)
    alg.comparison.advantages.zero_()
    alg.comparison.advantages += (alg.rollout.means - alg.rollout.samples).square().sum(-1).view(1, -1) * -1.0
    alg.optimizer.mean.zero_()
    alg.update()
    assert (alg.policy.log_std < 1.0).all()


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++")
def test_compiled_networks_learn_the_same():
    results = []
    for compiled in (False, True):
        torch.manual_seed(0)
        alg, env = build(num_policies=2, num_groups=2, smoothness_coef=0.05, compile=compiled)
        for _ in range(2):
            collect(alg, env)
            alg.update()
        results.append(alg.policy.vectors.detach())
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-5)
    assert alg.distribution != alg.policy.distribution


# -- Parts that are not used cost nothing ------------------------------------------------------------------------------


def count_calls(monkeypatch, owner, name):
    calls, original = [], getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda *args, **kwargs: calls.append(1) or original(*args, **kwargs))
    return calls


@pytest.mark.parametrize(("coef", "passes"), [(0.0, 1), (0.1, 2)])
def test_smoothness_alone_asks_for_a_second_forward_pass(monkeypatch, coef, passes):
    alg, env = build(num_learning_epochs=2, num_mini_batches=4, smoothness_coef=coef)
    collect(alg, env)
    calls = count_calls(monkeypatch, alg, "distribution")
    losses = alg.update()
    assert len(calls) == 8 * passes
    assert ("smoothness" in losses) == (coef > 0.0) and "diversity" not in losses


@pytest.mark.parametrize(
    ("algorithm", "evaluations"),
    [
        ({"reference_size": 0}, 0),
        ({"reference_size": 2}, 1),  # once, for the features
        ({"reference_size": 2, "diversity_coef": 0.1}, 1 + 8),
        ({"reference_size": 2, "num_groups": 1}, 0),  # nobody asks for the features
    ],
)
def test_the_reference_is_evaluated_only_where_it_is_needed(monkeypatch, algorithm, evaluations):
    calls = count_calls(monkeypatch, MixtureReference, "log_prob")
    alg, env = build(**{"num_policies": 3, "num_groups": 2, **algorithm})  # 2 epochs of 4 minibatches
    collect(alg, env)
    alg.update()
    assert len(calls) == evaluations
    assert (alg.reference is None) == (algorithm["reference_size"] == 0)


# -- What is not finite ------------------------------------------------------------------------------------------------


def test_a_gradient_that_is_not_finite_is_left_out_and_counted_and_the_others_go_on():
    alg, env = build(num_policies=3, num_learning_epochs=1, num_mini_batches=4)
    collect(alg, env)
    alg.rollout.log_probs[:, 4:8] = math.nan  # policy 1
    before = [p.detach().clone() for p in alg.policy.parameters()]
    losses = alg.update()
    assert losses["nonfinite_gradients"] == 1.0  # one policy in every minibatch
    for parameter, old in zip(alg.policy.parameters(), before, strict=True):
        assert torch.equal(parameter[1], old[1])
        assert parameter.isfinite().all()
        assert not torch.equal(parameter[0], old[0]) and not torch.equal(parameter[2], old[2])


def test_a_sample_far_off_that_has_no_weight_makes_nothing_infinite():
    # A policy that acts far away draws samples that another one may come to find e^1000 times as likely as before.
    alg, env = build(num_policies=2, sharing="all")
    collect(alg, env)
    batch = next(alg._mini_batches())
    batch.weights[:, 0] = 0.0
    batch.log_probs[:, 0] -= 1000.0
    loss = Loss(alg.cfg, alg.distribution, None, alg.comparison)
    loss(batch).backward()
    assert alg.policy.vectors.grad.isfinite().all() and alg.policy.vectors.grad.any()
    assert all(value.isfinite() for value in loss.log.means(alg.comparison.clip).values())


def test_an_infinite_ratio_never_reaches_the_parameters():
    alg, env = build(num_policies=2)
    collect(alg, env)
    alg.rollout.log_probs[:, :6] = -1e30
    alg.update()
    assert all(parameter.isfinite().all() for parameter in alg.policy.parameters())


def test_a_skipped_update_leaves_everything_and_the_next_iteration_works():
    alg, env = build(num_policies=2)
    collect(alg, env)
    alg.update()
    before = copy.deepcopy(alg.policy.state_dict())
    obs = env.get_observations()
    for _ in range(alg.rollout.num_steps):
        obs, rewards, dones, extras = env.step(alg.act(obs))
        alg.process_env_step(obs, rewards * math.nan, dones, extras)
    alg.skip_update()
    assert alg.metrics == {}  # those of the iteration before would look like its own
    assert all(torch.equal(value, before[name]) for name, value in alg.policy.state_dict().items())
    collect(alg, env)
    alg.update()
    assert alg.rollout.rewards.isfinite().all() and alg.iteration == 3


# -- Checkpoints -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "algorithm",
    [
        {},
        FULL,
        {"estimator": "state_cluster"},
        {"num_policies": 3, "sharing": "leader", "follower_entropy_coef": 0.01, "replace_interval": 1},
    ],
    ids=["simple", "full", "clusters", "helping"],
)
def test_a_restored_algorithm_goes_on_bit_for_bit(algorithm):
    alg, env = build(**algorithm)
    for _ in range(2):
        collect(alg, env)
        alg.update()
    saved = copy.deepcopy(alg.save())
    other, _ = build(**algorithm)
    other.load(saved)
    other.start_episodes(alg.rollout.clock)
    random_state, twin = torch.get_rng_state(), copy.deepcopy(env)
    for a, e in ((alg, env), (other, twin)):
        torch.set_rng_state(random_state)
        for _ in range(2):
            collect(a, e)
            a.update()
    ours, theirs = flatten(alg.save()), flatten(other.save())
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        same = torch.equal(value, theirs[name]) if isinstance(value, torch.Tensor) else value == theirs[name]
        assert same, name


def flatten(value, prefix=""):
    """Nested dictionaries and lists as one dictionary."""
    if isinstance(value, (dict, list, tuple)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for name, part in items for k, v in flatten(part, f"{prefix}.{name}").items()}
    return {prefix: value}


def test_a_checkpoint_of_another_algorithm_is_refused():
    with pytest.raises(ValueError, match="not written by CGRPO"):
        build()[0].load({"actor_state_dict": {}})


def test_loading_without_the_optimiser_keeps_the_fresh_one():
    alg, env = build(learning_rate=0.01)
    collect(alg, env)
    alg.update()
    other, _ = build(learning_rate=0.003)
    assert other.load(alg.save(), load_cfg={"optimizer": False})
    assert torch.equal(other.policy.weights[0], alg.policy.weights[0])
    assert other.learning_rate == 0.003 and other.optimizer.steps == 0 and not other.optimizer.mean.any()


@pytest.mark.parametrize("schedule", ["fixed", "linear", "adaptive"])
def test_a_new_run_has_the_learning_rate_it_asks_for(schedule):
    alg, env = build(learning_rate=0.01, schedule=schedule)
    for _ in range(2):
        collect(alg, env)
        alg.update()
    saved = alg.save()
    begun, env = build(learning_rate=0.003, schedule="fixed")
    begun.load(saved, load_cfg={"iteration": False})
    used = record_rates(begun)
    collect(begun, env)
    begun.update()
    assert set(used) == {0.003}


def test_a_resumed_run_takes_over_an_adapted_rate_unless_another_one_is_configured():
    alg, _ = build(learning_rate=0.009, schedule="adaptive")
    alg.rate.adapt(0.03)
    for configured, expected in ((0.009, 0.006), (0.002, 0.002)):
        other, _ = build(learning_rate=configured, schedule="adaptive")
        other.load(alg.save())
        assert other.learning_rate == pytest.approx(expected)


# -- On a GPU ----------------------------------------------------------------------------------------------------------


@pytest.mark.gpu
def test_neither_rollout_nor_minibatches_wait_for_the_gpu():
    env = DummyEnv(64, device="cuda")
    cfg = runner_cfg(num_steps=8, **{**FULL, "num_policies": 2, "sharing": "leader"})
    alg = CGRPO.construct_algorithm(env.get_observations(), env, {**cfg, "multi_gpu": None}, "cuda")
    collect(alg, env)
    alg.update()  # what is made on first use is there now
    collect(alg, env)
    torch.cuda.set_sync_debug_mode("error")
    try:
        obs = env.get_observations()
        for _ in range(8):
            obs, rewards, dones, extras = env.step(alg.act(obs))
            alg.process_env_step(obs, rewards, dones, extras)
        alg.rollout.rewind()
        loss = Loss(alg.cfg, alg.distribution, alg.reference, alg.comparison)
        for batch in alg._mini_batches():
            loss(batch).backward()
            alg.optimizer.step(1e-3)
        loss.log.means(alg.comparison.clip)
    finally:
        torch.cuda.set_sync_debug_mode("default")
