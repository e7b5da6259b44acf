# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Keeping back what libraries print and no user can act on; ``--verbose`` shows it."""

import contextlib
import errno
import io
import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator

import torch

STORAGE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)
"""What the operating system says when a file cannot be written for a reason outside the program."""


@contextlib.contextmanager
def quiet(verbose: bool) -> Iterator[None]:
    """Drop what Isaac Lab prints to the standard output unless ``verbose``."""
    with contextlib.nullcontext() if verbose else contextlib.redirect_stdout(io.StringIO()):
        yield


@contextlib.contextmanager
def without_driver_warning() -> Iterator[None]:
    """Start Warp without its warning that there is no GPU driver, which we have said in our own words.

    Warp prints it from C, so only the file descriptor can hold it back; whatever else was printed is passed on.
    """
    if torch.cuda.is_available():
        yield
        return
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            import warp

            warp.config.log_level = warp.LOG_WARNING  # no banner
            warp.init()
            yield
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)
            held.seek(0)
            lines = held.read().decode(errors="replace").splitlines(keepends=True)
            sys.stderr.write("".join(line for line in lines if "NVIDIA CUDA driver" not in line))


def quiet_libraries() -> None:
    """Keep back what libraries say on every start and no user can act on."""
    warnings.filterwarnings("ignore", category=FutureWarning, module="isaaclab")
    # "Failed to get root com velocity": true of every robot that is bolted down.
    logging.getLogger("isaaclab_newton.assets").setLevel(logging.ERROR)
    # "Actuator groups cover 0 joints": true of every robot that is driven by efforts alone.
    logging.getLogger("isaaclab.actuators.actuator_collection").setLevel(logging.ERROR)


def quiet_writer_threads() -> None:
    """Let a full disk be reported once: TensorBoard's thread meets it, too, and would print its traceback."""
    original = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        if not (isinstance(args.exc_value, OSError) and args.exc_value.errno in STORAGE_ERRORS):
            original(args)

    threading.excepthook = hook
