# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/list_envs.py``: the tasks of this project with their agents and default sizes, and the names of others."""

from collections.abc import Sequence

import gymnasium as gym

from cgrpo_app import command_line, parsers
from cgrpo_app.errors import UserError
from cgrpo_app.task_registry import our_tasks


def main(argv: Sequence[str]) -> None:
    """Print one line per task.

    Args:
        argv: Command line without the program's name.

    Raises:
        UserError: If an option cannot be used.
    """
    args, overrides = command_line.parse(parsers.list_envs(), argv)
    if overrides:
        raise UserError(f"{overrides[0]}: has no effect on a list; leave it out.")
    names = ours = our_tasks()
    if args.all:
        from cgrpo_app.launch import registered_tasks  # with torch and Isaac Lab, which the list of ours can do without

        registered_tasks()
        names = sorted(name for name, spec in gym.registry.items() if "env_cfg_entry_point" in spec.kwargs)
    width = max(len(name) for name in ours)
    for name in names:
        if name not in ours:
            print(name)  # which agents it has takes its configurations, seconds for all tasks
            continue
        kwargs = gym.spec(name).kwargs
        agents = [short for short, key in command_line.AGENTS.items() if key in kwargs]
        sizes = ", ".join(f"{count} envs on {kind}" for kind, count in kwargs["num_envs_by_device"].items())
        print(f"{name:<{width}}  agents: {', '.join(agents):<12}  {sizes}".rstrip())
