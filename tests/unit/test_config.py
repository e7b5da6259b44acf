# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Settings that cannot be used are named with their value and a remedy before anything is trained."""

import inspect
import math
from dataclasses import fields

import pytest
from dummy_env import DummyEnv, runner_cfg

from cgrpo_lab.algorithms import CGRPO, CGRPOCfg, ConfigError, GroupPolicyCfg, config
from cgrpo_lab.algorithms.config import ACTIVATIONS
from cgrpo_lab.policies import GroupPolicy

BAD_ALGORITHM = [
    *[(name, value) for name in ("num_policies", "num_groups", "num_learning_epochs", "num_mini_batches")
      for value in (0, -1, 1.5, "2", None, True)],
    *[(name, value) for name in ("clip_param", "learning_rate", "desired_kl", "max_grad_norm")
      for value in (0.0, -0.1, math.nan, math.inf, "0.1", None)],
    *[(name, value) for name in ("smoothness_coef", "diversity_coef", "entropy_coef", "follower_entropy_coef",
                                 "replace_noise") for value in (-0.1, math.nan, math.inf, "0.1", None)],
    *[("gamma", value) for value in (-0.1, 1.0, 1.1, math.nan, "0.9")],
    *[("max_clip_factor", value) for value in (0.9, math.nan, math.inf)],
    *[("diversity_threshold", value) for value in (-1.1, 1.1, math.nan)],
    *[("reference_size", value) for value in (-1, 2, 0.5, True)],
    ("num_groups", 2),  # more than policies
    ("diversity_coef", 0.1),  # with one group
    *[("sharing", value) for value in ("everybody", None, True)],
    ("sharing", "all"),  # with one policy
    ("follower_entropy_coef", 0.1),  # without a leader
    *[("replace_interval", value) for value in (-1, 0.5, True, None)],
    ("replace_interval", 5),  # with one policy
    *[("schedule", value) for value in ("constant", "", None)],
    *[("on_nonfinite", value) for value in ("ignore", None)],
    *[("estimator", value) for value in ("critic", "", None)],
    *[("estimator_options", value) for value in (None, "lam=0.9", {"gamma": 0.9})],
    *[(name, value) for name in ("adaptive_clip", "compile") for value in ("yes", 1, None)],
]  # fmt: skip

BAD_POLICY = [
    *[("hidden_dims", value) for value in (64, [0], [64, -1], [1.5], None)],
    *[("activation", value) for value in ("sin", None, 3)],
    *[("init_log_std", value) for value in (math.nan, math.inf, 1.5, -6.0, "0")],
    *[("log_std_range", value) for value in ((1.0, -1.0), (0.0,), None, (math.nan, 1.0))],
    *[(name, value) for name in ("squash", "obs_normalization") for value in ("no", 1, None)],
]


def construct(cfg, num_envs=8, **changes):
    env = DummyEnv(num_envs)
    return CGRPO.construct_algorithm(env.get_observations(), env, {**cfg, "multi_gpu": None, **changes}, "cpu")


def test_compiling_without_a_compiler_is_an_error(monkeypatch):
    monkeypatch.setattr(config.shutil, "which", lambda name: None)
    with pytest.raises(ConfigError, match=r"^compile ?= ?True.*install g\+\+"):
        construct(runner_cfg(compile=True))


@pytest.mark.parametrize(("name", "value"), BAD_ALGORITHM)
def test_a_bad_setting_of_the_algorithm_is_named_with_its_value(name, value):
    with pytest.raises(ConfigError, match=f"^{name} ?= ?") as error:
        construct(runner_cfg(**{name: value}))
    assert repr(value) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "value"), BAD_POLICY)
def test_a_bad_setting_of_the_policies_is_named_with_its_value(name, value):
    with pytest.raises(ConfigError, match=f"^{name}=") as error:
        construct(runner_cfg(policy={name: value}))
    assert repr(value) in str(error.value)


