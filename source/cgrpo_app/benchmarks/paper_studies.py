# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What ``scripts/benchmark.py paper`` runs: section 7 of the paper and the follow-ups that it leaves open.

A case is a configuration; with a seed it is a trial, whose files alone tell what is left to do.
"""

from dataclasses import dataclass
from pathlib import Path

from cgrpo_app.compare.runs import Step, python
from cgrpo_app.compare.training_job import FAILURE, TrainingJob

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

NO_GROUPS = Case("ablation", "no policy groups", overrides=_algorithm(num_groups=1, diversity_coef=0.0), groups=1)
"""Without groups there is nothing to be diverse about."""

ABLATIONS = (
    Case("ablation", "no reference", overrides=_algorithm(reference_size=0)),
    Case("ablation", "no smoothness", overrides=_algorithm(smoothness_coef=0.0)),
    Case("ablation", "no diversity", overrides=_algorithm(diversity_coef=0.0)),
    Case("ablation", "no adaptive clip", overrides=_algorithm(adaptive_clip="false")),
    NO_GROUPS,
    Case("ablation", "time steps for state clusters", overrides=_algorithm(estimator="time_step")),
    Case("ablation", "least squares for state clusters", overrides=_algorithm(estimator="least_squares")),
)
"""GRPO-Full without one component each; the last two replace what states are compared with (eqs 6, 7)."""

POLICIES, GROUPS = (2, 4, 8, 16), (1, 2, 4)


def _grid_case(policies: int, groups: int) -> Case:
    for case in (FULL, NO_GROUPS):
        if (policies, groups) == (case.policies, case.groups):
            return case
    settings = {"num_policies": policies, "num_groups": groups}
    if groups == 1:
        settings["diversity_coef"] = 0.0
    return Case("grid", f"N={policies} K={groups}", overrides=_algorithm(**settings), policies=policies, groups=groups)


GRID = tuple(_grid_case(n, k) for n in POLICIES for k in GROUPS if k <= n)
"""GRPO-Full with other numbers of policies and groups; those with two policies belong to other studies."""

TRANSFER = tuple(
    Case("transfer", f"{task} {name}", agent=f"cgrpo-{name}", task=f"{task}-CGRPO")
    for task in ("Walker2d", "Ant")
    for name in ("full", "simple")
)
"""Both variants with HalfCheetah's settings on other robots."""

STUDIES = {
    "main": (FULL, SIMPLE),
    "ablation": ABLATIONS,
    "grid": tuple(case for case in GRID if case.study == "grid"),
    "transfer": TRANSFER,
}


@dataclass(frozen=True)
class Trial(TrainingJob):
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
    def env_steps(self) -> int:
        """Env steps of the whole training."""
        return self.iterations * BATCH_STEPS

    def next_step(self) -> Step | None:
        """The training, unless it is done or has failed."""
        if (self.folder / FAILURE).is_file() or self.is_trained():
            return None
        return Step("train", self._command())

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
