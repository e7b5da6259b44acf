# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Mistakes on the command line get one line with a remedy and exit code 2."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import gymnasium as gym
import pytest
import torch

from cgrpo_app import command_line, launch, list_envs, parsers, play
from cgrpo_app.device import resolve_device
from cgrpo_app.errors import UserError, run_command
from cgrpo_app.overrides import check_override
from cgrpo_lab.algorithms import ConfigError
from cgrpo_lab.runners import CheckpointError, NonFiniteError

ROOT = Path(__file__).parents[2]


def parse(*argv):
    parser = command_line.make_parser("Test.")
    command_line.add_task_arguments(parser)
    command_line.add_checkpoint_arguments(parser)
    command_line.add_video_arguments(parser)
    parser.add_argument("--max_iterations", type=int)
    parser.add_argument("--episodes", type=int)
    return command_line.parse(parser, argv)


def test_isaac_lab_s_flags_are_accepted():
    args, overrides = parse(
        *("--task", "T", "--num_envs", "64", "--seed", "0", "--device", "cpu", "--headless", "--deterministic"),
        *("--max_iterations", "3", "--checkpoint", "latest", "--video", "--video_length", "10", "--verbose"),
        *("physics=mujoco", "env.episode_length_s=6", "agent.algorithm.clip_param=0.1", "presets=a,b"),
    )
    assert (args.task, args.num_envs, args.seed, args.device, args.headless) == ("T", 64, 0, "cpu", True)
    assert overrides == ["physics=mujoco", "env.episode_length_s=6", "agent.algorithm.clip_param=0.1", "presets=a,b"]


def test_options_of_several_values_leave_overrides_to_hydra_unless_they_are_assignments():
    parser = command_line.make_parser("Test.")
    for option in ("--agents", "--search"):
        parser.add_argument(option, nargs="+")
    argv = ["env=v5", "--search", "env.x=3,6", "agent.y=0:1", "--agents", "ppo", "agent.z=1"]
    parser.assignments = ("search",)
    args, overrides = command_line.parse(parser, argv)
    assert args.search == ["env.x=3,6", "agent.y=0:1"] and args.agents == ["ppo"]
    assert overrides == ["env=v5", "agent.z=1"]


def test_defaults():
    args, overrides = parse()
    assert (args.agent, args.log_root, args.num_envs, args.device, overrides) == ("cgrpo", "logs", None, None, [])


@pytest.mark.parametrize(
    ("argument", "hint"),
    [
        ("--num_env_s=3", "--num_envs"),
        ("--max-iterations", "--max_iterations"),
        ("--sed", "--seed"),
        ("-task", "--task"),
        ("--chekpoint=x", "--checkpoint"),
    ],
)
def test_an_unknown_option_gets_the_nearest_one(argument, hint):
    with pytest.raises(UserError, match=f"^{argument}: unknown argument; did you mean {hint}\\?$"):
        parse(argument)


@pytest.mark.parametrize(
    "argument", ["train", "num_envs=3", "environment.x=1", "env", "agent", "physics", "--zzzzzzzzzz"]
)
def test_what_is_neither_option_nor_override_is_refused(argument):
    with pytest.raises(UserError, match=f"{argument}: unknown argument"):
        parse("--task", "T", argument)


@pytest.mark.parametrize("option", ["num_envs", "max_iterations", "episodes", "video_length", "video_interval"])
@pytest.mark.parametrize("value", ["0", "-3"])
def test_counts_must_be_positive(option, value):
    with pytest.raises(UserError, match=f"--{option} {value}: must be at least 1"):
        parse(f"--{option}={value}")


@pytest.mark.parametrize(
    ("options", "override"),
    [
        (["--seed", "0"], "agent.seed=2"),
        (["--num_envs", "8"], "env.scene.num_envs=16"),
        (["--max_iterations", "5"], "agent.max_iterations=5"),
    ],
)
def test_an_option_and_an_override_that_set_the_same_are_refused(options, override):
    with pytest.raises(UserError, match=f"{override}: {options[0]} says this already; leave one of them out"):
        parse(*options, override)
    for fine in ([*options, "agent.seeds=1"], [override]):
        assert parse(*fine)[1] == fine[-1:]


