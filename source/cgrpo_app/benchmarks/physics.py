# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/benchmark.py physics``: what an environment step costs beyond the physics.

Isaac Lab keeps its state in the process, so every case runs in a process of its own
(:mod:`cgrpo_app.benchmarks.physics_case`). Bare ``mujoco.rollout`` is measured in the process of the ``mujoco``
preset, in turns with it: on a shared machine both then meet the same disturbances.
"""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym

from cgrpo_app import command_line, run_folder
from cgrpo_app.benchmarks.case_process import run_case, whole_numbers
from cgrpo_app.benchmarks.physics_case import official_id
from cgrpo_app.device import resolve_device
from cgrpo_app.errors import UserError
from cgrpo_app.launch import check_task
from cgrpo_app.provenance import describe_hardware, describe_versions

CASES = ("gymnasium", "mujoco_warp", "stock", "newton_mjwarp", "mujoco")
"""Cases that can be chosen: the official environment's vector environment, which steps one copy after the other on one
core, where there is one; bare MuJoCo Warp; Isaac Lab's own manager without this project's graph replay; our presets."""

BARE = "mujoco.rollout"


def main(argv: Sequence[str]) -> None:
    """Measure and print one line per case and number of environments.

    Args:
        argv: Command line without program and subcommand.

    Raises:
        UserError: If an argument is unusable or a case fails.
    """
    parser = command_line.make_parser(__doc__)
    parser.add_argument("--task", help="Task id; scripts/list_envs.py lists them.")
    parser.add_argument("--envs", default="1,16,64,256,1024", help="Numbers of environments, separated by commas.")
    parser.add_argument("--presets", help=f"Cases, among {', '.join(CASES)}; all that the task has by default.")
    parser.add_argument("--cores", type=int, help="Processor cores to use; all by default.")
    parser.add_argument("--seconds", type=float, default=5.0, help="Time to measure each case [s].")
    parser.add_argument("--device", help="Device of the cases other than mujoco; a GPU if there is one.")
    parser.add_argument("--json", type=Path, help="File to write the result to.")
    args, overrides = command_line.parse(parser, argv)
    if overrides:
        raise UserError(f"{overrides[0]}: the benchmark takes the task as it is registered, without overrides.")
    task, counts = check_task(args.task), whole_numbers("--envs", args.envs, "1,16,256")
    presets, cores = _presets(args.presets, task), _cores(args.cores)
    if not args.seconds > 0.0:
        raise UserError(f"--seconds {args.seconds}: must be positive.")
    device = resolve_device(args.device)
    run_folder.check_writable(args.json)
    result = {
        "task": task,
        "seconds_per_case": args.seconds,
        "versions": describe_versions(),
        "hardware": {**describe_hardware(device), "cpu_cores": len(cores)},
        "command": shlex.join(["scripts/benchmark.py", "physics", *argv]),
        "rows": [],
    }
    print(f"{'case':<16}{'envs':>6}{'env-steps/s':>14}{'ratio to ' + BARE:>26}")
    for count in counts:
        for row in _measure(task, count, presets, args.seconds, device, cores):
            result["rows"].append(row)
            if row["env_steps_per_s"] is None:
                print(f"{row['case']:<16}{count:>6}   the task needs what Isaac Lab's own manager lacks")
                continue
            print(f"{row['case']:<16}{row['envs']:>6}{row['env_steps_per_s']:>14.0f}{row['ratio_to_mujoco']:>26.3f}")
        if args.json is not None:
            run_folder.write_json(args.json, result)


def _measure(
    task: str, count: int, presets: list[str], seconds: float, device: str, cores: list[int]
) -> list[dict[str, Any]]:
    """Rows of all cases at one number of environments, bare MuJoCo first; no rates where a task has no such case."""
    rates = _run_case(task, "mujoco", count, seconds, "cpu", cores)
    for preset in presets:
        if preset != "mujoco":
            rates |= _run_case(task, preset, count, seconds, "cpu" if preset == "gymnasium" else device, cores)
    return [
        {
            "case": case,
            "envs": count,
            "env_steps_per_s": rates.get(case),
            "ratio_to_mujoco": rates[case] / rates[BARE] if case in rates else None,
        }
        for case in (BARE, *presets)
    ]


def _run_case(task: str, case: str, count: int, seconds: float, device: str, cores: list[int]) -> dict[str, float]:
    """Rates [env-steps/s] by case name, from a fresh process."""
    label = f"{case} with {count} environments"
    return run_case("physics", task, case, str(count), str(seconds), device, label=label, cores=cores)


def _presets(text: str | None, task: str) -> list[str]:
    known = [case for case in CASES if case != "gymnasium" or official_id(task) in gym.registry]
    if text is None:
        return known
    for preset in text.split(","):
        if preset not in known:
            raise UserError(f"--presets {text}: {task} has no case {preset!r}; there are {', '.join(known)}.")
    return text.split(",")


def _cores(count: int | None) -> list[int]:
    """The first so many of the cores that this process may use."""
    cores = sorted(os.sched_getaffinity(0))
    if count is not None and not 1 <= count <= len(cores):
        raise UserError(f"--cores {count}: must be between 1 and {len(cores)}.")
    return cores[:count]
