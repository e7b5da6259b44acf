# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Arguments that several scripts share, spelled as in Isaac Lab, and what is left to Hydra."""

import argparse
import difflib
from collections.abc import Sequence

from cgrpo_app.errors import UserError, is_one_of_several, run_command

AGENTS = {
    "cgrpo": "rsl_rl_cfg_entry_point",
    "cgrpo-full": "rsl_rl_cgrpo_full_cfg_entry_point",
    "cgrpo-simple": "rsl_rl_cgrpo_simple_cfg_entry_point",
    "gpg": "rsl_rl_gpg_cfg_entry_point",
    "grpo": "rsl_rl_grpo_cfg_entry_point",
    "ppo": "rsl_rl_ppo_cfg_entry_point",
    "sac": "rsl_rl_sac_cfg_entry_point",
    "td3": "rsl_rl_td3_cfg_entry_point",
    "trpo": "rsl_rl_trpo_cfg_entry_point",
}
"""Short names of agents; any other value of ``--agent`` is taken as the name of a registered entry point."""

OVERRIDE_KEYS = ("env", "env.", "agent.", "physics", "presets", "renderer")

OPTION_FIELDS = {
    "num_envs": "env.scene.num_envs",
    "seed": "agent.seed",
    "seeds": "agent.seed",
    "steps": "agent.max_iterations",
    "max_iterations": "agent.max_iterations",
    "experiment_name": "agent.experiment_name",
    "run_name": "agent.run_name",
    "logger": "agent.logger",
}
"""Options with the fields that they set, whatever an override says."""


class Parser(argparse.ArgumentParser):
    """Reports bad arguments in one line, without repeating the whole usage."""

    assignments: tuple[str, ...] = ()
    """Options of several values that have the form NAME=VALUE themselves and keep all of them."""

    def error(self, message: str) -> None:
        """Raise instead of printing the usage."""
        raise UserError(f"{message} (see --help)")


def make_parser(description: str) -> Parser:
    """Parser whose help keeps the line breaks of its description."""
    return Parser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Presets and overrides follow as NAME=VALUE: physics=newton_mjwarp, env.episode_length_s=6, "
        "agent.algorithm.clip_param=0.1",
    )


def add_task_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that choose task, agent, size and device."""
    parser.add_argument("--task", help="Task id; scripts/list_envs.py lists them.")
    names = ", ".join(AGENTS)
    parser.add_argument("--agent", default="cgrpo", help=f"{names}, or the name of an entry point; cgrpo by default.")
    parser.add_argument("--num_envs", type=int, help="Number of environments; each task has a default per device.")
    parser.add_argument("--seed", type=int, help="Seed of environment and agent.")
    parser.add_argument("--device", help="cpu, cuda or cuda:N, for simulator and agent alike; a GPU if there is one.")
    parser.add_argument("--headless", action="store_true", help="Accepted for old habits: only --viz opens a window.")
    parser.add_argument("--deterministic", action="store_true", help="Deterministic kernels on a GPU, too; slower.")
    parser.add_argument("--log_root", default="logs", help="Folder that runs are kept under.")
    parser.add_argument("--verbose", action="store_true", help="Print everything Isaac Lab prints, and every metric.")


def add_checkpoint_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that choose a checkpoint."""
    parser.add_argument("--checkpoint", help="File, run folder, latest or best.")
    parser.add_argument(
        "--load_run", help="Name of a run folder of this task and agent; --checkpoint is then a file in it."
    )


def add_video_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the video recorder."""
    parser.add_argument("--video", action="store_true", help="Record videos (needs no GPU and no display).")
    parser.add_argument("--video_length", type=int, default=200, help="Length of a clip in env steps.")
    parser.add_argument("--video_interval", type=int, default=2000, help="Env steps from clip to clip.")


def parse(parser: Parser, argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Parse arguments; what has the form NAME=VALUE is returned as an override for Hydra.

    Args:
        parser: What options there are.
        argv: Command line without the program's name.

    Raises:
        UserError: If an argument is neither an option nor an override, a number is out of range, or an option and an
            override set the same.
    """
    args, rest = parser.parse_known_args(list(argv))
    for name, values in vars(args).items():
        # An option of several values takes the overrides that follow it.
        if isinstance(values, list) and name not in parser.assignments:
            rest += [item for item in values if _is_override(item)]
            setattr(args, name, [item for item in values if not _is_override(item)])
    for item in rest:
        if not _is_override(item):
            key = item.split("=", 1)[0]
            options = [option for action in parser._actions for option in action.option_strings]
            hint = difflib.get_close_matches(key, options, n=1)
            raise UserError(f"{item}: unknown argument" + (f"; did you mean {hint[0]}?" if hint else " (see --help)."))
    for name in ("num_envs", "max_iterations", "steps", "episodes", "video_length", "video_interval"):
        value = vars(args).get(name)
        if isinstance(value, int) and value < 1:
            raise UserError(f"--{name} {value}: must be at least 1.")
    if vars(args).get("seed") is not None and args.seed < 0:
        raise UserError(f"--seed {args.seed}: must be at least 0.")
    for name, field in OPTION_FIELDS.items():
        given = [item for item in rest if item.startswith(f"{field}=")]
        if given and vars(args).get(name) is not None:
            raise UserError(f"{given[0]}: --{name} says this already; leave one of them out.")
    return args, rest


def answer(parser: Parser) -> None:
    """Answer ``--help`` and mistyped options of this process before torch and Isaac Lab, which take long, are imported.

    Args:
        parser: What options there are.

    Raises:
        SystemExit: With exit code 0 after the help, 2 after a mistake.
    """
    # Which of several processes says it is settled with torch.
    if not is_one_of_several():
        run_command(lambda argv: parse(parser, argv))


def _is_override(item: object) -> bool:
    """Whether an argument has the form NAME=VALUE with a name that Hydra or Isaac Lab knows."""
    key, equals, _ = str(item).partition("=")
    return bool(equals) and any(key == name or (name.endswith(".") and key.startswith(name)) for name in OVERRIDE_KEYS)


def whole_number(text: str) -> int:
    """Number as people write large ones, ``1000000`` or ``1e6``, for ``type`` of an argument.

    Raises:
        argparse.ArgumentTypeError: If it is no whole number.
    """
    try:
        number = float(text)
        if number == int(number):
            return int(number)
    except (ValueError, OverflowError):
        pass
    raise argparse.ArgumentTypeError(f"{text} is no whole number such as 1000000 or 1e6")


def agent_entry_point(agent: str) -> str:
    """Name under which the task registers the agent."""
    return AGENTS.get(agent, agent)
