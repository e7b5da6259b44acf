# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The commands as a user types them: a short training, then everything one does with its result."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from cgrpo_app import train
from cgrpo_app.errors import run_command

ROOT = Path(__file__).parents[2]
TASK = "Franka-Reach-CGRPO"

OVERRIDES = ("agent.save_interval=3", "agent.group_policy.hidden_dims=[32,16]")
"""Given when a run is trained; whatever is done with its checkpoint later must not need them again."""


def command(script: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in an empty folder."""
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / f"{script}.py"), "--task", TASK, "--device", "cpu", *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def in_this_process(*arguments: str, cwd: Path, capfd) -> tuple[int, str]:
    """End ``train`` by a mistake, without its start of ten seconds; exit code and what it printed as errors."""
    capfd.readouterr()
    with contextlib.chdir(cwd), pytest.raises(SystemExit) as ended:
        run_command(train.main, ["--task", TASK, "--device", "cpu", *arguments])
    return ended.value.code, capfd.readouterr().err


def environment() -> dict[str, str]:
    """The tests' environment, with the checkout importable where it is not installed."""
    paths = [str(ROOT / "source"), str(ROOT / "tasks"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def runs(folder: Path) -> list[Path]:
    """Run folders under a working folder, oldest first."""
    return sorted(folder.glob("logs/rsl_rl/*/*"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A working folder with one run of 6 iterations, checkpoints after 3 and 6."""
    folder = tmp_path_factory.mktemp("trained")
    result = command(
        "train",
        "--headless",
        "--num_envs",
        "16",
        "--max_iterations",
        "6",
        "--seed",
        "3",
        "--run_name",
        "whole",
        *OVERRIDES,
        cwd=folder,
    )
    assert result.returncode == 0, result.stderr
    (folder / "stdout.txt").write_text(result.stdout)
    return folder


class TestTrain:
    """``scripts/train.py``."""

    def test_run_leaves_everything(self, trained):
        """Every file of the documented list is there, whole and readable."""
        (run,) = runs(trained)
        for name in (
            "model_3.pt",
            "model_6.pt",
            "model_best.pt",
            "curves.png",
            "report.json",
            "run.json",
            "launch.json",
            "params/env.yaml",
            "params/agent.yaml",
            "exported/policy.onnx",
            "exported/policy.pt",
        ):
            assert (run / name).stat().st_size > 0, name
        assert list(run.glob("events.out.tfevents.*"))
        assert not list(run.rglob("*.tmp")) and not list(run.rglob("*.onnx.data"))
        rows = list(csv.DictReader((run / "progress.csv").open()))
        assert [int(row["iteration"]) for row in rows] == [1, 2, 3, 4, 5, 6]
        assert [int(row["env_steps"]) for row in rows] == [16 * 24 * n for n in range(1, 7)]
        report = json.loads((run / "report.json").read_text())
        assert report["env_steps"] == 6 * 16 * 24 and report["onnx_max_abs_difference"] < 1e-5
        assert 0.0 <= report["final_policy"]["success"]["rate"] <= 1.0

    def test_first_and_last_lines(self, trained):
        """The first line says what is trained, the last what to do next, and nothing else is printed between."""
        lines = (trained / "stdout.txt").read_text().splitlines()
        assert lines[0].startswith(f"{TASK}: CGRPO on cpu, 16 envs, physics NativeMujoco, seed 3, 6 iterations")
        assert lines[-1].startswith("next:")
        assert "--checkpoint logs/rsl_rl/" in lines[-1]
        assert not any("[INFO]" in line or line.startswith("|") for line in lines)

    def test_resume_is_exact(self, trained, tmp_path, capfd):
        """Three iterations, a new process and three more give the weights of six in one go, bit for bit."""
        options = ("--num_envs", "16", "--seed", "3", "--max_iterations", "3", *OVERRIDES)
        assert command("train", *options, cwd=tmp_path).returncode == 0
        resumed = command("train", "--resume", "--max_iterations", "6", cwd=tmp_path)
        assert resumed.returncode == 0, resumed.stderr
        (run,) = runs(tmp_path)
        assert json.loads((run / "launch.json").read_text())["max_iterations"] == 6
        whole = torch.load(runs(trained)[0] / "model_6.pt", weights_only=True)
        parts = torch.load(run / "model_6.pt", weights_only=True)
        for module in ("policy_state_dict", "estimator_state_dict", "state_normalizer_state_dict"):
            for name, value in whole[module].items():
                assert torch.equal(value, parts[module][name]), f"{module}.{name}"
        assert torch.equal(whole["generator_state"], parts["generator_state"])
        assert [int(row["iteration"]) for row in csv.DictReader((run / "progress.csv").open())] == [1, 2, 3, 4, 5, 6]
        self.only_a_damaged_report_is_left_to_do(run, tmp_path, capfd)

    def only_a_damaged_report_is_left_to_do(self, run, tmp_path, capfd):
        """Going on with a run whose iterations are done writes its report, where that is none."""
        report = run / "report.json"
        report.write_text(report.read_text()[:40])
        again = command("train", "--resume", "--max_iterations", "6", cwd=tmp_path)
        assert again.returncode == 0, again.stderr
        assert json.loads(report.read_text())["iterations"] == 6
        code, printed = in_this_process("--resume", "--max_iterations", "6", cwd=tmp_path, capfd=capfd)
        assert code == 2 and "has done 6 already" in printed

    def test_interrupt_ends_cleanly(self, tmp_path):
        """Ctrl-C in the middle ends the run with checkpoint, report and ONNX file, and exit code 0."""
        process = subprocess.Popen(
            [
                sys.executable,
                str(ROOT / "scripts" / "train.py"),
                "--task",
                TASK,
                "--device",
                "cpu",
                "--num_envs",
                "16",
                "--max_iterations",
                "100000",
            ],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 200
        while not list(tmp_path.glob("logs/rsl_rl/*/*/progress.csv")) and time.monotonic() < deadline:
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert "interrupted after iteration" in output and "Traceback" not in errors
        (run,) = runs(tmp_path)
        report = json.loads((run / "report.json").read_text())
        assert report["interrupted"] and (run / f"model_{report['iterations']}.pt").is_file()

    def test_nan_is_named_and_not_saved(self, tmp_path):
        """A reward weight of NaN stops the run with one line; the run's folder holds no checkpoint."""
        result = command(
            "train", "--num_envs", "8", "--max_iterations", "3", "env.rewards.position.weight=1e39", cwd=tmp_path
        )
        assert result.returncode == 2
        assert "error: NaN or Inf in iteration 1: reward" in result.stderr and "Traceback" not in result.stderr
        assert not list(tmp_path.glob("logs/rsl_rl/*/*/model_*.pt"))

    def test_ppo_trains_on_the_same_task(self, tmp_path):
        """The baseline leaves the same files and can be evaluated."""
        options = ("--agent", "ppo", "--num_envs", "16", "--max_iterations", "2")
        trained_ppo = command("train", *options, cwd=tmp_path)
        assert trained_ppo.returncode == 0, trained_ppo.stderr
        (run,) = runs(tmp_path)
        assert (run / "exported/policy.onnx").is_file()
        wrong = command("evaluate", "--checkpoint", str(run / "model_2.pt"), "--episodes", "4", cwd=tmp_path)
        assert wrong.returncode == 2 and "was not written by CGRPO" in wrong.stderr


class TestUseOfACheckpoint:
    """``evaluate``, ``export`` and ``play`` on the run of the fixture."""

    def test_evaluate(self, trained, tmp_path):
        """The JSON file has the documented keys and counts every episode once."""
        file = tmp_path / "result.json"
        result = command("evaluate", "--episodes", "20", "--num_envs", "8", "--json", str(file), cwd=trained)
        assert result.returncode == 0, result.stderr
        content = json.loads(file.read_text())
        assert content["episodes"] == 20 and content["seed"] == 42 + 10_000
        assert {"mean", "std"} <= set(content["return"]) and {"rate", "low", "high"} == set(content["success"])
        assert content["success"]["low"] <= content["success"]["rate"] <= content["success"]["high"]

    def test_export(self, trained, tmp_path):
        """The ONNX file runs with another batch size and describes its inputs and outputs."""
        import onnxruntime

        result = command("export", "--output", str(tmp_path / "out"), cwd=trained)
        assert result.returncode == 0, result.stderr
        assert {path.name for path in (tmp_path / "out").iterdir()} == {"policy.onnx", "policy.pt"}
        session = onnxruntime.InferenceSession(str(tmp_path / "out" / "policy.onnx"))
        about = json.loads(session.get_modelmeta().custom_metadata_map["cgrpo_lab"])
        size = sum(term["size"] for term in about["observations"])
        observations = torch.randn(5, size)
        actions = session.run(None, {"obs": observations.numpy()})[0]
        scripted = torch.jit.load(str(tmp_path / "out" / "policy.pt"))(observations)
        assert actions.shape == (5, 7) and abs(actions - scripted.detach().numpy()).max() < 1e-5
        (arm,) = about["actions"]
        assert arm["joint_names"] == [f"panda_joint{i}" for i in range(1, 8)]
        assert len(arm["scale"]) == len(arm["offset"]) == 7
        assert about["control_rate_hz"] == pytest.approx(30.0)
        assert all(term["unit"] != "unspecified" for term in about["observations"])

    def test_play_records_a_video(self, trained):
        """A clip of the asked length, drawn without a display, with something in the picture."""
        imageio = pytest.importorskip("imageio.v2")
        result = command("play", "--video", "--video_length", "12", "--num_envs", "2", cwd=trained)
        if result.returncode == 2 and "OSMesa is missing" in result.stderr:
            pytest.skip("OSMesa is not installed (apt-get install libosmesa6)")
        assert result.returncode == 0, result.stderr
        (clip,) = runs(trained)[0].glob("videos/play/clip_*.mp4")
        frames = [frame for frame in imageio.get_reader(clip)]  # its len() is infinite, which list() asks for
        assert len(frames) == 12 and frames[0].shape == (480, 640, 3)
        assert frames[-1].std() > 10.0


class TestMistakes:
    """Bad input: one line, exit code 2, no traceback, nothing left behind."""

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--num_envs", "7", "agent.algorithm.num_policies=2"), "num_envs=7: cannot be divided"),
            (("agent.algorithm.num_groups=3",), "num_groups=3: there are only num_policies=1"),
            (("agent.algorithm.clip_param=-1",), "clip_param=-1: must be a positive number"),
            (("physics=warp9",), "available: "),
        ],
    )
    def test_one_line(self, tmp_path, capfd, arguments, message):
        """The message names the field, the value and the remedy."""
        self.check(*in_this_process(*arguments, cwd=tmp_path, capfd=capfd), message, tmp_path)

    def test_one_line_of_the_whole_command(self, tmp_path):
        """Nothing that imports or exits prints anything else."""
        result = command("train", "--checkpoint", "missing.pt", cwd=tmp_path)
        self.check(result.returncode, result.stderr, "--checkpoint missing.pt: there is no such file", tmp_path)

    def check(self, code, printed, message, folder):
        """Exit code, printed line and folder after a mistake."""
        assert code == 2
        (line,) = [line for line in printed.splitlines() if line.strip()]
        assert line.startswith("error: ") and message in line
        assert not (folder / "logs").exists()