def test_a_list_takes_no_overrides():
    with pytest.raises(UserError, match="env=v5: has no effect on a list"):
        list_envs.main(["env=v5"])


@pytest.mark.parametrize("value", ["-1", "abc", "1.5", "nan", ""])
@pytest.mark.parametrize("option", ["seed", "num_envs"])
def test_bad_numbers_are_named(option, value):
    with pytest.raises(UserError, match=f"--{option}"):
        parse(f"--{option}={value}")


@pytest.mark.parametrize(("text", "number"), [("1e6", 1_000_000), ("250000", 250_000), ("2.5e5", 250_000)])
def test_large_numbers_may_be_written_short(text, number):
    assert command_line.whole_number(text) == number


@pytest.mark.parametrize("text", ["1.5", "1e-3", "many", "", "nan", "inf", "1e999"])
def test_a_budget_that_is_no_whole_number_is_named(text):
    parser = command_line.make_parser("Test.")
    parser.add_argument("--steps", type=command_line.whole_number)
    with pytest.raises(UserError, match="--steps: .*is no whole number such as 1000000 or 1e6"):
        command_line.parse(parser, [f"--steps={text}"])


def test_a_missing_value_is_named():
    with pytest.raises(UserError, match="--task: expected one argument"):
        parse("--task")


def test_short_names_of_agents():
    assert command_line.agent_entry_point("cgrpo") == "rsl_rl_cfg_entry_point"
    assert command_line.agent_entry_point("ppo") == "rsl_rl_ppo_cfg_entry_point"
    assert command_line.agent_entry_point("my_entry_point") == "my_entry_point"


