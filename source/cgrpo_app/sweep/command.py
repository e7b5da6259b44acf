# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The command line of ``scripts/sweep.py``: search, then write the report."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cgrpo_app import command_line
from cgrpo_app.compare.command import SCRIPTS, parse_seeds
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
    require_extra("compare", "optuna")
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
    parser = command_line.make_parser(
        "Map stability and performance over an agent's settings, with Optuna and median pruning, or on a grid.\n"
        "Goes on where a killed call stopped, then writes report.html in --out."
    )
    parser.add_argument("--task", help="Task id; scripts/list_envs.py lists them.")
    parser.add_argument("--agent", default="cgrpo", help=f"Agent: {', '.join(command_line.AGENTS)}.")
    parser.add_argument("--trials", type=int, default=40, help="Trials in all, those of earlier calls included.")
    parser.add_argument("--grid", action="store_true", help="Try all combinations instead, three values of each range.")
    parser.add_argument(
        "--search",
        nargs="+",
        default=[],
        metavar="KEY=VALUES",
        help="What to vary: num_policies=1,2,4 clip_param=0.05:0.4 learning_rate=1e-4:1e-3:log; keys without "
        "agent. or env. belong to agent.algorithm. By default the paper's settings of the agent. Overrides of all "
        "trials stand before it or after another option.",
    )
    parser.add_argument("--seeds", default="1", help="Number of seeds of each trial (1, 2, ...), or the seeds: 3,7.")
    parser.add_argument("--steps", type=command_line.whole_number, default=200_000, help="Env steps of a training.")
    parser.add_argument("--out", type=Path, required=True, help="Folder for study, trainings and report.")
    parser.add_argument("--jobs", type=int, default=1, help="Trials side by side; they share the cores equally.")
    parser.add_argument("--num_envs", type=int, help="Environments of a training; each task has a default per device.")
    parser.add_argument("--device", help="cpu, cuda or cuda:N; a GPU if there is one.")
    args, overrides = command_line.parse(parser, argv, assignments=("search",))
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
        seeds=parse_seeds(args.seeds),
        steps={task: args.steps},
        device=resolve_device(args.device),
        num_envs=args.num_envs,
        robustness=0,
        overrides=tuple(overrides),
    )
