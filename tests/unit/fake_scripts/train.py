# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Stand-in for ``scripts/train.py``: its options, files and exactness of resuming, without learning anything.

A run has 10 iterations of 100 env steps. Its curve depends on task, agent and seed alone, its clock on the iteration.
Agents break in ways of their own: ``grpo`` with seed 2 stops with an error, ``td3`` is killed in the middle once,
``trpo`` whenever it comes there, ``gpg`` two iterations after each start. A ``clip_param`` far from 0.2 learns slower,
one above 0.39 is a mistake.
"""

import argparse
import csv
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

ITERATIONS, STEPS = 10, 100
PAUSE_S = float(os.environ.get("FAKE_PAUSE_S", "0.02"))


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("task", "agent", "device", "log_root", "load_run"):
        parser.add_argument(f"--{name}")
    for name in ("seed", "steps", "num_envs"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--resume", action="store_true")
    args, overrides = parser.parse_known_args()
    root = Path(args.log_root) / "rsl_rl" / "fake"
    if args.resume:
        folder = root / args.load_run
        launch = json.loads((folder / "launch.json").read_text())
        done = max(int(path.stem.split("_")[1]) for path in folder.glob("model_*.pt"))
        if done == ITERATIONS and is_whole(folder / "report.json"):
            sys.exit("error: the checkpoint has done all iterations already")
    else:
        assert not root.exists(), "a run was begun twice"
        folder = root / time.strftime("%Y-%m-%d_%H-%M-%S")
        folder.mkdir(parents=True)
        time.sleep(PAUSE_S)
        launch = {"seed": args.seed, "max_iterations": ITERATIONS, "overrides": overrides}
        (folder / "launch.json").write_text(json.dumps(launch))
        done = 0
    settings = dict(item.split("=", 1) for item in launch["overrides"])
    clip = float(settings.get("agent.algorithm.clip_param", 0.2))
    if clip > 0.39:
        sys.exit(f"error: clip_param={clip}: is too large.")
    learn(folder, args.task, args.agent, launch["seed"], done, 1.0 - 3.0 * abs(clip - 0.2))


def learn(folder: Path, task: str, agent: str, seed: int, done: int, quality: float) -> None:
    curve = [quality * value(task, agent, seed, i) for i in range(1, ITERATIONS + 1)]
    write_table(folder / "progress.csv", curve[:done])
    for i in range(done + 1, ITERATIONS + 1):
        time.sleep(PAUSE_S)
        if agent == "grpo" and seed == 2 and i == 6:
            print("a line before\nerror: NaN or Inf in iteration 6: reward of env 3.", file=sys.stderr)
            sys.exit(2)
        if i == 6 and (agent == "trpo" or (agent == "td3" and done == 0)):
            os.kill(os.getpid(), signal.SIGKILL)
        if agent == "gpg" and i == done + 3:
            os.kill(os.getpid(), signal.SIGKILL)
        write_table(folder / "progress.csv", curve[:i])
        if i % 2 == 0:
            (folder / f"model_{i}.pt").write_text(str(i))
    time.sleep(PAUSE_S)
    (folder / "exported").mkdir(exist_ok=True)
    (folder / "exported" / "policy.onnx").write_text(json.dumps({"final": curve[-1]}))
    report = {
        "iterations": ITERATIONS,
        "env_steps": ITERATIONS * STEPS,
        "training_time_s": 0.5 * ITERATIONS,
        "versions": {"python": "3.12", "torch": "2"},
        "hardware": {"device": "cpu", "cpu_cores": 2},
    }
    temporary = folder / "report.json.tmp"
    temporary.write_text(json.dumps(report))
    temporary.replace(folder / "report.json")


def is_whole(report: Path) -> bool:
    try:
        return bool(json.loads(report.read_text()))
    except (FileNotFoundError, ValueError):
        return False


def value(task: str, agent: str, seed: int, iteration: int) -> float:
    noise = random.Random(f"{task} {agent} {seed} {iteration}").gauss(0.0, 20.0)
    speed = {"cgrpo": 1.0, "ppo": 0.8, "sac": 0.55}.get(agent, 0.7)
    return -200.0 + 4000.0 * min(1.0, speed * iteration / ITERATIONS * 1.1) + noise


def write_table(path: Path, curve: list[float]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["iteration", "env_steps", "wall_time_s", "Train/mean_reward"])
        writer.writerows([i, i * STEPS, 0.5 * i, y] for i, y in enumerate(curve, start=1))


if __name__ == "__main__":
    main()
