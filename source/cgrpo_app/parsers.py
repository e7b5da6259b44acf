# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The options of the scripts, but for those of each benchmark.

Nothing heavy is imported here, so that ``--help`` and mistyped options are answered at once.
"""

from pathlib import Path

from cgrpo_app.command_line import (
    AGENTS,
    Parser,
    add_checkpoint_arguments,
    add_task_arguments,
    add_video_arguments,
    make_parser,
    whole_number,
)
from cgrpo_app.errors import UserError

LAUNCHER = "./isaaclab.sh -p -m torch.distributed.run --nproc_per_node=N"
"""What starts several processes that learn as one."""

LOGGERS = ("tensorboard", "wandb", "neptune")
"""Loggers of rsl_rl, which imports the packages of the last two once the simulation has started."""

VISUALIZERS = {"newton_gl": "isaaclab_visualizers", "rerun": "rerun", "viser": "viser", "kit": "isaacsim"}
"""Isaac Lab's visualizers, with the package that each needs."""

SEEDS = (1, 2, 3, 4, 5)
"""Seeds where the command line says nothing."""


def train() -> Parser:
    """Options of ``scripts/train.py``."""
    parser = make_parser("Train a policy in an Isaac Lab environment without a critic network.")
    add_task_arguments(parser)
    parser.add_argument("--max_iterations", type=int, help="Iterations of the whole run, resumed part included.")
    parser.add_argument(
        "--steps",
        type=whole_number,
        help="Env steps of the whole run, such as 1e6, rounded up to whole iterations; instead of --max_iterations.",
    )
    parser.add_argument(
        "--distributed",
        action="store_true",
        help=f"One of several processes that learn as one, started by '{LAUNCHER} scripts/train.py'; "
        "--num_envs is then that of each.",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="Go on from the latest checkpoint of a run: the newest run, --load_run or --checkpoint FOLDER.",
    )
    add_checkpoint_arguments(parser)
    parser.add_argument("--experiment_name", help="Folder of the experiment under the log root.")
    parser.add_argument("--run_name", help="Suffix of the run's folder.")
    parser.add_argument("--logger", choices=LOGGERS, help="Where metrics go beside the table.")
    add_video_arguments(parser)
    return parser


def evaluate() -> Parser:
    """Options of ``scripts/evaluate.py``."""
    parser = make_parser("Evaluate the deterministic policy of a checkpoint over fresh episodes.")
    add_task_arguments(parser)
    add_checkpoint_arguments(parser)
    parser.add_argument("--episodes", type=int, default=256, help="Number of episodes; every env counts equally often.")
    parser.add_argument("--random_actions", action="store_true", help="Judge uniform random actions, no checkpoint.")
    parser.add_argument("--json", type=Path, help="File to write the result to.")
    return parser


def export() -> Parser:
    """Options of ``scripts/export.py``."""
    parser = make_parser("Export the policy of a checkpoint as one ONNX file and as TorchScript.")
    add_task_arguments(parser)
    add_checkpoint_arguments(parser)
    parser.add_argument("--output", type=Path, help="Folder to write to; exported/ beside the checkpoint by default.")
    return parser


def play() -> Parser:
    """Options of ``scripts/play.py``."""
    parser = make_parser(
        "Let the deterministic policy of a checkpoint act. With --video it records one clip and ends; with --viz it "
        "shows a window until Ctrl-C; otherwise it plays --video_length steps and prints how the episodes ended."
    )
    add_task_arguments(parser)
    add_checkpoint_arguments(parser)
    add_video_arguments(parser)
    parser.add_argument("--viz", help=f"Isaac Lab visualizer: {', '.join(VISUALIZERS)}; several with commas.")
    return parser


def list_envs() -> Parser:
    """Options of ``scripts/list_envs.py``."""
    parser = make_parser("List the tasks of CGRPO Lab.")
    parser.add_argument(
        "--all", action="store_true", help="Also list Isaac Lab's own tasks and those of installed packages."
    )
    return parser


def compare() -> Parser:
    """Options of ``scripts/compare.py``."""
    parser = make_parser(
        "Compare algorithms over tasks and seeds: sample efficiency, final return, stability, generalisation.\n"
        "Runs what is missing in --out, goes on where a killed call stopped, then writes report.html there."
    )
    parser.add_argument("--tasks", nargs="+", default=[], help="Task ids; scripts/list_envs.py lists them.")
    parser.add_argument("--agents", nargs="+", default=[], help=f"Agents: {', '.join(AGENTS)}.")
    parser.add_argument(
        "--seeds",
        type=parse_seeds,
        default=SEEDS,
        help=f"Number of seeds (1, 2, ...; default {len(SEEDS)}), or the seeds: 3,7,42.",
    )
    parser.add_argument(
        "--steps",
        nargs="+",
        default=["1e6"],
        help="Env steps of each run; TASK=STEPS for a task that needs more or less than the others.",
    )
    parser.add_argument("--out", type=Path, required=True, help="Folder for runs and report.")
    parser.add_argument("--jobs", type=int, default=1, help="Runs side by side; they share the cores equally.")
    parser.add_argument("--episodes", type=int, default=100, help="Episodes that judge each final policy.")
    parser.add_argument("--robustness", type=int, default=10, help="Episodes in each perturbed world; 0: none.")
    parser.add_argument(
        "--expert",
        nargs="+",
        default=["best"],
        help="What scores 1: best (the best agent here), d4rl, or TASK=RETURN; best where nothing else is said.",
    )
    parser.add_argument("--num_envs", type=int, help="Environments of a run; each task has a default per device.")
    parser.add_argument("--device", help="cpu, cuda or cuda:N; a GPU if there is one.")
    parser.add_argument("--retry_failed", action="store_true", help="Run failed runs again.")
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument(
        "--report_only",
        action="store_true",
        help="Write the report from what --out holds so far, of --tasks, --agents and --seeds only if these are given.",
    )
    parts.add_argument("--runs_only", action="store_true", help="Write no report, which needs the extra 'compare'.")
    return parser


def sweep() -> Parser:
    """Options of ``scripts/sweep.py``."""
    parser = make_parser(
        "Map stability and performance over an agent's settings, with Optuna and median pruning, or on a grid.\n"
        "Goes on where a killed call stopped, then writes report.html in --out."
    )
    parser.add_argument("--task", help="Task id; scripts/list_envs.py lists them.")
    parser.add_argument("--agent", default="cgrpo", help=f"Agent: {', '.join(AGENTS)}.")
    parser.assignments = ("search",)
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
    parser.add_argument("--steps", type=whole_number, default=200_000, help="Env steps of a training.")
    parser.add_argument("--out", type=Path, required=True, help="Folder for study, trainings and report.")
    parser.add_argument("--jobs", type=int, default=1, help="Trials side by side; they share the cores equally.")
    parser.add_argument("--num_envs", type=int, help="Environments of a training; each task has a default per device.")
    parser.add_argument("--device", help="cpu, cuda or cuda:N; a GPU if there is one.")
    return parser


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds from ``5`` (the seeds 1 to 5), ``3,7,42`` or ``42,`` (this one only).

    Raises:
        UserError: If the text is neither.
    """
    try:
        numbers = [int(item) for item in text.split(",") if item]
    except ValueError:
        numbers = []
    seeds = tuple(dict.fromkeys(numbers)) if "," in text else tuple(range(1, sum(numbers) + 1))
    if not seeds or min(seeds) < 0:
        raise UserError(f"--seeds {text}: give their number, such as 5, or the seeds, such as 3,7,42 or 42, alone.")
    return seeds
