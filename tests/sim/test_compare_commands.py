# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""A comparison and a sweep through the real commands, killed in the middle."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TASK = "HalfCheetah-CGRPO"
TIMES = ("training_time_s", "seconds_to_90", "seconds")
"""Keys of ``results.json`` that tell times, which no two trainings share."""

SMALL = ("--seeds", "1", "--steps", "6144", "--num_envs", "16", "--device", "cpu", "agent.save_interval=2")


def start(script: str, out: Path, *options: str) -> subprocess.Popen:
    """Start a command as a user types it; its output goes to a file beside ``out``."""
    paths = [str(ROOT / "source"), str(ROOT / "tasks"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    command = [sys.executable, str(ROOT / "scripts" / f"{script}.py"), *options, "--out", str(out)]
    with out.with_suffix(".log").open("a") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)


def finish(script: str, out: Path, *options: str) -> dict[str, Any]:
    """Run a command to its end and return its results."""
    assert start(script, out, *options).wait(timeout=900) == 0, out.with_suffix(".log").read_text()
    return json.loads((out / "results.json").read_text())


def kill_when(process: subprocess.Popen, out: Path, pattern: str) -> None:
    """``kill -9`` as soon as a file appears."""
    deadline = time.monotonic() + 300
    while not list(out.rglob(pattern)):
        assert process.poll() is None and time.monotonic() < deadline, out.with_suffix(".log").read_text()
        time.sleep(0.02)
    process.kill()
    process.wait()


def without_times(content: Any) -> Any:
    """The same content without what tells times."""
    if isinstance(content, dict):
        return {name: without_times(value) for name, value in content.items() if name not in TIMES}
    return [without_times(value) for value in content] if isinstance(content, list) else content


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_killed_comparison_ends_like_one_that_was_not(tmp_path):
    """Killed after a first checkpoint and before the evaluation: same table, seeds and machine being the same."""
    options = ("--tasks", TASK, "--agents", "cgrpo", "ppo", "--episodes", "4", "--robustness", "1", *SMALL)
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole = finish("compare", tmp_path / "whole" / "out", *options)
    out = tmp_path / "parts" / "out"
    kill_when(start("compare", out, *options), out, "model_2.pt")
    kill_when(start("compare", out, *options), out, "evaluate.log")
    parts = finish("compare", out, *options)
    assert without_times(parts) == without_times(whole)
    assert [row["state"] for row in parts["runs"]] == ["finished", "finished"]
    assert all(len(row["perturbed"]) > 20 and row["episodes"] == 4 for row in parts["runs"])
    tables = [path / "out" / "results.csv" for path in (tmp_path / "whole", tmp_path / "parts")]
    assert all(len(table.read_text().splitlines()) == 3 for table in tables)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_sweep_ends_in_a_line_that_trains(tmp_path):
    """Options of an estimator's clustering reach the training; the best configuration is a line of valid overrides."""
    search = ("--search", "num_policies=2,4", "estimator_options.clustering_options.min_samples=5,20")
    content = finish("sweep", tmp_path / "out", "--task", TASK, "--agent", "cgrpo-full", "--grid", *search, *SMALL)
    assert [row["state"] for row in content["trials"]] == ["finished"] * 4, content["trials"]
    launches = [json.loads(path.read_text()) for path in (tmp_path / "out").rglob("launch.json")]
    assert any('{"clustering_options": {"min_samples": 20}}' in " ".join(launch["overrides"]) for launch in launches)
