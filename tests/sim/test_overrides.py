# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Overrides on the real configurations: presets first, then every name is looked up in what they leave."""

import pytest

from cgrpo_app import command_line
from cgrpo_app.errors import UserError
from cgrpo_app.launch import Launch, resolve
from cgrpo_lab.validation import ConfigError


def launch(*overrides: str, agent: str = "cgrpo", task: str = "Franka-Reach-CGRPO") -> Launch:
    """What a command on the CPU resolves."""
    parser = command_line.make_parser("Test.")
    command_line.add_task_arguments(parser)
    args, items = command_line.parse(parser, ["--task", task, "--agent", agent, "--device", "cpu", *overrides])
    return resolve(args, items)


def test_a_field_of_the_chosen_engine():
    for choice in ("physics=newton_mjwarp", "env.sim.physics=newton_mjwarp"):
        launched = launch(choice, "env.sim.physics.solver_cfg.iterations=7")
        assert launched.physics == "GraphReplay" and launched.env_cfg.sim.physics.solver_cfg.iterations == 7


def test_a_variant_of_the_task_and_a_field_of_it():
    launched = launch("env=v5", "env.scene.num_envs=4", task="HalfCheetah-CGRPO")
    assert type(launched.env_cfg).__name__ == "HalfCheetahV5EnvCfg" and launched.env_cfg.scene.num_envs == 4


def test_dictionaries_take_new_keys_and_terms_can_be_switched_off():
    launched = launch("agent.algorithm.estimator_options.lam=0.5", "env.rewards.action_rate=null")
    assert launched.agent_cfg.algorithm.estimator_options["lam"] == 0.5
    assert launched.env_cfg.rewards.action_rate is None


def test_values_of_the_kind_that_is_there():
    """Whole numbers for others, a dictionary by joint, nothing, a quoted number as a name, a list without brackets."""
    launched = launch(
        *("env.episode_length_s=6", "env.actions.arm_action.scale={'panda_joint.*': 0.4}", "agent.clip_actions=null"),
        *("agent.run_name='3'", "agent.group_policy.hidden_dims=32,16", 'agent.obs_groups.state=["policy"]'),
    )
    assert launched.env_cfg.episode_length_s == 6 and launched.env_cfg.actions.arm_action.scale["panda_joint.*"] == 0.4
    assert launched.agent_cfg.run_name == "3" and tuple(launched.agent_cfg.group_policy.hidden_dims) == (32, 16)


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("env.decimation=0", "env.decimation = 0"),
        ("env.episode_length_s=0", "env.episode_length_s = 0"),
        ("env.sim.dt=0.0", "env.sim.dt = 0.0"),
        ("env.scene.num_envs=0", "num_envs = 0"),
        ("env.terminations.time_out=null", "env.terminations: all terms are switched off"),
    ],
)
def test_an_environment_that_could_not_run_is_refused(override, complaint):
    with pytest.raises(ConfigError, match=complaint):
        launch(override)


@pytest.mark.parametrize(
    ("agent", "override", "complaint"),
    [
        ("cgrpo", "agent.max_iteration=5", "the nearest are max_iterations"),
        ("cgrpo", "env.episode_length=3", "the nearest are episode_length_s"),
        ("ppo", "agent.algorithm.learning_rat=0.1", "the nearest are learning_rate"),
        ("cgrpo", "env.scene=null", "is a section of settings"),
        ("cgrpo", "env.sim.physics=null", "is a section of settings"),
        ("cgrpo", "agent.group_policy=None", "is a section of settings"),
        ("cgrpo", "env=v5", "names no variant of this task"),
        ("cgrpo", "env.episode_length_s=6s", "must be a number"),
        ("cgrpo", "env.rewards.action_rate.weight=True", "must be a number"),
        ("cgrpo", "agent.init_at_random_ep_len=off", "must be true or false"),
        ("ppo", "agent.algorithm.reward_normalization=1", "must be true or false"),
        ("cgrpo", "agent.run_name=3", "must be text; in quotes, 'agent.run_name=\"3\"', it is"),
        ("cgrpo", "agent.group_policy.hidden_dims=64", "must be a list such as"),
        ("cgrpo", "env.rewards.action_rate.params.sdt=1", "action_rate_l2 has no parameter 'sdt'; it has none"),
        ("cgrpo", "env.seed=3", "has no effect; use --seed"),
        ("ppo", "agent.resume=true", "has no effect; use --resume"),
    ],
)
def test_what_would_change_nothing_or_break_later_is_refused(agent, override, complaint):
    with pytest.raises(UserError, match=f"{override}: .*{complaint}"):
        launch(override, agent=agent)