@pytest.mark.parametrize(
    "options", [{"lam": 1.5}, {"lam": math.nan}, {"ridge": -1.0}, {"num_cosines": -1}, {"lam_": 1}]
)
def test_a_bad_option_of_the_estimator_is_a_config_error(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        construct(runner_cfg(estimator_options=options))


def test_whole_episodes_need_no_discount():
    CGRPOCfg.from_dict({"estimator": "episode", "gamma": 1.0})
    with pytest.raises(ConfigError, match="gamma=1.0"):
        CGRPOCfg.from_dict({"estimator": "least_squares", "gamma": 1.0})


def test_a_remedy_is_given():
    for cfg, remedy in (
        (runner_cfg(num_policies=2, num_groups=3), "lower num_groups or raise num_policies"),
        (runner_cfg(num_policies=2, diversity_coef=0.1), "set num_groups to 2 or more, or diversity_coef to 0"),
        (runner_cfg(schedule="cosine"), "fixed, linear, adaptive"),
        (runner_cfg(estimator="critic"), "'state_cluster', 'least_squares'"),
        (runner_cfg(estimator="state_cluster", estimator_options={"decay": 0.8}), "; estimator_options={} drops"),
        (runner_cfg(policy={"activation": "sin"}), "tanh"),
    ):
        with pytest.raises(ConfigError, match=remedy):
            construct(cfg)


@pytest.mark.parametrize(("num_envs", "num_policies", "fitting"), [(8, 3, 6), (7, 4, 4), (2, 3, 3)])
def test_environments_that_cannot_be_divided(num_envs, num_policies, fitting):
    with pytest.raises(ConfigError, match=f"num_envs={num_envs}.*num_policies={num_policies}.*--num_envs {fitting}"):
        construct(runner_cfg(num_policies=num_policies), num_envs)


def test_start_groups_that_do_not_fit_into_a_policy():
    """Half of 24 environments hold no start groups of 8: said before the first rollout, but they can be played."""
    cfg = runner_cfg(num_policies=2, estimator="episode", estimator_options={})
    algorithm = construct(cfg, 24)
    algorithm.eval_mode()
    with pytest.raises(ConfigError, match="group_size = 8 does not divide the 12 environments of a policy"):
        algorithm.train_mode()
    construct(cfg, 32).train_mode()


def test_more_minibatches_than_samples():
    with pytest.raises(ConfigError, match="num_mini_batches=9.*only 8 samples"):
        construct(runner_cfg(num_steps=2, num_policies=2, num_mini_batches=9), 8)
    construct(runner_cfg(num_steps=2, num_policies=2, num_mini_batches=8), 8)


@pytest.mark.parametrize(("name", "groups"), [("actor", ["vision"]), ("state", ["policy", "vision"]), ("actor", [])])
def test_observation_groups_that_the_environment_does_not_have(name, groups):
    with pytest.raises(ConfigError, match=rf"obs_groups.{name}=.*\['policy'\]"):
        construct(runner_cfg(), obs_groups={"actor": ["policy"], name: groups})


@pytest.mark.parametrize("groups", ["[policy]", {"actor": "[policy]"}, {"actor": ["policy"], "state": "[policy]"}])
def test_observation_groups_that_are_not_lists(groups):
    with pytest.raises(ConfigError, match=r"obs_groups.*\[policy\].*: must .*'agent.obs_groups.state=\[\"policy\"\]'"):
        construct(runner_cfg(), obs_groups=groups)


@pytest.mark.parametrize("make", [lambda **x: runner_cfg(**x), lambda **x: runner_cfg(policy=x)])
def test_unknown_settings_are_named_with_those_there_are(make):
    with pytest.raises(ConfigError, match="(?s)clip=0.1: is no such setting; there are .*(clip_param|squash)"):
        construct(make(clip=0.1))


def test_defaults_are_valid_and_every_setting_is_checked():
    CGRPOCfg().validate()
    GroupPolicyCfg().validate()
    assert {f.name for f in fields(CGRPOCfg)} - {"class_name"} == {name for name, _ in BAD_ALGORITHM}
    assert {f.name for f in fields(GroupPolicyCfg)} == {name for name, _ in BAD_POLICY}


def test_settings_and_constructor_of_the_policies_agree():
    parameters = inspect.signature(GroupPolicy).parameters
    for f in fields(GroupPolicyCfg):
        assert f.name in parameters


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_exists(activation):
    construct(runner_cfg(policy={"activation": activation}))


def test_estimators_that_compare_trajectories_need_two_of_them():
    """One environment has nothing to be compared with; the least-squares value needs no other."""
    with pytest.raises(ConfigError, match="num_envs=1: estimator='state_cluster' compares trajectories"):
        CGRPOCfg(estimator="state_cluster", num_mini_batches=1).check_sizes(num_envs=1, num_steps=8)
    CGRPOCfg(estimator="least_squares", num_mini_batches=1).check_sizes(num_envs=1, num_steps=8)
