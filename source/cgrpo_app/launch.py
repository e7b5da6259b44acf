# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""From a parsed command line to a running environment with its agent's configuration."""

import argparse
import contextlib
import difflib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import gymnasium as gym
import torch

from cgrpo_app.agent_checks import check_agent, check_skrl
from cgrpo_app.command_line import AGENTS, agent_entry_point
from cgrpo_app.device import resolve_device
from cgrpo_app.errors import UserError, expected_errors
from cgrpo_app.overrides import resolve_config
from cgrpo_app.quietness import STORAGE_ERRORS, quiet, quiet_libraries, quiet_writer_threads, without_driver_warning
from cgrpo_app.task_registry import our_tasks
from cgrpo_lab.validation import ConfigError, require_number


@dataclass
class Launch:
    """What a script works with."""

    task: str
    entry_point: str
    env_cfg: Any
    agent_cfg: Any
    device: str
    physics: str


def registered_tasks() -> list[str]:
    """Ids of this project's tasks, once all are registered: Isaac Lab's and those of installed packages, too."""
    with without_driver_warning():
        import isaaclab_tasks  # noqa: F401
    from isaaclab.cli import load_external_tasks

    load_external_tasks()
    return our_tasks()


def check_task(task: str | None) -> str:
    """Task id without its namespace.

    Raises:
        UserError: If no task was given or it is not registered; with the nearest names.
    """
    ours = registered_tasks()
    if task is None:
        raise UserError(f"--task: is missing; there are {', '.join(ours)}.")
    name = task.split(":")[-1]
    if name not in gym.registry:
        # Ours first: Gymnasium's own HalfCheetah-v4 is nearer to "HalfCheetah", but nothing to train here.
        close = difflib.get_close_matches(name, ours, n=3, cutoff=0.5)
        close = close or difflib.get_close_matches(name, gym.registry.keys(), n=3, cutoff=0.5) or ours
        raise UserError(f"--task {task}: is not registered; the nearest are {', '.join(close)}.")
    return name


def check_agent_name(option: str, task: str, agent: str) -> None:
    """Check that a task has an agent; one of others has ours from now on.

    Args:
        option: Option that named the agent.
        task: Task id, which is registered.
        agent: Short name of the agent, or the entry point it is registered under.

    Raises:
        UserError: If it has none of this name; with those it has.
    """
    kwargs = gym.spec(task).kwargs
    if task not in our_tasks():
        from cgrpo_tasks.derived_agents import adopt

        with quiet(verbose=False):
            adopt(task)
    if agent_entry_point(agent) not in kwargs:
        known = [name for name, key in AGENTS.items() if key in kwargs]
        known += [key for key in kwargs if re.fullmatch("rsl_rl.*_cfg_entry_point", key) and key not in AGENTS.values()]
        if not known:
            raise UserError(
                f"--task {task}: has no agent that can be trained here: that takes rsl_rl's PPO with a feed-forward "
                "policy to begin with, or settings of CGRPO of its own (docs/own_tasks.md)."
            )
        raise UserError(f"{option} {agent}: {task} has no such agent; it has {', '.join(known)}.")


def resolve(args: argparse.Namespace, overrides: Sequence[str], *, play_mode: bool = False) -> Launch:
    """Configurations of environment and agent with presets, overrides and options applied.

    Args:
        args: Parsed arguments of :func:`add_task_arguments`.
        overrides: Hydra overrides and presets.
        play_mode: Whether to apply the task's settings for playing (no observation noise).

    Raises:
        UserError: If task, agent, preset, override or device cannot be used.
        ConfigError: If a number of the environment cannot be used.
    """
    from isaaclab_rl.rsl_rl import handle_deprecated_rsl_rl_cfg

    task = check_task(args.task)
    check_agent_name("--agent", task, args.agent)
    entry_point = agent_entry_point(args.agent)
    spec = gym.spec(task)
    device = resolve_device(args.device)
    overrides = [*_physics_for(task, device, overrides), *overrides]
    with quiet(args.verbose):
        env_cfg, agent_cfg = resolve_config(task, entry_point, overrides, play_mode=play_mode)
    _check_physics(env_cfg)
    check_skrl(agent_cfg)
    if agent_cfg.algorithm.class_name == "PPO":
        # rsl_rl's own class lacks what our runner asks of an algorithm.
        agent_cfg.algorithm.class_name = "cgrpo_lab.algorithms.ppo:PPO"
    agent_cfg = handle_deprecated_rsl_rl_cfg(agent_cfg, "5.5.1")
    env_cfg.sim.device = agent_cfg.device = device
    if args.num_envs is not None:
        env_cfg.scene.num_envs = args.num_envs
    elif not any(item.startswith("env.scene.num_envs=") for item in overrides):
        by_agent = spec.kwargs.get("num_envs_by_agent", {})
        by_device = by_agent.get(entry_point, spec.kwargs.get("num_envs_by_device"))
        if by_device is not None and not play_mode:
            env_cfg.scene.num_envs = by_device[device.split(":")[0]]
    if args.seed is not None:
        agent_cfg.seed = args.seed
    env_cfg.seed = agent_cfg.seed
    _check_env(env_cfg)
    return Launch(task, entry_point, env_cfg, agent_cfg, device, physics_name(env_cfg))