# -- Device ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def gpus(monkeypatch):
    def pretend(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return pretend


def test_without_a_gpu_the_cpu_is_taken_with_one_line(gpus, capsys):
    gpus(0)
    assert resolve_device(None) == "cpu"
    assert capsys.readouterr().out.splitlines() == ["No NVIDIA GPU found: using the CPU."]
    assert resolve_device("cpu") == "cpu"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:3"])
def test_a_gpu_that_is_not_there(gpus, device):
    gpus(0)
    with pytest.raises(UserError, match=f"--device {device}: there is no NVIDIA GPU.*use --device cpu"):
        resolve_device(device)


def test_gpus_by_number(gpus):
    gpus(2)
    assert resolve_device(None) == "cuda:0"
    assert resolve_device("cuda") == "cuda:0"
    assert resolve_device("cuda:1") == "cuda:1"
    with pytest.raises(UserError, match="--device cuda:2: there are 2 NVIDIA GPUs"):
        resolve_device("cuda:2")


@pytest.mark.parametrize("device", ["gpu", "", "cuda:x", "cuda:-1", "cpu:1", "CUDA", "cuda 0", "tpu:0", "cuda:²"])
def test_what_is_no_device(gpus, device):
    gpus(1)
    with pytest.raises(UserError, match="is no device; use cpu, cuda or cuda:N"):
        resolve_device(device)


# -- Task --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def tasks(monkeypatch):
    """Two of our tasks and one of somebody else, without importing a simulator."""
    names = ["Franka-Test-CGRPO", "Ant-Test-CGRPO"]
    registry = dict.fromkeys([*names, "Other-Test-v0"])
    monkeypatch.setattr(gym, "registry", registry)
    monkeypatch.setattr(launch, "registered_tasks", lambda: sorted(names))


def test_a_registered_task_with_and_without_namespace(tasks):
    assert launch.check_task("Franka-Test-CGRPO") == "Franka-Test-CGRPO"
    assert launch.check_task("cgrpo:Ant-Test-CGRPO") == "Ant-Test-CGRPO"
    assert launch.check_task("Other-Test-v0") == "Other-Test-v0"


def test_an_unknown_task_gets_the_nearest_names(tasks):
    with pytest.raises(
        UserError, match="--task Franka-Tset-CGRPO: is not registered; the nearest are Franka-Test-CGRPO"
    ):
        launch.check_task("Franka-Tset-CGRPO")


def test_a_task_of_ours_comes_before_a_nearer_one_of_others(tasks):
    gym.registry["Ant-Test-v4"] = None
    with pytest.raises(UserError, match="the nearest are Ant-Test-CGRPO"):
        launch.check_task("Ant-Test")


@pytest.mark.parametrize(
    ("task", "match"), [("zzz", "--task zzz: is not registered"), (None, "--task: is missing"), ("", "--task")]
)
def test_a_task_unlike_any_gets_all_of_ours(tasks, task, match):
    with pytest.raises(UserError, match=f"{match}.*Ant-Test-CGRPO, Franka-Test-CGRPO"):
        launch.check_task(task)


def test_an_agent_that_a_task_lacks_is_answered_with_those_it_has(monkeypatch):
    """By their short names; entry points that have none may be given as they are."""
    agents = ("rsl_rl_ppo_cfg_entry_point", "rsl_rl_cfg_entry_point", "rsl_rl_deep_cfg_entry_point")
    kwargs = {**dict.fromkeys(agents), "env_cfg_entry_point": None, "skrl_cfg_entry_point": None}
    spec = gym.envs.registration.EnvSpec("Agents-Test-v0", entry_point="cgrpo_tasks.test:Env", kwargs=kwargs)
    monkeypatch.setitem(gym.registry, "Agents-Test-v0", spec)
    for agent in ("cgrpo", "ppo", "rsl_rl_deep_cfg_entry_point"):
        launch.check_agent_name("--agent", "Agents-Test-v0", agent)
    had = "it has cgrpo, ppo, rsl_rl_deep_cfg_entry_point.$"
    with pytest.raises(UserError, match=f"^--agent sac: Agents-Test-v0 has no such agent; {had}"):
        launch.check_agent_name("--agent", "Agents-Test-v0", "sac")


# -- Overrides ---------------------------------------------------------------------------------------------------------


@dataclass
class Algorithm:
    learning_rate: float = 1e-3
    estimator_options: dict = field(default_factory=dict)


@dataclass
class Agent:
    max_iterations: int = 5
    hidden_dims: list = field(default_factory=lambda: [8, 8])
    algorithm: Algorithm = field(default_factory=Algorithm)
    parts: dict = field(default_factory=lambda: {"arm": Algorithm()})


def pulling(env, strength):
    """Reward term that is a function."""


class Pushing:
    """Reward term that is a class."""

    def __call__(self, env, strength, **more):
        pass


@dataclass
class Term:
    func: Callable
    params: dict = field(default_factory=dict)


@dataclass
class Rewards:
    reach: Algorithm = field(default_factory=Algorithm)
    pull: Term = field(default_factory=lambda: Term(pulling))
    push: Term = field(default_factory=lambda: Term(Pushing, {"strength": 1}))


@dataclass
class Env:
    sim: Rewards = field(default_factory=Rewards)
    rewards: Rewards = field(default_factory=Rewards)


CONFIGS = {"env": Env(), "agent": Agent()}


@pytest.mark.parametrize(
    "item",
    [
        *("agent.max_iterations=9", "agent.hidden_dims=[3]", "agent.algorithm.learning_rate=null"),
        *("agent.algorithm.estimator_options.new=1", "agent.algorithm.estimator_options={}", "agent.parts.leg=1"),
        *("agent.parts.arm.learning_rate=1", "env.rewards.reach=null", "env.rewards.reach=None"),
        *("env.rewards.pull.params.strength=1", "env.rewards.push.params.weakness=1"),
    ],
)
def test_an_override_sets_a_field_an_entry_of_a_dictionary_or_switches_off_a_part(item):
    check_override(item, CONFIGS)


@pytest.mark.parametrize(
    ("item", "complaint"),
    [
        ("agent.max_iteration=5", "agent has no setting 'max_iteration'; the nearest are max_iterations"),
        ("agent.algoritm.learning_rate=5", "agent has no setting 'algoritm'; the nearest are algorithm"),
        ("agent.algorithm.zzz=5", "agent.algorithm has no setting 'zzz'; there are learning_rate, estimator_options"),
        ("agent.parts.arn.learning_rate=5", "agent.parts has no setting 'arn'; the nearest are arm"),
        ("agent.max_iterations+=5", "agent has no setting 'max_iterations\\+'"),
        ("agent.hidden_dims.0=5", "agent.hidden_dims holds one value, no settings; give it as a whole"),
        ("agent.algorithm=3", "is a section of settings; set one of them, agent.algorithm.NAME, of learning_rate"),
        ("agent.parts.arm=3", "is a section of settings"),
        ("agent.algorithm=null", "is a section of settings"),
        ("env.sim=None", "is a section of settings"),
        ("env.sim.reach=null", "is a section of settings"),
        ("env.rewards.reach=3", "is a section of settings"),
        ("env=v5", "names no variant of this task"),
        ("env.rewards.pull.params.strenght=1", "pulling has no parameter 'strenght'; it has strength"),
    ],
)
def test_an_override_that_isaac_lab_would_take_for_a_new_field_is_refused(item, complaint):
    name = item.replace("+", "\\+")
    with pytest.raises(UserError, match=f"^{name}: {complaint}"):
        check_override(item, CONFIGS)


# -- Errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        ("none", "--viz none: there are newton_gl, rerun"),
        ("newton_gl,opengl", "there are"),
        ("kit", "needs the package"),
    ],
)
def test_a_visualizer_that_cannot_be_had_is_named(names, complaint, monkeypatch):
    monkeypatch.setattr(play, "find_spec", lambda name: None if name == "isaacsim" else name)
    with pytest.raises(UserError, match=complaint):
        play.main(["--viz", names])


