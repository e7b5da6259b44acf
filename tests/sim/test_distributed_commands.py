# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/train.py --distributed`` as a user types it: several processes, one run."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]


def train(cwd: Path, *arguments: str, device: str = "cpu", processes: int = 2) -> subprocess.CompletedProcess[str]:
    """Train Franka reach."""
    paths = [str(ROOT / "source"), str(ROOT / "tasks"), os.environ.get("PYTHONPATH", "")]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    script = [str(ROOT / "scripts" / "train.py"), "--distributed", "--task", "Franka-Reach-CGRPO", "--device", device]
    return subprocess.run(
        [*launcher, *script, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, str]:
    """Folder of a run of two iterations with a checkpoint after each, and what was printed."""
    cwd = tmp_path_factory.mktemp("distributed")
    result = train(cwd, "--num_envs", "8", "--max_iterations", "2", "--seed", "5", "agent.save_interval=1")
    assert result.returncode == 0, result.stderr
    (run,) = cwd.glob("logs/rsl_rl/*/*")
    return run, result.stdout


def test_two_processes_leave_one_run(trained):
    run, printed = trained
    assert printed.count("Franka-Reach-CGRPO: CGRPO on cpu, 2 processes of 8 envs") == 1
    assert printed.count("trained 768 env steps") == 1
    with (run / "progress.csv").open(newline="") as file:
        assert [int(row["env_steps"]) for row in csv.DictReader(file)] == [2 * 8 * 24, 2 * 2 * 8 * 24]
    report = json.loads((run / "report.json").read_text())
    assert (report["env_steps"], report["processes"], report["seed"]) == (768, 2, 5)
    assert json.loads((run / "launch.json").read_text())["processes"] == 2
    assert (run / "exported" / "policy.onnx").stat().st_size > 0

    first, second = torch.load(run / "model_2.pt", weights_only=True)["infos"]["processes"]
    seen = [own["env_state"]["observations"]["policy"] for own in (first, second)]
    assert seen[0].shape == seen[1].shape and not torch.equal(*seen)


def test_a_resumed_run_is_exact(trained):
    run, _ = trained
    whole = torch.load(run / "model_2.pt", weights_only=True)
    (run / "model_2.pt").unlink()
    result = train(run.parents[3], "--resume")
    assert result.returncode == 0, result.stderr
    assert "restored model_1.pt: 1 iterations done" in result.stdout
    parts = torch.load(run / "model_2.pt", weights_only=True)
    for module in ("policy_state_dict", "estimator_state_dict", "state_normalizer_state_dict"):
        for name, value in whole[module].items():
            assert torch.equal(value, parts[module][name]), f"{module}.{name}"


@pytest.mark.gpu
@pytest.mark.parametrize("agent", ["cgrpo", "ppo"])
def test_a_process_on_a_gpu_trains_through_nccl(agent, tmp_path):
    options = ("--agent", agent, "--num_envs", "64", "--max_iterations", "3")
    result = train(tmp_path, *options, device="cuda", processes=1)
    assert result.returncode == 0, result.stderr
    (run,) = tmp_path.glob("logs/rsl_rl/*/*")
    with (run / "progress.csv").open(newline="") as file:
        assert [int(row["env_steps"]) for row in csv.DictReader(file)] == [64 * 24 * n for n in (1, 2, 3)]
    assert json.loads((run / "launch.json").read_text())["device"] == "cuda:0"
