# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Processes side by side that die with this one, and the lock that keeps two calls out of one folder."""

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from cgrpo_app.errors import UserError

PR_SET_PDEATHSIG = 1
"""Linux: the signal a process gets when its parent dies (``man 2 prctl``)."""

LOCK_PATIENCE_S = 10.0
"""How long the processes of a call that was just killed may take to disappear [s]."""

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class Child:
    """A running command whose output goes to a log file."""

    process: subprocess.Popen
    log: Path


def start(command: list[str], log: Path, cores: list[int], lock: TextIO) -> Child:
    """Start a command that ends when this process does, even by ``kill -9``.

    Args:
        command: Program and arguments.
        log: File that its output is appended to.
        cores: Cores that it may use.
        lock: Lock of the folder, which the command holds, too, for as long as it lives.
    """
    parent = os.getpid()

    def in_child() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        os.sched_setaffinity(0, cores)

    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        # One thread each: side by side, threads that wait for one another cost more than they bring, and results must
        # not depend on their number.
        environment = {"OMP_NUM_THREADS": "1", **os.environ}
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            preexec_fn=in_child,
            pass_fds=(lock.fileno(),),
        )
    return Child(process, log)


def share_cores(jobs: int) -> list[list[int]]:
    """Cores for each of ``jobs`` processes side by side: equal shares, or single cores in turn where they are few."""
    cores = sorted(os.sched_getaffinity(0))
    if jobs >= len(cores):
        return [[cores[i % len(cores)]] for i in range(jobs)]
    return [cores[i * len(cores) // jobs : (i + 1) * len(cores) // jobs] for i in range(jobs)]


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[TextIO]:
    """Hold a folder's lock.

    Raises:
        UserError: If another call, or a process it started, holds it or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise UserError(f"--out {folder}: cannot be written ({error.strerror}); choose another folder.") from error
    with lock:
        deadline = time.monotonic() + LOCK_PATIENCE_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise UserError(f"--out {folder}: another call works there; wait for it or end it.") from None
                time.sleep(0.05)
        yield lock
