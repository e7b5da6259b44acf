# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The stacked policies against separate networks, torch's distributions and rsl_rl's model."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rsl_rl.models import MLPModel
from tensordict import TensorDict
from torch import nn

from cgrpo_lab.policies import DeployedPolicy, GroupPolicy, HiddenLayers, SquashedGaussianDistribution, gaussian

N, B, D, A = 3, 7, 5, 2


def make(seed=0, **changes):
    options = {"num_policies": N, "obs_dim": D, "action_dim": A, "hidden_dims": (8, 6), "activation": "elu", **changes}
    policy = GroupPolicy(**options, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        # The last layer starts near zero; larger weights make a mistake in it visible. Biases start at zero.
        policy.weights[-1].mul_(100.0)
        for bias in policy.biases:
            bias.copy_(random(seed + 1, *bias.shape))
        policy.log_std.copy_(random(seed + 2, N, A).clamp(-1.0, 1.0))
    return policy


def random(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def separate(policy, n, activation):
    """Policy n as an ordinary network."""
    layers = []
    for weight, bias in zip(policy.weights, policy.biases, strict=True):
        linear = nn.Linear(weight.shape[1], weight.shape[2])
        linear.weight = nn.Parameter(weight[n].detach().T.clone())
        linear.bias = nn.Parameter(bias[n, 0].detach().clone())
        layers += [linear, activation()]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize(("name", "activation"), [("elu", nn.ELU), ("tanh", nn.Tanh), ("relu", nn.ReLU)])
def test_stack_equals_separate_networks_in_values_and_gradients(name, activation):
    policy = make(activation=name, obs_normalization=False)
    obs, weight = random(1, N, B, D), random(2, N, B, A)
    (policy(obs) * weight).sum().backward()
    *gradients, _ = policy.split(policy.vectors.grad)
    for n in range(N):
        network = separate(policy, n, activation)
        output = network(obs[n])
        (output * weight[n]).sum().backward()
        torch.testing.assert_close(policy(obs)[n], output, rtol=1e-5, atol=1e-5)
        linears = [layer for layer in network if isinstance(layer, nn.Linear)]
        for i, linear in enumerate(linears):
            torch.testing.assert_close(gradients[2 * i][n].T, linear.weight.grad, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(gradients[2 * i + 1][n, 0], linear.bias.grad, rtol=1e-4, atol=1e-5)


def test_hidden_layers_are_those_of_one_policy_behind_the_normaliser():
    policy = make()
    policy.update_normalization(3.0 * random(3, 50, D) + 2.0)
    obs = random(1, B, D)
    hidden = separate(policy, 1, nn.ELU)[:-1]
    expected = hidden(policy.obs_normalizer(obs))
    assert not torch.allclose(expected, hidden(obs), atol=0.1)
    torch.testing.assert_close(HiddenLayers(policy, 1)(obs), expected, rtol=1e-5, atol=1e-5)


def test_policies_are_independent():
    policy = make()
    obs = random(1, N, B, D)
    mean = policy(obs)
    policy.log_prob(random(2, N, B, A), mean)[1].sum().backward()
    for parameter in policy.parameters():
        assert parameter.grad[1].abs().sum() > 0.0
        assert parameter.grad[0].abs().sum() == 0.0 and parameter.grad[2].abs().sum() == 0.0


def test_same_generator_same_weights_and_every_policy_its_own():
    first, second, other = make(0), make(0), make(1)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first.weights[0], other.weights[0])
    assert not torch.equal(first.weights[0][0], first.weights[0][1])


def test_weights_do_not_come_from_the_global_generator():
    state = torch.get_rng_state()
    make()
    assert torch.equal(state, torch.get_rng_state())


def test_initial_actions_are_near_the_middle():
    policy = GroupPolicy(num_policies=N, obs_dim=D, action_dim=A, generator=torch.Generator().manual_seed(0))
    assert policy(random(1, N, 50, D)).abs().max() < 0.1


def test_density_and_entropy_equal_torch_distributions():
    policy = make()
    mean, samples = random(1, N, B, A), random(2, N, B, A)
    normal = torch.distributions.Normal(mean.double(), policy.log_std.double().exp().unsqueeze(1))
    expected = normal.log_prob(samples.double()).sum(-1)
    torch.testing.assert_close(policy.log_prob(samples, mean).double(), expected, rtol=1e-5, atol=1e-5)
    entropy = normal.entropy().sum(-1)[:, 0]
    torch.testing.assert_close(policy.entropy().double(), entropy, rtol=1e-5, atol=1e-5)


@given(seed=st.integers(0, 10_000))
def test_kl_divergence_equals_torch_distributions(seed):
    mean_p, log_std_p, mean_q, log_std_q = (random(seed + i, 4, A) for i in range(4))
    p = torch.distributions.Normal(mean_p.double(), log_std_p.double().exp())
    q = torch.distributions.Normal(mean_q.double(), log_std_q.double().exp())
    expected = torch.distributions.kl_divergence(p, q).sum(-1)
    result = gaussian.kl_divergence(mean_p, log_std_p, mean_q, log_std_q)
    torch.testing.assert_close(result.double(), expected, rtol=1e-3, atol=1e-4)


def test_samples_have_the_policy_s_mean_and_deviation():
    policy = make()
    mean = random(1, N, 1, A).expand(N, 20_000, A)
    samples = policy.sample(mean, torch.Generator().manual_seed(0))
    torch.testing.assert_close(samples.mean(1), mean[:, 0], rtol=0.0, atol=0.06)
    torch.testing.assert_close(samples.std(1), policy.log_std.exp(), rtol=0.03, atol=0.0)


def test_log_std_is_kept_in_its_range():
    policy = make(log_std_range=(-1.0, 0.5))
    with torch.no_grad():
        policy.log_std[0] = 9.0
        policy.log_std[1] = -9.0
    before = policy.vectors.detach().clone()
    policy.limit_noise()
    assert torch.equal(policy.vectors[:, :-A], before[:, :-A])
    assert policy.log_std[0].tolist() == [0.5] * A and policy.log_std[1].tolist() == [-1.0] * A


def test_squash():
    u = torch.tensor([-100.0, 0.0, 0.5])
    torch.testing.assert_close(make().to_action(u), torch.tensor([-1.0, 0.0, 0.46211716]))
    assert torch.equal(make(squash=False).to_action(u), u)


def test_one_normaliser_is_shared_by_all():
    # 0 and 4 in every entry: mean 2, population deviation 2; observation 4 becomes (4 - 2) / (2 + 0.01).
    policy = make(activation="identity", hidden_dims=())
    policy.update_normalization(torch.tensor([[0.0] * D, [4.0] * D]))
    obs = torch.full((N, 1, D), 4.0)
    expected = torch.baddbmm(policy.biases[0], torch.full((N, 1, D), 2.0 / 2.01), policy.weights[0])
    torch.testing.assert_close(policy(obs), expected)


@pytest.mark.parametrize("normalization", [True, False])
@pytest.mark.parametrize("squash", [True, False])
def test_deployed_and_exported_policy_equal_the_group(normalization, squash):
    policy = make(obs_normalization=normalization, squash=squash)
    policy.update_normalization(3.0 * random(5, 40, D) + 2.0)
    obs = random(6, B, D)
    for n in range(N):
        action = policy.to_action(policy(obs.expand(N, B, D)))[n]
        torch.testing.assert_close(DeployedPolicy(policy, n, ["policy"]).as_jit()(obs), action, rtol=1e-5, atol=1e-6)
        deployed = DeployedPolicy(policy, n, ["a", "b"])
        torch.testing.assert_close(deployed(TensorDict({"b": obs[:, 2:], "a": obs[:, :2]}, [B])), action)
        torch.testing.assert_close(deployed.output_std, policy.log_std[n].exp())


def test_exported_policy_is_a_copy():
    policy = make()
    exported = DeployedPolicy(policy, 0, ["policy"]).as_jit()
    before = exported(torch.ones(1, D))
    with torch.no_grad():
        policy.weights[0].add_(1.0)
        policy.update_normalization(random(0, 9, D))
    assert torch.equal(exported(torch.ones(1, D)), before)


# -- The same distribution for rsl_rl's models -------------------------------------------------------------------------


@pytest.fixture
def model():
    obs = TensorDict({"policy": random(1, B, D)}, [B])
    distribution = {
        "class_name": "cgrpo_lab.policies.squashed_gaussian:SquashedGaussianDistribution",
        "init_std": 0.6,
        "std_type": "log",
    }
    torch.manual_seed(0)
    return MLPModel(obs, {"actor": ["policy"]}, "actor", A, [8], "elu", False, distribution), obs


def test_squashed_distribution_s_ratio_is_that_of_the_sample_before_the_squash(model):
    actor, obs = model
    actions = actor(obs, stochastic_output=True).detach()
    old = actor.get_output_log_prob(actions).detach()
    before = torch.distributions.Normal(actor.mlp(obs["policy"]).detach(), 0.6)
    assert actions.abs().max() < 1.0
    with torch.no_grad():
        actor.distribution.log_std_param.add_(0.3)
        actor.mlp[0].weight.add_(0.1)
    actor(obs, stochastic_output=True)
    ratio = actor.get_output_log_prob(actions) - old
    u = torch.atanh(actions)
    after = torch.distributions.Normal(actor.mlp(obs["policy"]), actor.distribution.log_std_param.exp())
    expected = (after.log_prob(u) - before.log_prob(u)).sum(-1)
    torch.testing.assert_close(ratio, expected, rtol=1e-4, atol=1e-4)


def test_squashed_distribution_is_finite_at_saturated_actions(model):
    actor, obs = model
    actor(obs, stochastic_output=True)
    log_probs = actor.get_output_log_prob(torch.tensor([[1.0, -1.0]]).expand(B, A))
    log_probs.sum().backward()
    assert log_probs.isfinite().all()
    assert all(p.grad.isfinite().all() for p in actor.parameters() if p.grad is not None)


def test_squashed_distribution_s_deterministic_output(model):
    actor, obs = model
    expected = torch.tanh(actor.mlp(obs["policy"]))
    assert torch.equal(actor(obs), expected)
    assert torch.equal(actor.as_jit()(obs["policy"]), expected)
    distribution = SquashedGaussianDistribution(A)
    assert torch.equal(distribution.as_deterministic_output_module()(expected), torch.tanh(expected))
