# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The files of a training that a command of ours starts: how far it is, and what a killed one left."""

import shutil
from abc import ABC, abstractmethod
from pathlib import Path

from cgrpo_app import run_folder

FAILURE = "failure.json"


class TrainingJob(ABC):
    """A training by ``train.py`` in a folder of its own."""

    @property
    @abstractmethod
    def folder(self) -> Path:
        """Where everything about it is kept."""

    @property
    @abstractmethod
    def env_steps(self) -> int:
        """Env steps of the whole training."""

    @property
    def training_folder(self) -> Path | None:
        """The folder that ``train.py`` made; None before its first checkpoint."""
        folders = [path for path in sorted(self.folder.glob("rsl_rl/*/*")) if any(path.glob("model_[0-9]*.pt"))]
        return folders[-1] if folders else None

    @property
    def any_training_folder(self) -> Path | None:
        """The same, or the one of a training that has no checkpoint yet."""
        return self.training_folder or next(self.folder.glob("rsl_rl/*/*"), None)

    def is_trained(self) -> bool:
        """Whether the training has done all its iterations and has written its report."""
        training = self.training_folder
        if training is None:
            return False
        launch = run_folder.find_json(training / run_folder.LAUNCH_FILE)
        return launch is not None and run_folder.has_report(training, launch["max_iterations"])

    def start_afresh(self) -> None:
        """Remove what a killed process left before its first checkpoint, and the record of a failure."""
        (self.folder / FAILURE).unlink(missing_ok=True)
        if self.training_folder is None:
            shutil.rmtree(self.folder / "rsl_rl", ignore_errors=True)

    def progress(self) -> float:
        """Share of the training that is done, 0 to 1; what follows it is not counted."""
        training = self.any_training_folder
        return 0.0 if training is None else min(1.0, steps_done(training / "progress.csv") / self.env_steps)

    def training_time(self) -> float | None:
        """How long the training took [s]; None before its end."""
        if not self.is_trained():
            return None
        return run_folder.read_json(self.training_folder / run_folder.REPORT_FILE)["training_time_s"]


def steps_done(table: Path) -> int:
    """Env steps in the last whole row of a ``progress.csv``; 0 without one."""
    try:
        with table.open("rb") as file:
            file.seek(max(0, table.stat().st_size - 4096))
            rows = file.read().decode().rsplit("\n", 2)
    except FileNotFoundError:
        return 0
    cells = rows[-2].split(",") if len(rows) > 1 else []
    return int(cells[1]) if len(cells) > 1 and cells[1].isdecimal() else 0
