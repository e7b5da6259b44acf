# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/benchmark.py clustering``: how fast states are clustered, and how close that is to exact DBSCAN.

Every case runs in a process of its own (:mod:`cgrpo_app.benchmarks.clustering_case`), so that its memory is its own.
Exact means all states, with the radius that ours chose and as many neighbours as its sample stands for.
"""

import json
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cgrpo_app import command_line, run_folder
from cgrpo_app.benchmarks.case_process import run_case, whole_numbers
from cgrpo_app.benchmarks.clustering_case import DATA, MAX_FIT_POINTS, MIN_SAMPLES
from cgrpo_app.device import resolve_device
from cgrpo_app.errors import UserError
from cgrpo_app.provenance import describe_hardware, describe_versions
from cgrpo_lab.clustering import adjusted_rand_index

COLUMNS = ("data", "states", "dims", "case", "seconds", "cpu_seconds", "memory_mb", "clusters", "noise_share", "ari")


def main(argv: Sequence[str]) -> None:
    """Measure and print one line per case.

    Args:
        argv: Command line without program and subcommand.

    Raises:
        UserError: If an argument is unusable or a case fails.
    """
    parser = command_line.make_parser(__doc__)
    parser.add_argument("--states", default="4096,65536,1048576", help="Numbers of states, separated by commas.")
    parser.add_argument("--dims", default="17,60", help="Dimensions of a state, separated by commas.")
    parser.add_argument("--data", default=",".join(DATA), help=f"Kinds of states, among {', '.join(DATA)}.")
    parser.add_argument("--exact_up_to", type=int, default=65536, help="Most states to cluster exactly.")
    parser.add_argument("--threads", type=int, default=1, help="Threads of a case on the CPU.")
    parser.add_argument("--device", help="cpu or cuda; a GPU if there is one.")
    parser.add_argument("--json", type=Path, help="File to write the result to.")
    args, overrides = command_line.parse(parser, argv)
    if overrides:
        raise UserError(f"{overrides[0]}: this benchmark has no task to override.")
    states = whole_numbers("--states", args.states, "4096,65536")
    dims = whole_numbers("--dims", args.dims, "17,60")
    kinds = args.data.split(",")
    for kind in kinds:
        if kind not in DATA:
            raise UserError(f"--data {args.data}: {kind!r} is no kind of states; there are {', '.join(DATA)}.")
    if args.threads < 1:
        raise UserError(f"--threads {args.threads}: must be at least 1.")
    device = resolve_device(args.device)
    run_folder.check_writable(args.json)
    result = {
        "versions": {**describe_versions(), "scikit-learn": _version("scikit-learn")},
        "hardware": {**describe_hardware(device), "threads": args.threads},
        "command": shlex.join(["scripts/benchmark.py", "clustering", *argv]),
        "rows": [],
    }
    print("".join(f"{name:>13}" for name in COLUMNS))
    for kind in kinds:
        for dim in dims:
            for count in states:
                for row in _measure(kind, count, dim, device, args.exact_up_to, args.threads):
                    result["rows"].append(row)
                    print("".join(f"{_written(row[name]):>13}" for name in COLUMNS), flush=True)
                    if args.json is not None:
                        run_folder.write_json(args.json, result)


def _measure(kind: str, count: int, dim: int, device: str, exact_up_to: int, threads: int) -> list[dict[str, Any]]:
    """Rows of all cases for one set of states, ours first, as it chooses the radius."""
    cases = [("ours", device)]
    if count <= exact_up_to:
        on_gpu = [("cuml-brute", device), ("cuml-rbc", device)] if device.startswith("cuda") else []
        cases += [("sklearn", "cpu"), *on_gpu]
    rows, labels = [], {}
    settings = {"kind": kind, "count": count, "dim": dim, "min_samples": -(-MIN_SAMPLES * count // MAX_FIT_POINTS)}
    settings["min_samples"] = max(settings["min_samples"], MIN_SAMPLES)
    with tempfile.TemporaryDirectory() as folder:
        for case, where in cases:
            file = Path(folder) / f"{case}.npy"
            measured = _run_case({**settings, "case": case, "device": where, "labels": str(file)}, threads)
            settings["eps"] = measured.pop("eps")
            labels[case] = torch.from_numpy(np.load(file))
            rows.append({"data": kind, "states": count, "dims": dim, "case": case, "ari": None, **measured})
    for row in rows:
        if "sklearn" in labels:
            row["ari"] = adjusted_rand_index(labels["sklearn"], labels[row["case"]]).item()
    return rows


def _run_case(settings: dict[str, Any], threads: int) -> dict[str, Any]:
    """What a case measured, from a fresh process."""
    label = f"{settings['case']} with {settings['count']} states"
    return run_case("clustering", json.dumps(settings), label=label, threads=threads)


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


def _written(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
