# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/benchmark.py learning``: what learning from one rollout costs, without any simulation.

Beside rsl_rl's PPO with the same actor, epochs and minibatches, N policies in one module and as N separate ones learn
from the same recorded observations and rewards. Every case runs in a process of its own
(:mod:`cgrpo_app.benchmarks.learning_case`), so that its memory is its own. With ``--scaling`` the cost of ours is
measured against each factor of the paper's complexity (:mod:`cgrpo_app.benchmarks.learning_scaling`).
"""

import dataclasses
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cgrpo_app import command_line, run_folder
from cgrpo_app.benchmarks import case_process, learning_scaling
from cgrpo_app.benchmarks.learning_case import Case
from cgrpo_app.device import resolve_device
from cgrpo_app.errors import UserError
from cgrpo_app.provenance import describe_hardware, describe_versions

COLUMNS = (
    "case",
    "num_policies",
    "seconds",
    "cpu_seconds",
    "advantage_seconds",
    "memory_mb",
    "time_ratio",
    "memory_ratio",
)

SIZES = ("num_envs", "num_steps", "obs_dim", "action_dim", "hidden", "epochs", "mini_batches", "repeats")
"""Fields of :class:`Case` that are options of the command."""

PAGE_MB = 4096e-6
"""Memory is counted in pages [MB]; less cannot be told from none."""


def main(argv: Sequence[str]) -> None:
    """Measure and print one line per case.

    Args:
        argv: Command line without program and subcommand.

    Raises:
        UserError: If an argument is unusable or a case fails.
    """
    parser = command_line.make_parser(__doc__)
    parser.add_argument("--policies", default="1,2,4,8", help="Numbers of policies, separated by commas.")
    for name in SIZES:
        parser.add_argument(f"--{name}", type=int, default=vars(Case())[name], help=f"{name}; see Case.")
    parser.add_argument("--scaling", action="store_true", help="Measure the cost against each factor instead.")
    parser.add_argument("--picture", type=Path, help="PNG file to draw the scaling into.")
    parser.add_argument("--device", help="cpu or cuda; a GPU if there is one.")
    parser.add_argument("--json", type=Path, help="File to write the result to.")
    args, overrides = command_line.parse(parser, argv)
    if overrides:
        raise UserError(f"{overrides[0]}: this benchmark has no task to override.")
    for name in SIZES:
        if vars(args)[name] < 1:
            raise UserError(f"--{name} {vars(args)[name]}: must be at least 1.")
    if args.picture is not None and not args.scaling:
        raise UserError(f"--picture {args.picture}: draws the scaling; add --scaling or leave it out.")
    base = Case(device=resolve_device(args.device), **{name: vars(args)[name] for name in SIZES})
    for file in (args.json, args.picture):
        run_folder.check_writable(file)
    result = {
        "versions": describe_versions(),
        "hardware": describe_hardware(base.device),
        "command": shlex.join(["scripts/benchmark.py", "learning", *argv]),
    }
    if args.scaling:
        result["factors"] = learning_scaling.measure(base)
    else:
        result["rows"] = compare(base, _policies(args.policies, base.num_envs))
    if args.json is not None:
        run_folder.write_json(args.json, result)
    if args.picture is not None:
        learning_scaling.draw(result["factors"], args.picture)


def compare(base: Case, counts: Sequence[int]) -> list[dict[str, Any]]:
    """Rows of PPO, of N policies in one module and of N separate ones; ratios are to PPO's row."""
    cases = [dataclasses.replace(base, case="ppo")]
    cases += [dataclasses.replace(base, case="ours", num_policies=count) for count in counts]
    cases += [dataclasses.replace(base, case="separate", num_policies=count) for count in counts if count > 1]
    print("".join(f"{name:>18}" for name in COLUMNS))
    rows: list[dict[str, Any]] = []
    for case in cases:
        row = {"case": case.case, "num_policies": case.num_policies, **run_case(case)}
        ppo = rows[0] if rows else row
        # Processor time: other load on the machine does not count.
        timed = "seconds" if base.device.startswith("cuda") else "cpu_seconds"
        row["time_ratio"] = row[timed] / ppo[timed]
        row["memory_ratio"] = max(row["memory_mb"], PAGE_MB) / max(ppo["memory_mb"], PAGE_MB)
        rows.append(row)
        print("".join(f"{_written(row[name]):>18}" for name in COLUMNS), flush=True)
    return rows


def run_case(case: Case) -> dict[str, float]:
    """What a case measured, from a fresh process with one thread.

    Raises:
        UserError: If it fails.
    """
    label = f"{case.case} with {case.num_policies} policies"
    return case_process.run_case("learning", json.dumps(dataclasses.asdict(case)), label=label, threads=1)


def _policies(text: str, num_envs: int) -> list[int]:
    counts = case_process.whole_numbers("--policies", text, "1,2,4,8")
    for count in counts:
        if num_envs % count:
            raise UserError(f"--policies {text}: --num_envs {num_envs} cannot be divided among {count}.")
    return counts


def _written(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