def fail_with(error):
    def main(argv):
        raise error

    return main


@pytest.mark.parametrize(
    "error",
    [kind("what: why; remedy.") for kind in (UserError, ConfigError, CheckpointError, NonFiniteError)],
    ids=lambda error: type(error).__name__,
)
def test_a_mistake_of_the_user_is_one_line_and_exit_code_2(capsys, error):
    with pytest.raises(SystemExit) as exit_:
        run_command(fail_with(error), [])
    assert exit_.value.code == 2 and exit_.value.__suppress_context__  # no traceback of the cause
    assert capsys.readouterr() == ("", "error: what: why; remedy.\n")


def test_ctrl_c_before_training_is_one_word_and_the_shell_s_exit_code(capsys):
    with pytest.raises(SystemExit) as exit_:
        run_command(fail_with(KeyboardInterrupt()), [])
    assert exit_.value.code == 130 and capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize("error", [ValueError("defect"), KeyError("defect"), PermissionError("defect")])
def test_a_defect_keeps_its_traceback(error):
    with pytest.raises(type(error)):
        run_command(fail_with(error), [])


def test_arguments_are_handed_on():
    seen = []
    run_command(seen.append, ["--task", "T"])
    assert seen == [["--task", "T"]]


WITHOUT_TORCH = """
import runpy, sys
script, *sys.argv[1:] = sys.argv[1:]
try:
    runpy.run_path(script, run_name="__main__")
finally:
    print({"torch", "isaaclab"} & sys.modules.keys() or "light")
"""


def run_light(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, whose last line says which of the heavy packages it has imported."""
    command = [sys.executable, "-c", WITHOUT_TORCH, str(ROOT / "scripts" / f"{script}.py"), *arguments]
    path = os.pathsep.join([str(ROOT / "source"), str(ROOT / "tasks")])
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(
    "script", ["train", "evaluate", "export", "play", "list_envs", "compare", "sweep", "benchmark", "sim2sim"]
)
def test_help_and_mistyped_options_do_not_wait_for_torch(script):
    helped = run_light(script, "--help")
    assert helped.returncode == 0 and "usage: " in helped.stdout and helped.stdout.splitlines()[-1] == "light"
    wrong = run_light(script, "--hepl")
    assert wrong.returncode == 2 and "error: " in wrong.stderr and "Traceback" not in wrong.stderr
    assert wrong.stdout.splitlines()[-1] == "light"


def test_tasks_are_listed_without_torch():
    listed = run_light("list_envs")
    *tasks, packages = listed.stdout.splitlines()
    assert packages == "light" and [line.split()[0] for line in tasks] == launch.registered_tasks()


def test_only_one_of_several_processes_answers(monkeypatch, capsys):
    """Which of them it is, torch's launcher knows; none of them answers before it is asked."""
    monkeypatch.setattr(sys, "argv", ["train.py", "--hepl"])
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    command_line.answer(parsers.train())
    assert capsys.readouterr() == ("", "")
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE")
    with pytest.raises(SystemExit):
        command_line.answer(parsers.train())
    assert "--hepl: unknown argument" in capsys.readouterr().err
