# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/benchmark.py``: one subcommand per thing that is measured."""

from collections.abc import Sequence
from importlib import import_module

from cgrpo_app.errors import UserError

SUBCOMMANDS = {
    "physics": "env-steps per second of a task per physics preset, and of bare mujoco.rollout",
    "paper": "section 7 of the paper with several seeds, ablations, numbers of policies and groups, other robots",
    "learning": "time and memory of learning from one rollout, beside PPO and beside separate policies",
    "clustering": "time, memory and exactness of clustering states, beside exact DBSCAN",
}


def main(argv: Sequence[str]) -> None:
    """Hand over to a subcommand.

    Args:
        argv: Command line without the program's name.

    Raises:
        UserError: If the subcommand is missing or unknown.
    """
    overview = "\n".join(f"  {name:<10} {what}" for name, what in SUBCOMMANDS.items())
    if argv and argv[0] in ("-h", "--help"):
        print(f"usage: benchmark.py SUBCOMMAND ...\n\n{overview}\n\nbenchmark.py SUBCOMMAND --help tells more.")
        return
    if not argv or argv[0] not in SUBCOMMANDS:
        given = f"{argv[0]}: is no benchmark" if argv else "the benchmark is missing"
        raise UserError(f"{given}; there are {', '.join(SUBCOMMANDS)}.")
    import_module(f"cgrpo_app.benchmarks.{argv[0]}").main(argv[1:])
