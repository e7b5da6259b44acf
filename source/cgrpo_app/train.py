# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/train.py``: train a task and leave a folder with everything in it."""

import math
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from cgrpo_app import command_line, parsers, processes, run_folder
from cgrpo_app.agent_checks import check_agent, check_budget
from cgrpo_app.errors import UserError
from cgrpo_app.launch import Launch, open_env, resolve
from cgrpo_app.loading import MISMATCHES, find, mismatch
from cgrpo_app.policy_export import export_policy
from cgrpo_app.provenance import describe_hardware, describe_versions
from cgrpo_app.video import prepare_rendering, video_wrapper
from cgrpo_lab import distributed
from cgrpo_lab.runners.checkpoint import CheckpointError, read_checkpoint

NEW_RUN = {"actor": True, "critic": True, "optimizer": True, "iteration": False, "rnd": True}
"""rsl_rl's selection for a run that starts from what another has learned."""

STORED = ("num_envs", "seed", "max_iterations")
"""Options that a resumed run keeps unless they are given, or an override of their field."""


def main(argv: Sequence[str]) -> None:
    """Train.

    Args:
        argv: Command line without the program's name.
    """
    args, overrides = _parse(argv)
    with processes.joined(args):
        _run(args, overrides)


def _run(args: Any, overrides: list[str]) -> None:
    """Settle what is trained and where it is kept, then train."""
    if args.video:
        prepare_rendering()
    checkpoint = _resume(args, overrides) if args.resume else None
    launch = resolve(args, overrides)
    if args.max_iterations is not None:
        launch.agent_cfg.max_iterations = args.max_iterations
    _name(launch, args)
    check_agent(launch.agent_cfg, launch.env_cfg.scene.num_envs)
    num_envs = launch.env_cfg.scene.num_envs * distributed.world_size()
    if args.steps is not None:
        steps_per_iteration = num_envs * launch.agent_cfg.num_steps_per_env
        launch.agent_cfg.max_iterations = math.ceil(args.steps / steps_per_iteration)
    check_budget(launch.agent_cfg, num_envs)
    if not args.resume and (args.checkpoint or args.load_run):
        checkpoint = processes.from_main(lambda: find(args, launch))
    if checkpoint is not None:
        read_checkpoint(checkpoint, "cpu")  # a damaged file shows before a folder is made and the simulation started
    if args.resume:
        folder = checkpoint.parent
    else:
        folder = processes.from_main(
            lambda: run_folder.create_run_folder(
                args.log_root,
                launch.agent_cfg.experiment_name,
                launch.agent_cfg.run_name,
                task=launch.task,
                entry_point=launch.entry_point,
            )
        )
    _print_header(launch, folder)
    # Environments must differ from process to process; the algorithm takes its random state from the main one.
    launch.agent_cfg.seed += distributed.rank()
    launch.env_cfg.seed = launch.agent_cfg.seed
    _train(args, overrides, launch, folder, checkpoint)


def _parse(argv: Sequence[str]) -> tuple[Any, list[str]]:
    """Parse the command line."""
    args, overrides = command_line.parse(parsers.train(), argv)
    if args.steps is not None and args.max_iterations is not None:
        raise UserError(f"--steps {args.steps}: --max_iterations says the same in another unit; give one of them.")
    return args, overrides


def _resume(args: Any, overrides: list[str]) -> Path:
    """Find the run to go on with and take from it what the command line leaves open.

    ``args`` and ``overrides`` are completed in place: settings of the run come first, so that new ones win.

    Raises:
        UserError: If there is no run to go on with.
    """
    launch = resolve(args, overrides)
    _name(launch, args)
    checkpoint = processes.from_main(lambda: find(args, launch))
    run_folder.check_is_latest(checkpoint)
    stored = run_folder.read_json(checkpoint.parent / run_folder.LAUNCH_FILE)
    given = {item.split("=", 1)[0] for item in overrides}
    args.device = args.device or stored["device"]
    for name in STORED:
        if vars(args)[name] is None and command_line.OPTION_FIELDS[name] not in given:
            setattr(args, name, stored[name])
    overrides[:] = run_folder.with_run_overrides(checkpoint.parent, overrides)
    return checkpoint


