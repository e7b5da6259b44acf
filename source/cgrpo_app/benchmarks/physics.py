# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/benchmark.py physics``: what an environment step costs beyond the physics.

Isaac Lab keeps its state in the process, so every case runs in a process of its own
(:mod:`cgrpo_app.benchmarks.physics_case`). Bare ``mujoco.rollout`` is measured in the process of the ``mujoco``
preset, in turns with it: on a shared machine both then meet the same disturbances.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cgrpo_app import command_line, run_folder
from cgrpo_app.device import resolve_device
from cgrpo_app.errors import UserError
from cgrpo_app.launch import check_task
from cgrpo_app.provenance import describe_hardware, describe_versions

PRESETS = ("stock", "newton_mjwarp", "mujoco")
"""Cases that can be chosen; ``stock`` is Isaac Lab's own manager without this project's graph replay."""

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
    parser.add_argument("--presets", default=",".join(PRESETS), help=f"Cases, among {', '.join(PRESETS)}.")
    parser.add_argument("--seconds", type=float, default=5.0, help="Time to measure each case [s].")
    parser.add_argument("--device", help="Device of the cases other than mujoco; a GPU if there is one.")
    parser.add_argument("--json", type=Path, help="File to write the result to.")
    args, overrides = command_line.parse(parser, argv)
    if overrides:
        raise UserError(f"{overrides[0]}: the benchmark takes the task as it is registered, without overrides.")
    task, counts, presets = check_task(args.task), _counts(args.envs), _presets(args.presets)
    if not args.seconds > 0.0:
        raise UserError(f"--seconds {args.seconds}: must be positive.")
    device = resolve_device(args.device)
    result = {
        "task": task,
        "seconds_per_case": args.seconds,
        "versions": describe_versions(),
        "hardware": describe_hardware(device),
        "command": " ".join(["scripts/benchmark.py", "physics", *argv]),
        "rows": [],
    }
    if args.json is not None:
        # An unwritable place must not cost the minutes of measuring.
        run_folder.write_json(args.json, result)
    print(f"{'case':<16}{'envs':>6}{'env-steps/s':>14}{'ratio to ' + BARE:>26}")
    for count in counts:
        for row in _measure(task, count, presets, args.seconds, device):
            result["rows"].append(row)
            print(f"{row['case']:<16}{row['envs']:>6}{row['env_steps_per_s']:>14.0f}{row['ratio_to_mujoco']:>26.3f}")
            if args.json is not None:
                run_folder.write_json(args.json, result)


def _measure(task: str, count: int, presets: list[str], seconds: float, device: str) -> list[dict[str, Any]]:
    """Rows of all cases at one number of environments, bare MuJoCo first."""
    rates = _run_case(task, "mujoco", count, seconds, "cpu")
    for preset in presets:
        if preset != "mujoco":
            rates |= _run_case(task, preset, count, seconds, device)
    return [
        {"case": case, "envs": count, "env_steps_per_s": rates[case], "ratio_to_mujoco": rates[case] / rates[BARE]}
        for case in (BARE, *presets)
    ]


def _run_case(task: str, case: str, count: int, seconds: float, device: str) -> dict[str, float]:
    """Rates [env-steps/s] by case name, from a fresh process."""
    command = [sys.executable, "-m", "cgrpo_app.benchmarks.physics_case", task, case, str(count), str(seconds), device]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise UserError(f"case {case} with {count} environments failed: {reason}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def _counts(text: str) -> list[int]:
    try:
        counts = [int(item) for item in text.split(",")]
    except ValueError:
        raise UserError(f"--envs {text}: must be numbers separated by commas, such as 1,16,256.") from None
    if min(counts) < 1:
        raise UserError(f"--envs {text}: every number must be at least 1.")
    return counts


def _presets(text: str) -> list[str]:
    presets = text.split(",")
    for preset in presets:
        if preset not in PRESETS:
            raise UserError(f"--presets {text}: {preset!r} is no case; there are {', '.join(PRESETS)}.")
    return presets
