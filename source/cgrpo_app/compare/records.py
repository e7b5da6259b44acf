# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What a run left, read into numbers."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cgrpo_app import run_folder
from cgrpo_app.compare.runs import EVALUATION, GENERALISATION, Run
from cgrpo_app.compare.training_job import FAILURE

FINISHED, FAILED, UNFINISHED = "finished", "failed", "unfinished"

RETURN_COLUMN, SHORTENED_COLUMN = "Train/mean_reward", "Train/shortened"


class Curve(NamedTuple):
    """A learning curve of P points."""

    steps: np.ndarray
    """Env steps, shape [P]."""

    seconds: np.ndarray
    """Training time [s], shape [P]."""

    returns: np.ndarray
    """Mean return of the latest 100 or more episodes, shape [P]."""

    whole: np.ndarray
    """Whether all these episodes were seen from their beginning, shape [P]."""

    def drawn(self) -> "Curve":
        """The points of whole episodes; all points where fewer than two are."""
        return self if self.whole.sum() < 2 else Curve(*(column[self.whole] for column in self))


@dataclass
class Record:
    """One run as the report sees it."""

    task: str
    agent: str
    seed: int
    state: str
    """``finished``, ``failed`` or ``unfinished``."""

    command: str
    error: str | None = None
    curve: Curve | None = None
    """Learning curve of the training."""

    evaluation: dict[str, Any] | None = None
    """Result of ``evaluate.py``."""

    perturbed: dict[str, float] | None = None
    """Mean return of the judge by name of the perturbation; ``none`` is the unperturbed environment."""

    report: dict[str, Any] | None = None
    """``report.json`` of the training."""


def read_record(run: Run) -> Record:
    """Read a run in whatever state it is; only a finished one has numbers."""
    record = Record(run.task, run.agent, run.seed, UNFINISHED, run.command_for_people())
    failure = run_folder.find_json(run.folder / FAILURE)
    if failure is not None:
        record.state, record.error = FAILED, f"{failure['step']}: {failure['error']}"
    elif run.next_step() is None and run.is_trained():
        record.state = FINISHED
        record.report = run_folder.read_json(run.training_folder / run_folder.REPORT_FILE)
        record.evaluation = run_folder.read_json(run.folder / EVALUATION)
        record.curve = read_curve(run.training_folder)
        judged = run_folder.find_json(run.folder / GENERALISATION) if run.judge is not None else None
        if judged is not None:
            record.perturbed = {"none": judged["return"]["mean"]}
            record.perturbed |= {name: result["return"]["mean"] for name, result in judged["perturbed"].items()}
        if len(record.curve.steps) == 0:
            record.state, record.error = FAILED, "train: no episode ended, so there is no learning curve; raise --steps"
        figures = [record.evaluation["return"]["mean"], *(record.perturbed or {}).values()]
        if not np.isfinite(figures).all():
            record.state, record.error = FAILED, "evaluate: the return of the final policy is not finite"
    return record


def read_curve(training: Path) -> Curve:
    """Learning curve of a training folder, without the iterations before the first episode ended; at first empty."""
    table = training / "progress.csv"
    rows = []
    if table.is_file():
        with table.open(newline="", encoding="utf-8") as file:
            # The column comes with the first episode's end; a row that is being written lacks cells.
            rows = [row for row in csv.DictReader(file) if row.get(RETURN_COLUMN) and None not in row.values()]
    names = ("env_steps", "wall_time_s", RETURN_COLUMN, SHORTENED_COLUMN)
    steps, seconds, returns, shortened = (np.array([float(row.get(name) or 0.0) for row in rows]) for name in names)
    return Curve(steps, seconds, returns, shortened == 0.0)
