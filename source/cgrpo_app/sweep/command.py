# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The command line of ``scripts/sweep.py``: search, then write the report."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cgrpo_app import command_line, parsers
from cgrpo_app.compare.command import SCRIPTS
from cgrpo_app.compare.processes import locked
from cgrpo_app.compare.settings import Settings
from cgrpo_app.device import resolve_device
from cgrpo_app.errors import UserError
from cgrpo_app.extras import require_extra
from cgrpo_app.launch import check_agent_name, check_task, check_trainings

STORAGE = "study.db"
SEED = 42
"""Of the search; each call adds the number of trials so far, or a resumed search would draw the first ones again."""


def main(argv: Sequence[str], scripts: Path = SCRIPTS) -> None:
    """Sweep.

    Args:
        argv: Command line without the program's name.
        scripts: Folder of ``train.py``.

    Raises:
        UserError: If an option cannot be used.
    """
    args, overrides = _parse(argv)
    require_extra("sweep.py", "optuna", "compare")
    import optuna

    from cgrpo_app.sweep.report import write_report
    from cgrpo_app.sweep.search import Search, enqueue
    from cgrpo_app.sweep.space import parse_space

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    settings = _settings(args, overrides)
    space = parse_space(args.agent, args.search)
    example = space.overrides(space.example())
    check_trainings(*settings.tasks, settings.agents, settings.device, args.num_envs, overrides, varied=example)
    folder = args.out.absolute()
    with locked(folder) as lock:
        study = open_study(folder)
        searched = {name: str(values) for name, values in space.parameters.items()}
        _remember(study, {**dataclasses.asdict(settings), "steps": args.steps, "space": searched})
        trials = args.trials
        if args.grid:
            grid = space.grid()
            trials = len(grid)
            # Their order never changes: those that an earlier call has queued are the first ones.
            for choice in grid[len(study.get_trials(deepcopy=False)) :]:
                enqueue(study, choice)
        Search(study, space, settings, folder, scripts, lock).run(trials, args.jobs)
        write_report(folder, study, space, settings)


def open_study(folder: Path) -> Any:
    """The study in a folder's SQLite file, new or from an earlier call; poor trials end by median pruning."""
    import optuna

    storage = optuna.storages.RDBStorage(f"sqlite:///{folder / STORAGE}")
    study = optuna.create_study(storage=storage, study_name="sweep", direction="maximize", load_if_exists=True)
    done = len(study.get_trials(deepcopy=False))
    study.sampler = optuna.samplers.TPESampler(seed=SEED + done, n_startup_trials=8, constant_liar=True)
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=2)
    return study


def _remember(study: Any, conditions: dict[str, Any]) -> None:
    """Keep what all trials have in common; refuse to mix trials of different conditions.

    Raises:
        UserError: If the study was begun under other conditions.
    """
    for name, value in conditions.items():
        now = list(value) if isinstance(value, tuple) else value
        before = study.user_attrs.get(name, now)
        if before != now:
            raise UserError(f"--out: holds trials with {name}={before}, not {now}; repeat it or choose another folder.")
        study.set_user_attr(name, now)


def _parse(argv: Sequence[str]) -> tuple[Any, list[str]]:
    """Parse the command line."""
    args, overrides = command_line.parse(parsers.sweep(), argv)
    for name in ("jobs", "trials"):
        if vars(args)[name] < 1:
            raise UserError(f"--{name} {vars(args)[name]}: must be at least 1.")
    return args, overrides


def _settings(args: Any, overrides: list[str]) -> Settings:
    """What all trials have in common.

    Raises:
        UserError: If task, agent or seeds do not exist.
    """
    task = check_task(args.task)
    check_agent_name("--agent", task, args.agent)
    return Settings(
        tasks=(task,),
        agents=(args.agent,),
        seeds=parsers.parse_seeds(args.seeds),
        steps={task: args.steps},
        device=resolve_device(args.device),
        num_envs=args.num_envs,
        robustness=0,
        overrides=tuple(overrides),
    )
