# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Every agent on the command line: the same files, and a checkpoint and an ONNX file that can be used."""

import csv
import json
import sys
from importlib.util import find_spec

import gymnasium as gym
import pytest

from cgrpo_app import command_line, evaluate, sim2sim, train
from cgrpo_app.command_line import AGENTS
from cgrpo_app.errors import UserError, expected_errors
from cgrpo_app.launch import check_trainings, registered_tasks, resolve
from cgrpo_lab.export import read_metadata

TASK = "HalfCheetah-CGRPO"
QUICK = {
    "gpg": (),
    "grpo": ("agent.num_steps_per_env=20", "env.episode_length_s=1", "agent.algorithm.num_mini_batches=8"),
    "sac": ("agent.algorithm.gradient_steps=4", "agent.algorithm.random_steps=64"),
    "td3": ("agent.algorithm.gradient_steps=4", "agent.algorithm.random_steps=64"),
    "trpo": (),
}
"""Overrides that make two iterations short."""

needs_skrl = pytest.mark.skipif(find_spec("skrl") is None, reason="skrl is not installed (./isaaclab.sh -i baselines)")


@pytest.mark.parametrize("task", registered_tasks())
@pytest.mark.parametrize("agent", AGENTS)
def test_every_task_registers_every_agent(task, agent):
    assert AGENTS[agent] in gym.spec(task).kwargs


@needs_skrl
@pytest.mark.parametrize("task", registered_tasks())
@pytest.mark.parametrize("agent", AGENTS)
def test_every_task_has_every_agent_with_settings_that_fit(task, agent):
    check_trainings(task, [agent], "cpu", 64, [])


@pytest.mark.parametrize(("agent", "more", "num_envs"), [("grpo", (), 16), ("gpg", (), 64), ("grpo", ("8",), 8)])
def test_agents_have_their_number_of_envs(agent, more, num_envs):
    parser = command_line.make_parser("Test.")
    command_line.add_task_arguments(parser)
    options = [option for value in more for option in ("--num_envs", value)]
    args, _ = command_line.parse(parser, ["--task", TASK, "--agent", agent, "--device", "cpu", *options])
    assert resolve(args, []).env_cfg.scene.num_envs == num_envs


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@needs_skrl
@pytest.mark.parametrize("agent", QUICK)
def test_an_agent_leaves_the_files_of_all_agents(agent, folder):
    options = ["--task", TASK, "--agent", agent, "--device", "cpu"]
    train.main([*options, "--num_envs", "16", "--steps", "600", "--seed", "3", *QUICK[agent]])
    (run,) = folder.glob("logs/rsl_rl/*/*")
    report = json.loads((run / "report.json").read_text())
    last = report["iterations"]
    for name in (f"model_{last}.pt", "curves.png", "run.json", "launch.json", "exported/policy.pt"):
        assert (run / name).stat().st_size > 0, name
    assert (run / f"replay_{last}.pt").is_file() == (agent in ("sac", "td3"))
    assert json.loads((run / "run.json").read_text())["metadata"]["agent"] == AGENTS[agent]
    rows = list(csv.DictReader((run / "progress.csv").open()))
    assert [int(row["iteration"]) for row in rows] == list(range(1, last + 1))
    assert 600 <= int(rows[-1]["env_steps"]) == report["env_steps"] < 600 + int(rows[0]["env_steps"])
    assert report["onnx_max_abs_difference"] < 1e-5
    about = read_metadata(run / "exported/policy.onnx")
    assert about["agent"] == AGENTS[agent] and len(about["actions"][0]["joint_names"]) == 6
    if agent == "grpo":  # in fewer environments than a start group has
        evaluate.main([*options, "--episodes", "4"])
    if agent == "td3":
        check_use(run, options, folder)


def check_use(run, options, folder):
    """Evaluate and resume a run, and judge its ONNX file without Isaac Lab."""
    evaluate.main([*options, "--episodes", "4", "--json", str(folder / "result.json")])
    assert json.loads((folder / "result.json").read_text())["episodes"] == 4
    train.main([*options, "--resume", "--steps", "800"])
    assert [path.name for path in run.glob("replay_*.pt")] == ["replay_7.pt"]
    sim2sim.main(["--policy", str(run / "exported/policy.onnx"), "--env", "HalfCheetah-v4", "--episodes", "1"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--agent", "sac", "agent.algorithm.gradient_steps=0"), "agent.algorithm.gradient_steps = 0"),
        (
            ("--agent", "sac", "--steps", "9000"),
            "random_steps=10000: all 9.* env steps of this training would be random",
        ),
        (("--agent", "grpo", "agent.init_at_random_ep_len=true"), "compares episodes that begin together"),
        (("--agent", "grpo", "agent.algorithm.num_policies=4"), "group_size = 8 does not divide the 4 environments"),
        (("--agent", "ppo", "agent.algorithm.num_mini_batches=99999"), "num_mini_batches = 99999 .* <= "),
        (("--agent", "ppo", "agent.algorithm.entropy_coef=-1"), "agent.algorithm.entropy_coef = -1"),
        (("--agent", "ppo", "agent.actor.activation=silu"), "agent.actor.activation=silu: rsl_rl has no such"),
        (("--agent", "ppo", "agent.critic.hidden_dims=[]"), "agent.critic.hidden_dims = .*at least one size"),
        (('agent.obs_groups.states=["policy"]',), "agent.obs_groups.states: this agent does not read it"),
        (("--agent", "trpo", 'agent.obs_groups.state=["policy"]'), "agent.obs_groups.state: this agent does not"),
        (("--seed", "5000000000"), "agent.seed = 5000000000"),
        (("agent.logger=wandbb",), "agent.logger=wandbb: must be one of tensorboard"),
        (("--logger", "neptune"), "--logger neptune: not installed"),
        (("--steps", "1e5", "--max_iterations", "3"), "--max_iterations says the same in another unit"),
    ],
)
@needs_skrl
def test_a_mistake_leaves_nothing_behind(arguments, message, folder):
    with pytest.raises(expected_errors(), match=message):
        train.main(["--task", TASK, "--device", "cpu", *arguments])
    assert not (folder / "logs").exists()


def test_a_result_that_cannot_be_written_is_told_before_the_episodes(folder):
    with pytest.raises(UserError, match="cannot be written .it is a folder.; choose another place"):
        evaluate.main(["--task", TASK, "--device", "cpu", "--random_actions", "--json", str(folder)])


@needs_skrl
def test_agents_of_skrl_are_refused_in_several_processes(folder, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="--agent td3: learns in one process"):
        train.main(["--task", TASK, "--device", "cpu", "--agent", "td3"])


@pytest.mark.parametrize("script", [train, evaluate])
def test_a_missing_skrl_is_named_with_the_command_that_installs_it(script, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "skrl", None)  # as if it were not installed
    with pytest.raises(UserError, match="--agent sac: needs the package skrl.*'./isaaclab.sh -i baselines'"):
        script.main(["--task", TASK, "--device", "cpu", "--agent", "sac"])
