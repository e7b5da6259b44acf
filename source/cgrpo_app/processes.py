# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Several processes of one training run: what each of them takes of the machine, and who does what is done once."""

import argparse
import contextlib
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch

from cgrpo_app.device import resolve_device
from cgrpo_app.errors import UserError, expected_errors
from cgrpo_app.parsers import LAUNCHER
from cgrpo_lab import distributed


@contextlib.contextmanager
def joined(args: argparse.Namespace) -> Iterator[None]:
    """Join the processes that torch's launcher has started, and let only the main one speak; alone, do nothing.

    Sets ``args.device`` to the device of this process: the GPU of its local rank, as in Isaac Lab, or the CPU.

    Args:
        args: Parsed arguments with ``distributed`` and ``device``.

    Raises:
        UserError: If the command was started in another way than its options say, or a GPU is missing.
        PeerError: If another process does not come.
    """
    launched = "LOCAL_RANK" in os.environ
    if not args.distributed:
        if launched and int(os.environ["WORLD_SIZE"]) > 1:
            raise UserError("--distributed: is missing in a command that torch.distributed.run has started; add it.")
        yield
        return
    if not launched:
        raise UserError(
            f"--distributed: is for one of several processes; start them with {LAUNCHER} scripts/train.py ..."
        )
    with contextlib.nullcontext() if os.environ["RANK"] == "0" else _silence():
        args.device = _device(args.device)
        if args.device == "cpu":
            _take_share_of_cores()
        distributed.connect(args.device)
        yield
        distributed.disconnect()


def _device(asked: str | None) -> str:
    """Device of this process."""
    if resolve_device(asked) == "cpu":
        return "cpu"
    local_rank, count = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if asked not in (None, "cuda", f"cuda:{local_rank}"):
        raise UserError(f"--device {asked}: each process takes the GPU of its own rank; use --device cuda or cpu.")
    if local_rank >= count:
        raise UserError(
            f"--distributed: process {local_rank} needs a GPU of its own and there are {count}; use --nproc_per_node="
            f"{count} or --device cpu."
        )
    return f"cuda:{local_rank}"


def _take_share_of_cores() -> None:
    """Keep to every W-th core: a simulation on the CPU uses all it may, and would wait for those of the others."""
    cores = sorted(os.sched_getaffinity(0))
    mine = cores[int(os.environ["LOCAL_RANK"]) :: int(os.environ["LOCAL_WORLD_SIZE"])]
    if mine:
        os.sched_setaffinity(0, mine)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep back what the main process says, too; errors are not."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


def from_main[Result](function: Callable[[], Result]) -> Result:
    """Call a function in the main process only.

    Args:
        function: Returns something plain; what the others would find is decided here, once.

    Returns:
        What it returned, in every process.

    Raises:
        Exception: In every process, if it is one that a command expects.
    """
    result: Any = None
    failure: Exception | None = None
    if distributed.is_main():
        try:
            result = function()
        except expected_errors() as error:
            failure = error
    with distributed.explained():
        result, failure = distributed.gather((result, failure))[0]
    if failure is not None:
        raise failure
    return result
