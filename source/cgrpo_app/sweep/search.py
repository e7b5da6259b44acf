# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Runs the trials of a sweep: asks Optuna, trains, prunes, tells; its memory is one SQLite file and the run folders."""

import hashlib
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from cgrpo_app import run_folder
from cgrpo_app.compare import metrics
from cgrpo_app.compare.pool import fail
from cgrpo_app.compare.processes import Child, share_cores, start
from cgrpo_app.compare.progress import clock
from cgrpo_app.compare.records import read_curve
from cgrpo_app.compare.runs import Run
from cgrpo_app.compare.settings import Settings
from cgrpo_app.compare.training_job import FAILURE
from cgrpo_app.sweep.space import Space, short_name

POLL_S = 0.5

INTERMEDIATE = 10
"""How often a training is compared with the median of the others."""

QUEUED, RETRY_OF = "queued", "retry_of"
"""What a queued trial remembers: its whole choice, and the number of the interrupted trial that it repeats."""


@dataclass
class _Worker:
    """A place for one trial at a time."""

    cores: list[int]
    trial: Trial | None = None
    overrides: list[str] = field(default_factory=list)
    """The trial's configuration."""

    runs: tuple[Run, ...] = ()
    """The trial's trainings, one per seed, made one after the other."""

    child: Child | None = None
    reported: int = 0
    """Intermediate values told so far."""


@dataclass
class Search:
    """A study and the means to run its trials."""

    study: optuna.Study
    space: Space
    settings: Settings
    """One task, one agent, and what all trials have in common."""

    folder: Path
    scripts: Path
    lock: TextIO

    def run(self, trials: int, jobs: int) -> None:
        """Run trials until there are ``trials``; a failing one is recorded and the rest goes on.

        Args:
            trials: Trials of the whole study, those of earlier calls included.
            jobs: Trials side by side.

        Raises:
            KeyboardInterrupt: After Ctrl-C; the next call goes on with the trials under way.
        """
        self._recover()
        self._begin = time.monotonic()
        print(f"{trials} trials, {max(0, trials - self._count())} of them to do, {jobs} side by side", flush=True)
        self._workers = [_Worker(cores) for cores in share_cores(jobs)]
        try:
            while self._count() < trials or any(worker.trial for worker in self._workers):
                for worker in self._workers:
                    self._tend(worker, trials)
                time.sleep(POLL_S)
        except KeyboardInterrupt:
            print("\nstopping: waiting for the checkpoints of the running trainings ...", file=sys.stderr, flush=True)
            for worker in self._workers:
                if worker.child is not None:
                    worker.child.process.wait()
            raise

    def _recover(self) -> None:
        """Trials of a call that was killed: their configuration comes first again, and finds its run folders."""
        trials = self.study.get_trials()
        repeated = repeated_numbers(trials)
        for trial in (trial for trial in trials if trial.state == TrialState.RUNNING):
            # A kill between the two steps leaves the trial running: the next call finds it in the queue already.
            if trial.number not in repeated:
                # A kill while Optuna was asked leaves a trial with some of its values; the queue knew all of them.
                choice = {**trial.user_attrs.get(QUEUED, {}), **trial.params}
                enqueue(self.study, choice, **{RETRY_OF: trial.number})
            self.study.tell(trial.number, state=TrialState.FAIL)

    def _count(self) -> int:
        """Trials begun, without those that were interrupted."""
        return len([trial for trial in counted_trials(self.study) if trial.state != TrialState.WAITING])

    def _tend(self, worker: _Worker, trials: int) -> None:
        """Give a free worker a trial; look after a busy one."""
        if worker.trial is None:
            if self._count() < trials:
                worker.trial = self.study.ask(self.space.parameters)
                worker.overrides = self.space.overrides(worker.trial.params)
                worker.runs, worker.reported = self._make_runs(worker.overrides), 0
                worker.trial.set_user_attr("overrides", worker.overrides)
                worker.trial.set_user_attr("command", worker.runs[0].command_for_people())
            return
        if worker.child is not None:
            code = worker.child.process.poll()
            if code is None:
                self._report(worker)
                return
            run = self._current(worker)
            worker.child = None
            if run is not None and code != 0:
                fail(run, run.training_step(), code, run.folder / "train.log")
        self._go_on(worker)

    def _go_on(self, worker: _Worker) -> None:
        """Start the next training of a trial, or close it; what another trial of the same configuration got is its."""
        if self._is_under_way(worker):
            return
        if self._was_pruned(worker):
            self._close(worker, state=TrialState.PRUNED)
            return
        failed = [run for run in worker.runs if (run.folder / FAILURE).is_file()]
        if failed:
            error = run_folder.read_json(failed[0].folder / FAILURE)["error"]
            worker.trial.set_user_attr("error", error)
            self._close(worker, state=TrialState.FAIL)
            return
        run = self._current(worker)
        if run is None and any(len(read_curve(run.training_folder).steps) == 0 for run in worker.runs):
            worker.trial.set_user_attr("error", "no episode ended, so there is no return; raise --steps")
            self._close(worker, state=TrialState.FAIL)
            return
        if run is None:
            value, attributes = judge(worker.runs)
            for name, figure in attributes.items():
                worker.trial.set_user_attr(name, figure)
            self._close(worker, value=value)
            return
        if not run.folder.exists() or run.training_folder is None:
            run.start_afresh()
        worker.child = start(run.training_step().command, run.folder / "train.log", worker.cores, self.lock)

    def _is_under_way(self, worker: _Worker) -> bool:
        """Whether an earlier trial of the same configuration is at work in the folders."""
        others = [other for other in self._workers if other.trial and other.overrides == worker.overrides]
        return any(other.trial.number < worker.trial.number for other in others)

    def _was_pruned(self, worker: _Worker) -> bool:
        """Whether an earlier trial of the same configuration was pruned, which its folders do not tell."""
        pruned = self.study.get_trials(deepcopy=False, states=(TrialState.PRUNED,))
        return any(trial.user_attrs["overrides"] == worker.overrides for trial in pruned)

    def _report(self, worker: _Worker) -> None:
        """Tell Optuna how a training is doing, and end it if most others did better."""
        run = self._current(worker)
        if run is None:
            return
        due = worker.runs.index(run) * INTERMEDIATE + int(run.progress() * INTERMEDIATE)
        if due <= worker.reported or run.any_training_folder is None:
            return
        returns = read_curve(run.any_training_folder).returns
        if len(returns) == 0:
            return
        worker.reported = due
        worker.trial.report(float(returns[-1]), due)
        if worker.trial.should_prune():
            worker.child.process.kill()
            worker.child.process.wait()
            worker.child = None
            self._close(worker, state=TrialState.PRUNED)

    def _close(self, worker: _Worker, value: float | None = None, state: TrialState | None = None) -> None:
        """Tell Optuna the end of a trial and print a line about it."""
        frozen = self.study.tell(worker.trial, value, state=state)
        outcome = {
            TrialState.COMPLETE: f"return {value if value is not None else 0.0:.1f}",
            TrialState.PRUNED: "pruned",
            TrialState.FAIL: f"FAILED: {frozen.user_attrs.get('error')}",
        }[frozen.state]
        values = {short_name(key): value for key, value in frozen.params.items()}
        choice = " ".join(f"{name}={v:.3g}" if isinstance(v, float) else f"{name}={v}" for name, v in values.items())
        passed = clock(time.monotonic() - self._begin)
        print(f"trial {frozen.number}  elapsed {passed}  {outcome}  {choice}", flush=True)
        worker.trial = None

    def _current(self, worker: _Worker) -> Run | None:
        """The first training of the trial that is not done."""
        return next((run for run in worker.runs if run.training_step() is not None), None)

    def _make_runs(self, overrides: list[str]) -> tuple[Run, ...]:
        """Trainings of a configuration, which names their folder, so that nothing is ever trained twice."""
        digest = hashlib.sha256("\n".join(overrides).encode()).hexdigest()[:12]
        settings = replace(self.settings, overrides=(*self.settings.overrides, *overrides))
        (task,), (agent,) = settings.tasks, settings.agents
        root = self.folder / "trials" / digest
        return tuple(Run(settings, task, agent, seed, root, self.scripts) for seed in settings.seeds)


