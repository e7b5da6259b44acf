# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Says how far a comparison is, and when it will end."""

import sys
import time
from datetime import timedelta
from statistics import fmean
from typing import TextIO

from cgrpo_app import run_folder
from cgrpo_app.compare.runs import Job
from cgrpo_app.compare.training_job import FAILURE


class Progress:
    """One line about all jobs, rewritten in place on a terminal; otherwise one whenever a job ends."""

    def __init__(self, jobs: list[Job], stream: TextIO | None = None) -> None:
        """Note what is done already, so that the ETA speaks of this call's work."""
        self.jobs, self.stream = jobs, stream or sys.stdout
        self._done = {job.name for job in jobs if job.next_step() is None}
        self._begin = time.monotonic()
        self._at_begin = self._shares()
        self._costs = expected_costs(jobs)
        self._last_shown = float("-inf")

    def finished(self, job: Job) -> None:
        """A job has ended, well or not."""
        self._done.add(job.name)
        self._costs = expected_costs(self.jobs)
        failed = (job.folder / FAILURE).is_file()
        outcome = f"FAILED: {run_folder.read_json(job.folder / FAILURE)['error']}" if failed else "done"
        clear = "\x1b[K\n" if self.stream.isatty() else "\n"
        self.stream.write(f"{self._line()}{job.name}: {outcome}{clear}")
        self.stream.flush()

    def show(self, running: list[Job], is_last: bool = False) -> None:
        """Rewrite the line once a second on a terminal."""
        if self.stream.isatty() and (is_last or time.monotonic() - self._last_shown >= 1.0):
            self._last_shown = time.monotonic()
            now = "  ".join(f"{job.name} {job.progress():.0%}" for job in running[:2])
            more = f" and {len(running) - 2} more" if len(running) > 2 else ""
            self.stream.write(f"{self._line()}{now}{more}\x1b[K" + ("\n" if is_last else ""))
            self.stream.flush()

    def _shares(self) -> list[float]:
        """Share of each job that is done."""
        return [1.0 if job.name in self._done else job.progress() for job in self.jobs]

    def _line(self) -> str:
        """Jobs done, time passed and time left at the speed so far, in place of the line before on a terminal."""
        done, at_begin, whole = self._work(self._shares()), self._work(self._at_begin), sum(self._costs)
        passed, gained = time.monotonic() - self._begin, done - at_begin
        left = clock(passed * (whole - done) / gained) if gained > 0.0 else "-"
        begin = "\r" if self.stream.isatty() else ""
        share = done / whole if whole else 1.0
        return f"{begin}[{len(self._done)}/{len(self.jobs)}] {share:4.0%}  elapsed {clock(passed)}  eta {left}  "

    def _work(self, shares: list[float]) -> float:
        """Cost of what is done, where these are the jobs' shares."""
        return sum(cost * share for cost, share in zip(self._costs, shares, strict=True))


def expected_costs(jobs: list[Job]) -> list[float]:
    """Training time of each job [s]: its own, or the mean of the finished ones most like it.

    A quarter of an hour of one agent stands beside a minute of another, so that a count of jobs tells no time of day.
    Most alike are jobs of the same kind, then those whose kind begins alike, then any; where nothing has finished, all
    count alike.
    """
    own = [job.training_time() for job in jobs]
    known = [(job.kind, seconds) for job, seconds in zip(jobs, own, strict=True) if seconds]
    costs = []
    for job, seconds in zip(jobs, own, strict=True):
        if seconds is None:
            prefixes = (job.kind[:length] for length in range(len(job.kind), -1, -1))
            alike = ([each for kind, each in known if kind[: len(prefix)] == prefix] for prefix in prefixes)
            seconds = next((fmean(times) for times in alike if times), 1.0)
        costs.append(seconds)
    return costs


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    return str(timedelta(seconds=round(seconds)))
