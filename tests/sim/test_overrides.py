# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Overrides on the real configurations: presets first, then every name is looked up in what they leave."""

import pytest

from cgrpo_app import command_line
from cgrpo_app.errors import UserError
from cgrpo_app.launch import Launch, resolve


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
    ],
)
def test_what_would_change_nothing_or_break_later_is_refused(agent, override, complaint):
    with pytest.raises(UserError, match=f"{override}: .*{complaint}"):
        launch(override, agent=agent)