def _name(launch: Launch, args: Any) -> None:
    """Apply the options that name experiment, run and logger."""
    for name in ("experiment_name", "run_name", "logger"):
        if vars(args)[name] is not None:
            setattr(launch.agent_cfg, name, vars(args)[name])


def _print_header(launch: Launch, folder: Path) -> None:
    """The first line: what is trained, on what, and where it is kept."""
    envs = f"{launch.env_cfg.scene.num_envs} envs"
    if distributed.world_size() > 1:
        envs = f"{distributed.world_size()} processes of {envs}"
    print(
        f"{launch.task}: {launch.agent_cfg.algorithm.class_name.split(':')[-1]} on {launch.device}, "
        f"{envs}, physics {launch.physics}, seed {launch.agent_cfg.seed}, "
        f"{launch.agent_cfg.max_iterations} iterations\nrun folder: {_from_here(folder)}",
        flush=True,
    )


def _from_here(path: Path) -> Path:
    """Shorter name of a path below the working folder."""
    return Path(os.path.relpath(path)) if path.is_relative_to(Path.cwd()) else path


def _train(args: Any, overrides: list[str], launch: Launch, folder: Path, checkpoint: Path | None) -> None:
    """Create environment and runner, train, evaluate, export, report."""
    from isaaclab.utils import to_dict

    from isaaclab_rl.entrypoints.common import dump_train_configs

    from cgrpo_app.env_description import observation_names
    from cgrpo_app.env_state import IsaacLabEnvState
    from cgrpo_app.group_resets import start_groups
    from cgrpo_lab.runners import CGRPORunner

    videos = folder / "videos" / "train"
    is_main = distributed.is_main()
    records = args.video and is_main
    wrappers = [video_wrapper(videos, args.video_length, args.video_interval)] if records else []
    print("preparing the simulation (its first start compiles kernels and takes a minute longer) ...", flush=True)
    with open_env(launch, args, wrappers=wrappers) as env:
        runner = CGRPORunner(
            env,
            to_dict(launch.agent_cfg),
            str(folder),
            launch.device,
            env_state=IsaacLabEnvState(env) if launch.device == "cpu" else None,
            obs_names=observation_names(env.unwrapped),
            verbose=args.verbose,
        )
        if checkpoint is not None:
            _restore(runner, checkpoint, args.resume)
        remaining = _remaining_iterations(args, launch, folder, runner.current_learning_iteration)
        if is_main:
            dump_train_configs(str(folder), launch.env_cfg, launch.agent_cfg)
            run_folder.write_json(folder / run_folder.LAUNCH_FILE, _launch_record(args, overrides, launch))
        runner.add_git_repo_to_log(__file__)
        if remaining > 0:
            with start_groups(runner):
                runner.learn(remaining, init_at_random_ep_len=launch.agent_cfg.init_at_random_ep_len)
        distributed.disconnect()
        if is_main:
            _finish(args, launch, folder, runner)


def _restore(runner: Any, checkpoint: Path, resume: bool) -> None:
    """Load all of a checkpoint to go on with its run, or what it has learned to start a new one."""
    try:
        runner.load(str(checkpoint), load_cfg=None if resume else NEW_RUN)
    except CheckpointError:
        raise
    except MISMATCHES as error:
        raise mismatch(checkpoint, error) from error
    done = f"{runner.current_learning_iteration} iterations done" if resume else "as the start of a new run"
    print(f"restored {checkpoint.name}: {done}")


