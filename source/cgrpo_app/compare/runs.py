# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""One run of a comparison: its files alone tell which command comes next, so a killed process loses nothing."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from cgrpo_app import run_folder
from cgrpo_app.compare.settings import Settings, judge_environment
from cgrpo_app.compare.training_job import FAILURE, TrainingJob
from cgrpo_app.evaluate import SEED_OFFSET

EVALUATION, GENERALISATION, RANDOM = "evaluation.json", "generalisation.json", "random.json"

JUDGE_SEED = 10_000
"""Seed of the first episode in a judging environment; the same for all policies, so that they meet the same starts."""


@dataclass(frozen=True)
class Step:
    """A command to run next."""

    name: str
    """``train``, ``evaluate``, ``generalise`` or ``random``; also the name of its log file."""

    command: list[str]


@dataclass(frozen=True)
class Run(TrainingJob):
    """Training and judging of one agent on one task with one seed."""

    settings: Settings
    task: str
    agent: str
    seed: int
    root: Path
    """Folder of the comparison."""

    scripts: Path
    """Folder of ``train.py`` and its siblings."""

    @property
    def name(self) -> str:
        """Name for people."""
        return f"{self.task} {self.agent} seed {self.seed}"

    @property
    def kind(self) -> tuple[str, ...]:
        """Agent and task: runs of a kind take as long as one another, those of an agent nearly so."""
        return (self.agent, self.task)

    @property
    def folder(self) -> Path:
        """Where everything about the run is kept."""
        return self.root / "runs" / self.task / self.agent / f"seed_{self.seed}"

    @property
    def env_steps(self) -> int:
        """Env steps of the whole training."""
        return self.settings.steps[self.task]

    def training_step(self) -> Step | None:
        """The command that trains or goes on training; None once that is done."""
        return None if self.is_trained() else Step("train", self._train_command(self.training_folder))

    def next_step(self) -> Step | None:
        """The first command whose result is missing; None once all are there, or after a failure."""
        if (self.folder / FAILURE).is_file():
            return None
        training_step = self.training_step()
        if training_step is not None:
            return training_step
        training = self.training_folder
        if run_folder.find_json(self.folder / EVALUATION) is None:
            return Step("evaluate", self._evaluate_command(training))
        if self.judge is not None and run_folder.find_json(self.folder / GENERALISATION) is None:
            return Step("generalise", self._generalise_command(training))
        return None

    def command_for_people(self) -> str:
        """The training command as a user would type it."""
        return shlex.join(["python", "scripts/train.py", *self._train_options()])

    @property
    def judge(self) -> str | None:
        """Environment that judges generalisation; None if it is not measured."""
        return judge_environment(self.settings, self.task) if self.settings.robustness else None

    def _train_options(self) -> list[str]:
        settings = self.settings
        options = ["--task", self.task, "--agent", self.agent, "--seed", str(self.seed)]
        options += ["--steps", str(settings.steps[self.task]), "--device", settings.device]
        if settings.num_envs is not None:
            options += ["--num_envs", str(settings.num_envs)]
        return [*options, *settings.overrides]

    def _train_command(self, training: Path | None) -> list[str]:
        """Train, or go on in the folder of a run that was killed."""
        command = [*python(self.scripts / "train.py"), "--log_root", str(self.folder)]
        if training is None:
            return [*command, *self._train_options()]
        resume = ["--task", self.task, "--agent", self.agent, "--resume", "--load_run", training.name]
        return [*command, *resume, "--device", self.settings.device, *self.settings.overrides]

    def _evaluate_command(self, training: Path) -> list[str]:
        options = ["--task", self.task, "--agent", self.agent, "--device", self.settings.device]
        options += ["--checkpoint", str(training), "--episodes", str(self.settings.episodes)]
        options += ["--seed", str(SEED_OFFSET + self.seed), "--json", str(self.folder / EVALUATION)]
        return [*python(self.scripts / "evaluate.py"), *options]

    def _generalise_command(self, training: Path) -> list[str]:
        options = ["--policy", str(training / "exported" / "policy.onnx"), "--env", str(self.judge)]
        options += ["--episodes", str(self.settings.robustness), "--robustness", str(self.settings.robustness)]
        options += ["--seed", str(JUDGE_SEED), "--json", str(self.folder / GENERALISATION)]
        return [*python(self.scripts / "sim2sim.py"), *options]


@dataclass(frozen=True)
class RandomPolicy:
    """Mean return of random actions on a task, which is what scores count from."""

    settings: Settings
    task: str
    root: Path
    scripts: Path
    kind: ClassVar[tuple[str, ...]] = ()

    @property
    def name(self) -> str:
        """Name for people."""
        return f"{self.task} random actions"

    @property
    def folder(self) -> Path:
        """Where the result is kept."""
        return self.root / "random" / self.task

    def next_step(self) -> Step | None:
        """The measurement, unless it is done or has failed."""
        if (self.folder / FAILURE).is_file() or run_folder.find_json(self.folder / RANDOM) is not None:
            return None
        options = ["--task", self.task, "--device", self.settings.device, "--episodes", str(self.settings.episodes)]
        # Agents' settings concern nobody here, and belong to other agents than the default one.
        options += [item for item in self.settings.overrides if not item.startswith("agent.")]
        options += ["--json", str(self.folder / RANDOM)]
        return Step("random", [*python(self.scripts / "evaluate.py"), "--random_actions", *options])

    def start_afresh(self) -> None:
        """Remove the record of a failure."""
        (self.folder / FAILURE).unlink(missing_ok=True)

    def progress(self) -> float:
        """0 or 1."""
        return float((self.folder / RANDOM).is_file())

    def training_time(self) -> float:
        """0: nothing is trained."""
        return 0.0


Job = Run | RandomPolicy


def python(script: Path) -> list[str]:
    """Command that runs a script in this Python."""
    return [sys.executable, str(script)]
