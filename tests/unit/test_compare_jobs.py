# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The commands of a comparison's runs, the settings they come from, and the processes they are run in."""

import dataclasses
import json
import os
import sys
from pathlib import Path

import pytest

from cgrpo_app import sim2sim
from cgrpo_app.compare.processes import locked, share_cores, start
from cgrpo_app.compare.runs import Run
from cgrpo_app.compare.settings import GROWING, Settings, command_of, judge_environment
from cgrpo_app.errors import UserError

CHEETAH, FRANKA = "HalfCheetah-CGRPO", "Franka-Reach-CGRPO"


def test_a_run_is_trained_resumed_evaluated_and_generalised(tmp_path):
    """Policies are judged from seeds that no training has had, and those of v5 in v5."""
    settings = Settings((CHEETAH,), ("cgrpo",), (3,), {CHEETAH: 2000}, "cpu", 8, 7, 5, ("env=v5",))
    run = Run(settings, CHEETAH, "cgrpo", 3, tmp_path, Path("scripts"))
    training, kind = run.folder / "rsl_rl" / "fake" / "now", f"--task {CHEETAH} --agent cgrpo"
    log_root, policy = f"--log_root {run.folder}", training / "exported" / "policy.onnx"
    training.mkdir(parents=True)
    for written, content, name, command in (
        (training / "launch.json", {"max_iterations": 2}, "train",
         f"train.py {log_root} {kind} --seed 3 --steps 2000 --device cpu --num_envs 8 env=v5"),
        (training / "model_1.pt", {}, "train",
         f"train.py {log_root} {kind} --resume --load_run now --device cpu env=v5"),
        (training / "report.json", {"iterations": 2}, "evaluate",
         f"evaluate.py {kind} --device cpu --checkpoint {training} --episodes 7 --seed 10003 "
         f"--json {run.folder / 'evaluation.json'}"),
        (run.folder / "evaluation.json", {"episodes": 7}, "generalise",
         f"sim2sim.py --policy {policy} --env HalfCheetah-v5 --episodes 5 --robustness 5 --seed 10000 "
         f"--json {run.folder / 'generalisation.json'}"),
    ):  # fmt: skip
        written.write_text(json.dumps(content))
        step = run.next_step()
        assert (step.name, step.command) == (name, [sys.executable, *f"scripts/{command}".split()])
    (run.folder / "generalisation.json").write_text("{}")
    assert run.next_step() is None


@pytest.mark.parametrize(
    ("task", "overrides", "judge"),
    [
        (CHEETAH, (), "HalfCheetah-v4"),
        (CHEETAH, ("env=v4", "env.episode_length_s=6", "env=v5"), "HalfCheetah-v5"),
        (FRANKA, ("physics=mujoco",), "Franka-Reach"),
        ("Shadow-Hand-Manipulate-Block-CGRPO", (), "HandManipulateBlockRotateZDense-v1"),
        ("Shadow-Hand-Manipulate-Block-CGRPO", ("env=full",), "HandManipulateBlockFullDense-v1"),
        ("Shadow-Hand-Manipulate-Block-CGRPO", ("env=rotate_z_near",), None),  # there is no official one
        ("Shadow-Hand-Catch-Abreast-CGRPO", (), None),
    ],
)
def test_the_judge_outside_is_that_of_the_variant(task, overrides, judge):
    settings = Settings((task,), ("cgrpo",), (1,), {task: 1}, "cpu", overrides=overrides)
    assert judge_environment(settings, task) == judge
    assert judge is None or judge in sim2sim.ENVS


def test_the_command_of_a_comparison_names_all_that_is_not_usual():
    settings = Settings((CHEETAH, FRANKA), ("cgrpo",), (3, 7), {CHEETAH: 9, FRANKA: 9}, "cpu", 8, 7, 5, ("env=v5",))
    assert command_of(settings, ["d4rl", f"{FRANKA}=12"], Path("out")) == (
        f"python scripts/compare.py --tasks {CHEETAH} {FRANKA} --agents cgrpo --seeds 3,7 --steps 9 --episodes 7 "
        f"--robustness 5 --num_envs 8 --expert d4rl {FRANKA}=12 --device cpu --out out env=v5"
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", {CHEETAH: 2}),
        ("device", "cuda"),
        ("num_envs", 8),
        ("episodes", 7),
        ("robustness", 0),
        ("overrides", ("env=v5",)),
    ],
)
def test_what_may_not_change(tmp_path, field, value):
    settings = Settings((CHEETAH,), ("cgrpo",), (1,), {CHEETAH: 1}, "cpu")
    assert field not in GROWING and settings.store(tmp_path) == settings
    with pytest.raises(UserError, match=f"holds runs with {field}="):
        dataclasses.replace(settings, **{field: value}).store(tmp_path)


def test_processes_get_equal_shares_of_the_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert share_cores(1) == [list(range(8))]
    assert share_cores(3) == [[0, 1], [2, 3, 4], [5, 6, 7]]
    assert share_cores(10) == [[0], [1], [2], [3], [4], [5], [6], [7], [0], [1]]


@pytest.mark.parametrize("threads", [None, "2"])
def test_processes_keep_to_their_cores_with_one_thread_unless_told_otherwise(tmp_path, monkeypatch, threads):
    core = max(os.sched_getaffinity(0))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if threads is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
    program = "import os; print(os.sched_getaffinity(0), os.environ['OMP_NUM_THREADS'])"
    with locked(tmp_path) as lock:
        child = start([sys.executable, "-c", program], tmp_path / "log", [core], lock)
        assert child.process.wait(60) == 0
    assert child.log.read_text() == f"{{{core}}} {threads or 1}\n"
