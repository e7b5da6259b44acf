# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The training command without a simulator: what a resumed run keeps, when it is done, and what to type next."""

import json
import shlex
from types import SimpleNamespace

import pytest

from cgrpo_app import run_folder, train
from cgrpo_app.errors import UserError
from cgrpo_app.launch import Launch

TASK, AGENT = "Some-Task", "rsl_rl_cfg_entry_point"
LAUNCHED = {"device": "cpu", "num_envs": 16, "seed": 3, "max_iterations": 600, "overrides": ["agent.x=1"]}


def some_launch(**agent) -> Launch:
    """Configurations of a task without a simulator."""
    agent_cfg = SimpleNamespace(**{"experiment_name": "experiment", "max_iterations": 600, **agent})
    return Launch(TASK, AGENT, SimpleNamespace(), agent_cfg, "cpu", "none")


@pytest.fixture
def log_root(tmp_path, monkeypatch):
    """A folder of runs; the task's configurations are those above."""
    monkeypatch.setattr(train, "resolve", lambda args, overrides: some_launch())
    return tmp_path


def run(root, *models, experiment="experiment", name="2026-01-01_00-00-00"):
    """A run folder with checkpoints and its ``launch.json``."""
    folder = root / "rsl_rl" / experiment / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"task": TASK, "metadata": {"agent": AGENT}}))
    run_folder.write_json(folder / run_folder.LAUNCH_FILE, LAUNCHED)
    for model in models:
        (folder / f"{model}.pt").write_text("")
    return folder


def resume(root, *argv):
    """Arguments, overrides and checkpoint that ``--resume`` comes to."""
    args, overrides = train._parse(["--task", TASK, "--resume", "--log_root", str(root), *argv])
    checkpoint = train._resume(args, overrides)
    return args, overrides, checkpoint


# -- What a resumed run keeps ------------------------------------------------------------------------------------------


def test_what_the_command_line_leaves_open_is_the_run_s(log_root):
    folder = run(log_root, "model_3")
    args, overrides, checkpoint = resume(log_root)
    assert (args.device, args.num_envs, args.seed, args.max_iterations) == ("cpu", 16, 3, 600)
    assert overrides == ["agent.x=1"] and checkpoint == folder / "model_3.pt"


@pytest.mark.parametrize(
    ("name", "override"),
    [("num_envs", "env.scene.num_envs=8"), ("seed", "agent.seed=8"), ("max_iterations", "agent.max_iterations=800")],
)
def test_an_override_goes_before_the_run_s_option(log_root, name, override):
    run(log_root, "model_3")
    args, overrides, _ = resume(log_root, override)
    assert vars(args)[name] is None and overrides == ["agent.x=1", override]
    others = {"num_envs", "seed", "max_iterations"} - {name}
    assert all(vars(args)[other] == LAUNCHED[other] for other in others)


def test_an_option_goes_before_the_run_s(log_root):
    run(log_root, "model_3")
    args, _, _ = resume(log_root, "--max_iterations", "900", "--seed", "5")
    assert (args.max_iterations, args.seed, args.num_envs) == (900, 5, 16)


def test_the_run_is_looked_for_in_the_experiment_of_the_command_line(log_root):
    run(log_root, "model_3")
    other = run(log_root, "model_7", experiment="other")
    assert resume(log_root, "--experiment_name", "other")[2] == other / "model_7.pt"
    assert resume(log_root, "--experiment_name", "other", "--load_run", other.name)[2] == other / "model_7.pt"


@pytest.mark.parametrize("name", ["model_3", "model_best", "good"])
def test_only_the_latest_checkpoint_can_be_gone_on_from(log_root, name):
    folder = run(log_root, "model_3", "model_12", "model_best", "good")
    file = folder / f"{name}.pt"
    with pytest.raises(UserError, match=f"--checkpoint {file}: .*latest.*model_12.pt.*leave --resume out"):
        resume(log_root, "--checkpoint", str(file))
    for checkpoint in (folder, folder / "model_12.pt"):
        assert resume(log_root, "--checkpoint", str(checkpoint))[2] == folder / "model_12.pt"


def test_a_checkpoint_outside_a_run_can_not_be_gone_on_from(log_root, tmp_path):
    (tmp_path / "good.pt").write_text("")
    with pytest.raises(UserError, match="--checkpoint .*good.pt: .*leave --resume out"):
        resume(log_root, "--checkpoint", str(tmp_path / "good.pt"))


# -- When it is done ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("report", [None, "{", '{"iterations": 300}'])
def test_only_the_report_is_left_to_do(tmp_path, report):
    if report is not None:
        (tmp_path / run_folder.REPORT_FILE).write_text(report)
    assert train._remaining_iterations(SimpleNamespace(resume=True), some_launch(), tmp_path, 600) == 0


def test_a_run_that_has_its_report_is_done(tmp_path):
    (tmp_path / run_folder.REPORT_FILE).write_text('{"iterations": 600}')
    for done in (600, 700):
        with pytest.raises(UserError, match=f"--max_iterations 600: the checkpoint has done {done} already"):
            train._remaining_iterations(SimpleNamespace(resume=True), some_launch(), tmp_path, done)
    assert train._remaining_iterations(SimpleNamespace(resume=True), some_launch(), tmp_path, 500) == 100


# -- What to type next -------------------------------------------------------------------------------------------------


def test_the_printed_commands_can_be_pasted(log_root, capsys, monkeypatch):
    monkeypatch.chdir(log_root)
    folder = run(log_root / "my logs", "model_3", experiment="other")
    runner = SimpleNamespace(current_learning_iteration=3, interrupted=True, total_steps=9, wall_time=1.0)
    summary = {"episodes": 2, "return": {"mean": 1.0}}
    train._print_footer(SimpleNamespace(agent="cgrpo"), some_launch(), folder, runner, summary, "policy.onnx")
    lines = capsys.readouterr().out.splitlines()
    words = shlex.split(lines[0].split("go on with: ")[1])
    assert words[:3] == ["./isaaclab.sh", "-p", "scripts/train.py"]
    args, overrides = train._parse(words[3:])
    assert train._resume(args, overrides).samefile(folder / "model_3.pt")
    for line in lines[-3:]:
        words = shlex.split(line.removeprefix("next:"))
        assert words[words.index("--checkpoint") + 1] == "my logs/rsl_rl/other/2026-01-01_00-00-00/model_3.pt"
