# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The command line of ``scripts/compare.py``: run what is missing, then write the report."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cgrpo_app import command_line, parsers
from cgrpo_app.compare.pool import Pool
from cgrpo_app.compare.processes import locked
from cgrpo_app.compare.references import D4RL, parse_experts
from cgrpo_app.compare.runs import RandomPolicy, Run
from cgrpo_app.compare.settings import Settings, load
from cgrpo_app.device import resolve_device
from cgrpo_app.errors import UserError
from cgrpo_app.extras import require_extra
from cgrpo_app.launch import check_agent_name, check_task, check_trainings

SCRIPTS = Path(__file__).parents[3] / "scripts"


def main(argv: Sequence[str], scripts: Path = SCRIPTS) -> None:
    """Compare.

    Args:
        argv: Command line without the program's name.
        scripts: Folder of ``train.py``, ``evaluate.py`` and ``sim2sim.py``.

    Raises:
        UserError: If an option cannot be used.
    """
    args, overrides = _parse(argv)
    if not args.runs_only:
        require_extra("compare.py", "arch", "compare")
    folder = args.out.absolute()
    if args.report_only:
        settings = _chosen(args, load(folder))
    else:
        asked = _settings(args, overrides)
        parse_experts(args.expert, asked.tasks)  # a mistake shows before hours of training
        with locked(folder) as lock:
            settings = asked.store(folder)
            runs, randoms = make_jobs(settings, folder, scripts)
            if args.retry_failed:
                for job in (*runs, *randoms):
                    job.start_afresh()
            Pool([*randoms, *runs], args.jobs, lock).run()
    if args.runs_only:
        print(f"runs are in {folder}; there or in a copy of it, --report_only writes the report")
        return
    from cgrpo_app.compare.report import write_report

    runs, randoms = make_jobs(settings, folder, scripts)
    write_report(folder, settings, runs, randoms, parse_experts(args.expert, settings.tasks), args.expert)


def make_jobs(settings: Settings, folder: Path, scripts: Path) -> tuple[list[Run], list[RandomPolicy]]:
    """All runs, seeds outermost so that an early look shows every agent, and the random policies to measure."""
    runs = [
        Run(settings, task, agent, seed, folder, scripts)
        for seed in settings.seeds
        for task in settings.tasks
        for agent in settings.agents
    ]
    return runs, [RandomPolicy(settings, task, folder, scripts) for task in settings.tasks if task not in D4RL]


def _parse(argv: Sequence[str]) -> tuple[Any, list[str]]:
    """Parse the command line."""
    parser = parsers.compare()
    args, overrides = command_line.parse(parser, argv)
    if args.report_only:
        _refuse_settings_of_runs(parser, args, overrides)
    for name, least in (("jobs", 1), ("robustness", 0)):
        if vars(args)[name] < least:
            raise UserError(f"--{name} {vars(args)[name]}: must be at least {least}.")
    return args, overrides


def _refuse_settings_of_runs(parser: argparse.ArgumentParser, args: Any, overrides: list[str]) -> None:
    """Refuse what a report alone cannot follow.

    Raises:
        UserError: If such an option is given.
    """
    if args.retry_failed:
        raise UserError("--retry_failed: runs failed runs again, --report_only runs nothing; leave one of them out.")
    options = ("steps", "jobs", "episodes", "robustness", "num_envs", "device")
    given = [f"--{name}" for name in options if vars(args)[name] != parser.get_default(name)] + overrides
    if given:
        raise UserError(f"{', '.join(given)}: says how to run, --report_only runs nothing; leave one of them out.")


def _chosen(args: Any, settings: Settings) -> Settings:
    """The part of a comparison that the options name; all of it where they name nothing.

    Raises:
        UserError: If the comparison does not have what they name.
    """
    given = {
        "tasks": _split(args.tasks),
        "agents": _split(args.agents),
        "seeds": args.seeds if args.seeds is not parsers.SEEDS else (),
    }
    for name, wanted in given.items():
        held = getattr(settings, name)
        if missing := [str(item) for item in wanted if item not in held]:
            raise UserError(
                f"--{name} {' '.join(missing)}: --out has no such runs, only {', '.join(map(str, held))}; leave "
                "--report_only out to run them."
            )
        if wanted:
            settings = dataclasses.replace(settings, **{name: tuple(item for item in held if item in wanted)})
    return dataclasses.replace(settings, steps={task: settings.steps[task] for task in settings.tasks})


def _settings(args: Any, overrides: list[str]) -> Settings:
    """Check the options and give the defaults their values.

    Raises:
        UserError: If a task, agent or seed does not exist, or trainings would refuse their settings.
    """
    tasks = tuple(dict.fromkeys(check_task(name) for name in _names("tasks", args.tasks)))
    agents = tuple(dict.fromkeys(_names("agents", args.agents)))
    for task in tasks:
        for agent in agents:
            check_agent_name("--agents", task, agent)
    steps, device = parse_steps(args.steps, tasks), resolve_device(args.device)
    for task in tasks:
        check_trainings(task, agents, device, args.num_envs, overrides)
    return Settings(
        tasks=tasks,
        agents=agents,
        seeds=args.seeds,
        steps=steps,
        device=device,
        num_envs=args.num_envs,
        episodes=args.episodes,
        robustness=args.robustness,
        overrides=tuple(overrides),
    )


def parse_steps(items: list[str], tasks: tuple[str, ...]) -> dict[str, int]:
    """Env steps by task from ``1e6`` (all tasks) and ``TASK=2e5``.

    Raises:
        UserError: If an item is neither, or the steps of a task stay open.
    """
    steps: dict[str, int] = {}
    for item in sorted(items, key=lambda item: "=" in item):
        task, _, number = item.rpartition("=")
        try:
            count = command_line.whole_number(number)
        except argparse.ArgumentTypeError as error:
            raise UserError(f"--steps {item}: {error}.") from None
        if task and task not in tasks:
            raise UserError(f"--steps {item}: give a number or TASK=STEPS with one of {', '.join(tasks)}.")
        if count < 1:
            raise UserError(f"--steps {item}: must be at least 1.")
        steps |= dict.fromkeys([task] if task else tasks, count)
    if missing := [task for task in tasks if task not in steps]:
        raise UserError(f"--steps {' '.join(items)}: says nothing about {', '.join(missing)}; add a number for them.")
    return steps


def _names(option: str, items: list[str]) -> list[str]:
    """Names separated by spaces or commas."""
    names = _split(items)
    if not names:
        raise UserError(f"--{option}: is missing.")
    return names


def _split(items: list[str]) -> list[str]:
    """Names separated by spaces or commas; there may be none."""
    return [name for item in items for name in item.split(",") if name]
