# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What ``scripts/benchmark.py paper`` runs: section 7 of the paper and the follow-ups that it leaves open.

A case is a configuration; with a seed it is a trial, whose files alone tell what is left to do.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from cgrpo_app.compare.runs import FAILURE, Step, is_trained, python, steps_done, training_time

BATCH_STEPS = 2048
"""Env steps of an iteration, all policies together (section 7.1)."""

CHEETAH = "HalfCheetah-CGRPO"


@dataclass(frozen=True)
class Case:
    """A configuration to train."""

    study: str
    """``main``, ``ablation``, ``grid`` or ``transfer``."""

    name: str
    agent: str = "cgrpo-full"
    task: str = CHEETAH
    overrides: tuple[str, ...] = ()
    policies: int = 2
    groups: int = 2


def _algorithm(**settings: str | int | float) -> tuple[str, ...]:
    return tuple(f"agent.algorithm.{name}={value}" for name, value in settings.items())


FULL = Case("main", "full")
SIMPLE = Case("main", "simple", agent="cgrpo-simple")

ABLATIONS = (
    Case("ablation", "no reference", overrides=_algorithm(reference_size=0)),
    Case("ablation", "no smoothness", overrides=_algorithm(smoothness_coef=0.0)),
    Case("ablation", "no diversity", overrides=_algorithm(diversity_coef=0.0)),
    Case("ablation", "no adaptive clip", overrides=_algorithm(adaptive_clip="false")),
    Case("ablation", "no policy groups", overrides=_algorithm(num_groups=1, diversity_coef=0.0), groups=1),
    Case("ablation", "time steps for state clusters", overrides=_algorithm(estimator="time_step")),
    Case("ablation", "least squares for state clusters", overrides=_algorithm(estimator="least_squares")),
)
"""GRPO-Full without one component each; the last two replace what states are compared with (eqs 6, 7)."""

POLICIES, GROUPS = (2, 4, 8, 16), (1, 2, 4)


def _grid_case(policies: int, groups: int) -> Case:
    settings = {"num_policies": policies, "num_groups": groups}
    if groups == 1:
        settings["diversity_coef"] = 0.0  # it compares groups
    return Case("grid", f"N={policies} K={groups}", overrides=_algorithm(**settings), policies=policies, groups=groups)


GRID = tuple(_grid_case(n, k) for n in POLICIES for k in GROUPS if k <= n and (n, k) != (FULL.policies, FULL.groups))
"""GRPO-Full with other numbers of policies and groups."""

TRANSFER = tuple(
    Case("transfer", f"{task} {name}", agent=f"cgrpo-{name}", task=f"{task}-CGRPO")
    for task in ("Walker2d", "Ant")
    for name in ("full", "simple")
)
"""Both variants with HalfCheetah's settings on other robots."""

STUDIES = {"main": (FULL, SIMPLE), "ablation": ABLATIONS, "grid": GRID, "transfer": TRANSFER}


@dataclass(frozen=True)
class Trial:
    """A case with a seed, as :class:`cgrpo_app.compare.pool.Pool` works through them."""

    case: Case
    seed: int
    iterations: int
    num_envs: int
    root: Path
    """Folder of all trials."""

    scripts: Path
    """Folder of ``train.py``."""

    @property
    def name(self) -> str:
        """Name for people."""
        return f"{self.case.name} seed {self.seed}"

    @property
    def kind(self) -> tuple[str, ...]:
        """Task and case: trials of a kind take as long as one another, those of a task nearly so."""
        return (self.case.task, self.case.name)

    @property
    def folder(self) -> Path:
        """Where the files of the trial are kept."""
        return self.root / "trials" / self.case.name.replace(" ", "_") / f"seed_{self.seed}"

    @property
    def training_folder(self) -> Path | None:
        """The folder that ``train.py`` made; None before its first checkpoint."""
        folders = [path for path in sorted(self.folder.glob("rsl_rl/*/*")) if any(path.glob("model_[0-9]*.pt"))]
        return folders[-1] if folders else None

    def is_finished(self) -> bool:
        """Whether the training has done all its iterations."""
        return self.training_folder is not None and is_trained(self.training_folder)

    def next_step(self) -> Step | None:
        """The training, unless it is finished or has failed."""
        if (self.folder / FAILURE).is_file() or self.is_finished():
            return None
        return Step("train", self._command())

    def start_afresh(self) -> None:
        """Remove what a killed process left before its first checkpoint, and the record of a failure."""
        (self.folder / FAILURE).unlink(missing_ok=True)
        if self.training_folder is None:
            shutil.rmtree(self.folder / "rsl_rl", ignore_errors=True)

    def progress(self) -> float:
        """Share of the training that is done, 0 to 1."""
        training = self.training_folder or next(self.folder.glob("rsl_rl/*/*"), None)
        total = self.iterations * BATCH_STEPS
        return 0.0 if training is None else min(1.0, steps_done(training / "progress.csv") / total)

    def training_time(self) -> float | None:
        """How long the training took [s]; None before its end."""
        return training_time(self.training_folder)

    def _command(self) -> list[str]:
        """Train, or go on in the folder of a killed run."""
        command = [*python(self.scripts / "train.py"), "--log_root", str(self.folder)]
        command += ["--task", self.case.task, "--agent", self.case.agent, "--device", "cpu"]
        if self.training_folder is not None:
            command += ["--resume", "--load_run", self.training_folder.name]
        else:
            command += ["--seed", str(self.seed), "--max_iterations", str(self.iterations)]
            command += ["--num_envs", str(self.num_envs)]
        return [*command, f"agent.num_steps_per_env={BATCH_STEPS // self.num_envs}", *self.case.overrides]