def _remaining_iterations(args: Any, launch: Launch, folder: Path, done: int) -> int:
    """Iterations left to do; none for a run that was killed between its last checkpoint and its report.

    Raises:
        UserError: If the run has done them all and has its report.
    """
    asked = launch.agent_cfg.max_iterations
    lacks_only_report = args.resume and asked == done and not run_folder.has_report(folder, done)
    if asked <= done and not lacks_only_report:
        raise UserError(
            f"--max_iterations {asked}: the checkpoint has done {done} already; give a larger number to go on."
        )
    return asked - done


def _launch_record(args: Any, overrides: list[str], launch: Launch) -> dict[str, Any]:
    """What :func:`_resume` needs, and what a reader wants to know."""
    return {
        "command": " ".join(sys.argv),
        "task": launch.task,
        "agent": args.agent,
        "device": launch.device,
        "num_envs": launch.env_cfg.scene.num_envs,
        "processes": distributed.world_size(),
        "seed": launch.agent_cfg.seed,
        "max_iterations": launch.agent_cfg.max_iterations,
        "physics": launch.physics,
        "overrides": overrides,
        "versions": describe_versions(),
        "hardware": describe_hardware(launch.device),
    }


def _finish(args: Any, launch: Launch, folder: Path, runner: Any) -> None:
    """Judge and export the final policy, write ``report.json`` and say what to do next."""
    from cgrpo_lab.evaluation import evaluate, summarize

    begin = time.monotonic()
    summary = summarize(evaluate(runner.env, runner.get_inference_policy(launch.device), runner.env.num_envs))
    files, parity = export_policy(runner, launch, folder / "exported")
    report = {
        "task": launch.task,
        "agent": args.agent,
        "seed": launch.agent_cfg.seed,
        "iterations": runner.current_learning_iteration,
        "env_steps": runner.total_steps,
        "processes": runner.gpu_world_size,
        "training_time_s": round(runner.wall_time, 3),
        "interrupted": runner.interrupted,
        "final_policy": summary,
        "evaluation_time_s": round(time.monotonic() - begin, 3),
        "onnx_max_abs_difference": parity,
        "versions": describe_versions(),
        "hardware": describe_hardware(launch.device),
        "torch_threads": torch.get_num_threads(),
    }
    run_folder.write_json(folder / run_folder.REPORT_FILE, report)
    _print_footer(args, launch, folder, runner, summary, f"{files['onnx'].name} within {parity:.1e} of torch")


def _print_footer(args: Any, launch: Launch, folder: Path, runner: Any, summary: dict[str, Any], exported: str) -> None:
    """The last lines: what came out, where it is, and what to type next."""
    here = _from_here(folder)
    checkpoint = here / f"model_{runner.current_learning_iteration}.pt"
    which = ["--task", launch.task, "--agent", args.agent]
    if runner.interrupted:
        command = _command("train", *which, "--resume", "--checkpoint", str(here))
        print(f"interrupted after iteration {runner.current_learning_iteration}; go on with: {command}")
    print(
        f"trained {runner.total_steps:,} env steps in {runner.wall_time:.0f} s; deterministic policy over "
        f"{summary['episodes']} episodes: return {summary['return']['mean']:.2f}" + _success_text(summary)
    )
    print(f"checkpoint: {checkpoint}\ncurves:     {here / 'curves.png'}\nONNX:       {here / 'exported'}/{exported}")
    for script, options in (("evaluate", ["--episodes", "512"]), ("play", ["--video"]), ("export", [])):
        print(f"next:       {_command(script, *which, '--checkpoint', str(checkpoint), *options)}")


def _command(script: str, *options: str) -> str:
    """Command line of a script, to be pasted into a shell."""
    return shlex.join(["./isaaclab.sh", "-p", f"scripts/{script}.py", *options])


def _success_text(summary: dict[str, Any]) -> str:
    """Success rate with its interval, where the task defines success."""
    if "success" not in summary:
        return ""
    success = summary["success"]
    return f", success {success['rate']:.1%} (95 % interval {success['low']:.1%} to {success['high']:.1%})"
