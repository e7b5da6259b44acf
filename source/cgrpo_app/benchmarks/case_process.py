# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Cases of a benchmark in processes of their own, so that memory, threads and simulators are their own."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from cgrpo_app.errors import UserError


def run_case(
    benchmark: str, *arguments: str, label: str, threads: int | None = None, cores: Sequence[int] | None = None
) -> dict[str, Any]:
    """Measure one case.

    Args:
        benchmark: Its module ``<benchmark>_case`` beside this one is run; the last line it prints is a JSON object.
        *arguments: Arguments of that module.
        label: What to call the case in an error.
        threads: Threads of the libraries for linear algebra; theirs to choose by default.
        cores: Processor cores to use; all by default.

    Returns:
        The object.

    Raises:
        UserError: If the case fails, with the last line of its errors.
    """
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS") if threads}
    done = subprocess.run(
        [sys.executable, "-m", f"cgrpo_app.benchmarks.{benchmark}_case", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **limits},
        preexec_fn=None if cores is None else lambda: os.sched_setaffinity(0, cores),
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise UserError(f"case {label} failed: {reason}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def whole_numbers(option: str, text: str, example: str) -> list[int]:
    """Parse a list of sizes.

    Args:
        option: Name of the option, for errors.
        text: Whole numbers of at least 1, separated by commas.
        example: What a usable text looks like, for errors.

    Raises:
        UserError: If it is something else.
    """
    try:
        numbers = [int(item) for item in text.split(",")]
    except ValueError:
        raise UserError(f"{option} {text}: must be numbers separated by commas, such as {example}.") from None
    if min(numbers) < 1:
        raise UserError(f"{option} {text}: every number must be at least 1.")
    return numbers