def enqueue(study: optuna.Study, choice: dict[str, Any], **attributes: Any) -> None:
    """Put a choice into a study's queue, with its values where a kill cannot part them from it.

    Args:
        study: The study.
        choice: Value by override key.
        attributes: What the trial shall remember besides.
    """
    study.enqueue_trial(choice, user_attrs={QUEUED: choice, **attributes})


def repeated_numbers(trials: list[FrozenTrial]) -> set[int]:
    """Numbers of the trials that were cut short by the end of a call and are tried again."""
    return {trial.user_attrs[RETRY_OF] for trial in trials if RETRY_OF in trial.user_attrs}


def counted_trials(study: optuna.Study) -> list[FrozenTrial]:
    """All trials but those that are repeated."""
    trials = study.get_trials(deepcopy=False)
    repeated = repeated_numbers(trials)
    return [trial for trial in trials if trial.number not in repeated]


def judge(runs: tuple[Run, ...]) -> tuple[float, dict[str, float]]:
    """Performance and stability of a configuration, both over the last tenth of its trainings.

    Returns:
        The mean return over seeds, and ``std_within_runs`` and ``std_between_runs``; a spread of a single point is 0.
    """
    ends = []
    for run in runs:
        curve = read_curve(run.training_folder)
        ends.append(metrics.last_part(curve.steps, curve.returns))
    means = np.array([end.mean() for end in ends])
    within = float(np.mean([metrics.sample_std(end) or 0.0 for end in ends]))
    return float(means.mean()), {"std_within_runs": within, "std_between_runs": metrics.sample_std(means) or 0.0}
