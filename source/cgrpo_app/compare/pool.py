# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Works through the jobs of a comparison, several at a time."""

import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from cgrpo_app import run_folder
from cgrpo_app.compare.processes import Child, share_cores, start
from cgrpo_app.compare.progress import Progress
from cgrpo_app.compare.runs import Job, Step
from cgrpo_app.compare.training_job import FAILURE

POLL_S = 0.1
MAX_KILLS = 3
"""How often a job that was killed from outside goes on without having got further, before it counts as failed."""

ERROR_LINES = 20
"""Last lines of its log that are kept with a failure."""


@dataclass
class _Worker:
    """A place for one process."""

    cores: list[int]
    job: Job | None = None
    step: Step | None = None
    child: Child | None = None


@dataclass
class _Kills:
    """Deaths by a signal since a job last got further."""

    count: int = 0
    progress: tuple[str, float] = ("", -1.0)


@dataclass
class Pool:
    """Runs jobs; a failing one is recorded and the rest goes on."""

    jobs: list[Job]
    workers: int
    lock: TextIO
    progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        self.progress = Progress(self.jobs)
        self._kills: dict[str, _Kills] = {}

    def run(self) -> None:
        """Work until nothing is missing.

        Raises:
            KeyboardInterrupt: After Ctrl-C, once the running processes have ended; trainings have kept a checkpoint.
        """
        waiting = deque(job for job in self.jobs if job.next_step() is not None)
        print(f"{len(self.jobs)} jobs, {len(waiting)} of them to do, {self.workers} side by side", flush=True)
        for job in waiting:
            job.start_afresh()
        workers = [_Worker(cores) for cores in share_cores(self.workers)]
        try:
            while waiting or any(worker.job for worker in workers):
                for worker in workers:
                    self._tend(worker, waiting)
                self.progress.show([worker.job for worker in workers if worker.job])
                time.sleep(POLL_S)
        except KeyboardInterrupt:
            self._wait_for_the_end(workers)
            raise
        self.progress.show([], is_last=True)

    def _tend(self, worker: _Worker, waiting: deque[Job]) -> None:
        """Give a free worker the next step of its job, or the next job."""
        if worker.child is not None:
            code = worker.child.process.poll()
            if code is None:
                return
            self._judge_exit(worker, code)
            worker.child = None
        if worker.job is None and waiting:
            worker.job = waiting.popleft()
        if worker.job is not None:
            worker.step = worker.job.next_step()
            if worker.step is None:
                self.progress.finished(worker.job)
                worker.job = None
            else:
                log = worker.job.folder / f"{worker.step.name}.log"
                worker.child = start(worker.step.command, log, worker.cores, self.lock)

    def _judge_exit(self, worker: _Worker, code: int) -> None:
        """Record a failure: an exit code, an exit without the result, or kills without any progress."""
        job, step = worker.job, worker.step
        following = job.next_step()
        if code == 0 and (following is None or following.name != step.name):
            return
        if code > 0:
            fail(job, step, code, worker.child.log)
            return
        # Killed, or interrupted from outside, which ends with 0: the files say where to go on.
        kills = self._kills.setdefault(job.name, _Kills())
        reached = (step.name, job.progress())
        kills.count = 1 if reached != kills.progress else kills.count + 1
        kills.progress = reached
        if kills.count >= MAX_KILLS:
            fail(job, step, code, worker.child.log, times=kills.count)

    def _wait_for_the_end(self, workers: list[_Worker]) -> None:
        """Let the processes, which got Ctrl-C as well, write their checkpoints."""
        print("\nstopping: waiting for the checkpoints of the running processes ...", file=sys.stderr, flush=True)
        for worker in workers:
            if worker.child is not None:
                worker.child.process.wait()


def fail(job: Job, step: Step, code: int, log: Path, times: int = 1) -> None:
    """Write the record of a failure: the step, its command, how it ended and the last lines of its log.

    Args:
        job: What has failed.
        step: The command that has.
        code: Its exit code, or minus the signal that killed it.
        log: Its output.
        times: How often it ended like this.
    """
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    named = [line for line in lines if line.startswith("error: ")]
    error = (named or lines or ["no output"])[-1]
    if code < 0:
        error = f"killed by signal {-code}, {times} times without getting further (out of memory?)"
    elif code == 0:
        error = f"ended {times} times without its result"
    content = {
        "step": step.name,
        "error": error.removeprefix("error: "),
        "exit_code": code,
        "command": step.command,
        "log": lines[-ERROR_LINES:],
    }
    run_folder.write_json(job.folder / FAILURE, content)