def check_trainings(
    task: str,
    agents: Sequence[str],
    device: str,
    num_envs: int | None,
    overrides: Sequence[str],
    varied: Sequence[str] | None = None,
) -> None:
    """Check the settings of trainings that are still to be started: a mistake shows now, not in each of them.

    Args:
        task: Task id.
        agents: Short names of its agents.
        device: Device of the trainings.
        num_envs: Environments of each; the task's default if None.
        overrides: Hydra overrides and presets.
        varied: Further overrides, one choice of those that differ from training to training. Whether settings fit one
            another is then left to each training.

    Raises:
        UserError: If one of the agents cannot be trained with them, or its package is missing.
    """
    given = [*overrides, *(varied or ())]
    for agent in agents:
        options = {"task": task, "agent": agent, "device": device, "num_envs": num_envs, "seed": None, "verbose": False}
        try:
            launch = resolve(argparse.Namespace(**options), given)
            if varied is None:
                check_agent(launch.agent_cfg, launch.env_cfg.scene.num_envs)
        except (UserError, ConfigError) as error:
            raise UserError(f"{error} (agent {agent} on {task})") from None


def _physics_for(task: str, device: str, overrides: Sequence[str]) -> list[str]:
    """The CPU's physics preset, where our task's own default would be the GPU's; nothing if the user chose."""
    if device != "cpu" or not torch.cuda.is_available() or task not in our_tasks():
        return []
    chosen = any(item.startswith(("physics=", "presets=", "env.sim.physics=")) for item in overrides)
    return [] if chosen else ["physics=mujoco"]


def _check_env(env_cfg: Any) -> None:
    """Raise a ConfigError if times or sizes of an environment cannot be used, or its episodes never end."""
    require_number("num_envs", env_cfg.scene.num_envs, at_least=1, integer=True)
    require_number("env.decimation", env_cfg.decimation, at_least=1, integer=True)
    require_number("env.episode_length_s", env_cfg.episode_length_s, above=0.0)
    require_number("env.sim.dt", env_cfg.sim.dt, above=0.0)
    terminations = vars(env_cfg).get("terminations")
    if terminations is not None and all(term is None for term in vars(terminations).values()):
        raise ConfigError("env.terminations: all terms are switched off, so no episode would end; keep time_out.")


def _check_physics(env_cfg: Any) -> None:
    """Raise a UserError where the chosen engine is not installed; Isaac Lab would fail to import it much later."""
    needed = {"OvPhysxCfg": "ovphysx", "PhysxCfg": "isaacsim"}
    package = needed.get(type(env_cfg.sim.physics).__name__)
    if type(env_cfg.sim.physics).__name__ == "PhysxAutoCfg" and not any(map(find_spec, needed.values())):
        package = "ovphysx"
    if package is not None and find_spec(package) is None:
        remedy = "./isaaclab.sh -i isaacsim" if package == "isaacsim" else "pip install 'isaaclab[ovphysx]'"
        raise UserError(f"physics: this engine needs the package {package}, which is missing; {remedy} installs it.")


def physics_name(env_cfg: Any) -> str:
    """Short name of the physics engine, for people."""
    physics = env_cfg.sim.physics
    if physics is None:
        return "of Isaac Lab's choice"
    solver = vars(physics).get("solver_cfg", physics)
    return type(solver).__name__.removesuffix("Cfg").removesuffix("Solver")


@contextlib.contextmanager
def open_env(
    launch: Launch, args: argparse.Namespace, *, wrappers: Sequence[Any] = (), visualizer: str | None = None
) -> Iterator[Any]:
    """Start the simulation and yield the environment wrapped for rsl_rl; expected errors leave without a traceback.

    Args:
        launch: Resolved configurations.
        args: Parsed arguments.
        wrappers: Functions that wrap the Gymnasium environment before rsl_rl's wrapper.
        visualizer: Isaac Lab visualizer to show a window with; none by default.

    Raises:
        UserError: If physics, packages or assets that the configuration names are missing.
    """
    from isaaclab.app import launch_simulation
    from isaaclab.utils.seed import configure_seed

    from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper

    from cgrpo_tasks.assets.cache import AssetCacheError
    from cgrpo_tasks.physics import PhysicsError

    if not args.verbose:
        quiet_libraries()
    quiet_writer_threads()
    if launch.device == "cpu" and "OMP_NUM_THREADS" not in os.environ:
        # Policies are small: threads that wait for one another cost more than they bring (ten times the learning time
        # on a busy machine), and the physics has the cores. It also makes results independent of their number.
        torch.set_num_threads(1)
    failure: BaseException | None = None
    launcher_args = {"device": launch.device, "headless": visualizer is None, "verbose": args.verbose}
    if visualizer is not None:
        launcher_args["visualizer"] = visualizer.split(",")
    with launch_simulation(launch.env_cfg, launcher_args):
        env = None
        try:
            # Isaac Lab seeds when it creates the environment; a draw before that would already be random.
            configure_seed(launch.agent_cfg.seed, torch_deterministic=args.deterministic)
            with quiet(args.verbose):
                env = gym.make(launch.task, cfg=launch.env_cfg)
                for wrap in wrappers:
                    env = wrap(env)
                wrapped = RslRlVecEnvWrapper(env, clip_actions=launch.agent_cfg.clip_actions)
            yield wrapped
        except expected_errors() as error:
            failure = error
        except (PhysicsError, AssetCacheError) as error:
            failure = UserError(str(error))
        except OSError as error:
            failure = _explained(error, launch.task)
            if failure is None:
                raise
        finally:
            if env is not None:
                with quiet(args.verbose):
                    env.close()
    if failure is not None:
        raise failure


def _explained(error: OSError, task: str) -> UserError | None:
    """What to do about a full disk or an asset that cannot be downloaded; None for all else."""
    if error.errno in STORAGE_ERRORS:
        return UserError(f"{error.filename or task}: {error.strerror}; free some space or choose another place.")
    if isinstance(error, FileNotFoundError) and "://" in str(error):
        remedy = "connect to the network, or name a copy of the assets in ISAACSIM_ASSET_ROOT"
        return UserError(f"--task {task}: an asset cannot be downloaded ({error}); {remedy}.")
    return None
