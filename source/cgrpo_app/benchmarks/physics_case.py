# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""One case of the physics benchmark: ``python -m cgrpo_app.benchmarks.physics_case TASK CASE ENVS SECONDS DEVICE``.

The last line of its output is a JSON object of rates [env-steps/s] by case name.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import torch
from mujoco.rollout import Rollout

TURNS = 5
"""Bare MuJoCo and the environment are measured in turns, as other load on the machine comes and goes."""

RECORDED_STEPS = 32
"""Environment steps whose controls bare MuJoCo repeats."""


def main(task: str, case: str, num_envs: int, seconds: float, device: str) -> dict[str, float]:
    """Measure one case.

    Args:
        task: Registered task id.
        case: See :data:`cgrpo_app.benchmarks.physics.CASES`; ``mujoco`` measures bare ``mujoco.rollout`` too.
        num_envs: Number of environments E.
        seconds: Time to measure [s].
        device: Device of the simulation.

    Returns:
        Rates [env-steps/s] by case; empty where Isaac Lab's own manager lacks what the task needs.
    """
    if case == "gymnasium":
        return _rates({case: _official(task, num_envs)}, seconds, device)
    cfg = _configure(task, case, num_envs, device)
    if cfg is None:
        return {}
    env = gym.make(task, cfg=cfg).unwrapped
    env.reset()
    generator = torch.Generator().manual_seed(0)
    actions = torch.rand((RECORDED_STEPS, num_envs, env.single_action_space.shape[0]), generator=generator) * 2 - 1
    actions = actions.to(device)
    index = iter(range(sys.maxsize))

    def step_env() -> int:
        env.step(actions[next(index) % RECORDED_STEPS])
        return num_envs

    for _ in range(10):
        step_env()
    if case == "mujoco_warp":
        return _rates({case: _bare_warp(env)}, seconds, device)
    measured = {case: step_env}
    if case == "mujoco":
        measured["mujoco.rollout"] = _bare_rollout(env, step_env)
    return _rates(measured, seconds, device)


def _configure(task: str, case: str, num_envs: int, device: str) -> Any:
    """The task's configuration on the physics of the case; None where the stock manager cannot simulate the task."""
    from isaaclab_newton.physics import MJWarpSolverCfg, NewtonCfg

    from isaaclab_tasks.utils import load_cfg_from_registry, resolve_presets

    import cgrpo_tasks  # noqa: F401  registers the tasks where the project is not installed

    cfg = load_cfg_from_registry(task, "env_cfg_entry_point")
    cfg = resolve_presets(cfg, ["mujoco" if case == "mujoco" else "newton_mjwarp"])
    if case == "stock":
        ours = cfg.sim.physics
        if ours.solver_cfg.mjdata_fields or ours.solver_cfg.mjcf_values:
            return None
        names = {field.name for field in fields(MJWarpSolverCfg)} - {"class_type"}
        solver = MJWarpSolverCfg(**{name: vars(ours.solver_cfg)[name] for name in names})
        cfg.sim.physics = NewtonCfg(solver_cfg=solver, num_substeps=ours.num_substeps)
    cfg.scene.num_envs, cfg.sim.device, cfg.seed = num_envs, device, 0
    return cfg


def official_id(task: str) -> str:
    """Id that an official environment of a task would have."""
    return f"{task.removesuffix('-CGRPO')}-v4"


def _official(task: str, num_envs: int) -> Callable[[], int]:
    """The official environment's vector environment under random actions."""
    envs = gym.make_vec(official_id(task), num_envs=num_envs, vectorization_mode="sync")
    envs.reset(seed=0)
    envs.action_space.seed(0)
    actions = [envs.action_space.sample() for _ in range(RECORDED_STEPS)]
    index = iter(range(sys.maxsize))

    def step_official() -> int:
        envs.step(actions[next(index) % RECORDED_STEPS])
        return num_envs

    return step_official


def _bare_warp(env: Any) -> Callable[[], int]:
    """MuJoCo Warp on the running environment's model and its last controls, without anything in between.

    On a GPU the kernels are replayed as one graph, on a CPU, where Warp users have no graphs, they are launched.
    """
    import mujoco_warp
    import warp as wp

    solver = env.sim.physics_manager._solver
    physics_steps = env.cfg.decimation * env.cfg.sim.physics.num_substeps

    def step_warp() -> int:
        for _ in range(physics_steps):
            mujoco_warp.step(solver.mjw_model, solver.mjw_data)
        return env.num_envs

    with wp.ScopedDevice(solver.model.device):
        step_warp()
        if not wp.get_device().is_cuda:
            return step_warp
        with wp.ScopedCapture() as capture:
            step_warp()

    def replay() -> int:
        wp.capture_launch(capture.graph)
        return env.num_envs

    return replay


def _bare_rollout(env: Any, step_env: Callable[[], int]) -> Callable[[], int]:
    """``mujoco.rollout`` over the models and controls of the running environment, without anything in between."""
    solver = env.sim.physics_manager._solver
    physics_steps = env.cfg.decimation * env.cfg.sim.physics.num_substeps
    initial_state = solver.state.copy()
    controls = []
    for _ in range(RECORDED_STEPS):
        step_env()
        control_spec, values = solver.inputs()
        controls.append(values)
    controls = np.repeat(np.stack(controls, axis=1), physics_steps, axis=1)
    trajectory = np.empty((*controls.shape[:2], initial_state.shape[1]))
    threads = len(os.sched_getaffinity(0))
    pool = Rollout(nthread=0 if threads == 1 else threads)
    data = [mujoco.MjData(solver.models[0]) for _ in range(threads)]

    def step_bare() -> int:
        pool.rollout(
            solver.models,
            data,
            initial_state,
            controls,
            control_spec=control_spec,
            skip_checks=True,
            nstep=controls.shape[1],
            state=trajectory,
        )
        return len(initial_state) * RECORDED_STEPS

    return step_bare


def _rates(measured: dict[str, Callable[[], int]], seconds: float, device: str) -> dict[str, float]:
    """Env-steps per second of each function, measured in turns."""
    steps, elapsed = dict.fromkeys(measured, 0), dict.fromkeys(measured, 0.0)
    for _ in range(TURNS):
        for name, step in measured.items():
            start = time.perf_counter()
            while time.perf_counter() - start < seconds / TURNS:
                steps[name] += step()
            if device != "cpu":
                torch.cuda.synchronize(device)
            elapsed[name] += time.perf_counter() - start
    return {name: steps[name] / elapsed[name] for name in measured}


if __name__ == "__main__":
    task_id, case_name, envs, duration, target = sys.argv[1:]
    rates = main(task_id, case_name, int(envs), float(duration), target)
    # Isaac Lab prints as it closes; the result must be the last line, so the process ends right after it.
    print(json.dumps(rates), flush=True)
    os._exit(0)
