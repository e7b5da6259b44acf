# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The training loop: rsl_rl's on-policy runner with exact resume, finite checks and files a person can read."""

import logging
import time
from pathlib import Path
from typing import Any, Protocol

import torch
from rsl_rl.env import VecEnv
from rsl_rl.runners import OnPolicyRunner
from tensordict import TensorDict

from cgrpo_lab import distributed
from cgrpo_lab.algorithms.config import ConfigError
from cgrpo_lab.runners.checkpoint import (
    first_nonfinite,
    random_state,
    read_checkpoint,
    restore_random_state,
    write_checkpoint,
)
from cgrpo_lab.runners.curves import draw_curves
from cgrpo_lab.runners.episode_statistics import EpisodeStatistics
from cgrpo_lab.runners.finite_check import FiniteCheck, NonFiniteError
from cgrpo_lab.runners.interrupt import Interrupt
from cgrpo_lab.runners.replay_file import kept_replay, read_replay
from cgrpo_lab.runners.run_log import RunLog

logger = logging.getLogger(__name__)

CURVES_INTERVAL_S = 60.0
"""Least time [s] from one drawing of the curves to the next: it takes a second or two, and checkpoints are frequent."""


class EnvState(Protocol):
    """Saves and restores everything an environment carries from one step to the next."""

    def state_dict(self) -> dict[str, Any]:
        """State as tensors and plain values."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state of an environment with the same settings."""


class CGRPORunner(OnPolicyRunner):
    """Trains any algorithm with rsl_rl's interface (CGRPO, PPO) in an Isaac Lab environment.

    Differences from its base class: a resumed run goes on exactly where it stopped, ``model_<n>.pt`` holds the state
    after n iterations, nothing waits for the device inside the rollout, NaN and Inf are named and never saved, and an
    interrupt ends the run after the current iteration. Where :mod:`cgrpo_lab.distributed` has joined several processes
    they learn as one; the main process writes and prints.
    """

    def __init__(
        self,
        env: VecEnv,
        train_cfg: dict[str, Any],
        log_dir: str | None = None,
        device: str = "cpu",
        *,
        env_state: EnvState | None = None,
        obs_names: dict[str, list[str]] | None = None,
        verbose: bool = False,
    ) -> None:
        """Build algorithm and bookkeeping.

        Args:
            env: The environment.
            train_cfg: The runner's config as a dictionary; see :class:`OnPolicyRunner`.
            log_dir: Folder of the run; None writes nothing.
            device: Device to learn on.
            env_state: Saves the environment with each checkpoint; without it a resumed run starts new episodes.
            obs_names: Names of the entries of each observation group, for error messages.
            verbose: Print every metric instead of one line.

        Raises:
            ConfigError: If a setting cannot be used.
        """
        for name in ("num_steps_per_env", "save_interval"):
            if not isinstance(train_cfg[name], int) or train_cfg[name] < 1:
                raise ConfigError(f"{name}={train_cfg[name]!r}: must be a whole number of at least 1.")
        super().__init__(env, train_cfg, log_dir, device)
        self.log_dir = Path(log_dir) if log_dir is not None else None
        self.env_state = env_state
        self.statistics = EpisodeStatistics(env.num_envs, device)
        self.run_log = RunLog(self.logger, self.log_dir, verbose)
        self.total_steps = 0
        self.wall_time = 0.0
        self.best_return = float("-inf")
        self.interrupt = Interrupt()
        self.interrupted = False
        self.last_metrics: dict[str, float] = {}
        self._advantage_time = 0.0
        self._curves_time = float("-inf")
        self._restored_env: dict[str, Any] | None = None
        self._has_begun = False
        self._finite = self._make_finite_check(env, obs_names or {})

    def _configure_multi_gpu(self) -> None:
        """Take the group of processes there is; rsl_rl would make one, for CUDA only."""
        self.is_distributed = distributed.is_active()
        self.gpu_world_size, self.gpu_global_rank = distributed.world_size(), distributed.rank()
        self.cfg["multi_gpu"] = None
        if self.is_distributed:
            self.cfg["multi_gpu"] = {"world_size": self.gpu_world_size, "global_rank": self.gpu_global_rank}

    def _make_finite_check(self, env: VecEnv, obs_names: dict[str, list[str]]) -> FiniteCheck:
        """Finite check over all observation groups side by side."""
        names = []
        for group, values in env.get_observations().items():
            names += obs_names.get(group, [f"{group}[{i}]" for i in range(values.shape[-1])])
        return FiniteCheck(env.num_envs, len(names), env.num_actions, self.device, names)

    # -- Training ----------------------------------------------------------------------------------------------------

    def learn(self, num_learning_iterations: int, init_at_random_ep_len: bool = False) -> None:
        """Train for ``num_learning_iterations`` more iterations.

        Args:
            num_learning_iterations: Iterations to add to those done.
            init_at_random_ep_len: Give every environment a random age, so that their episodes do not end together.

        Raises:
            NonFiniteError: If a rollout holds NaN or Inf and the algorithm is set to stop.
            CheckpointError: If a checkpoint cannot be written.
            PeerError: If another process of the job has ended or does not answer.
        """
        with distributed.explained():
            self._learn(num_learning_iterations, init_at_random_ep_len)

    def _learn(self, num_learning_iterations: int, init_at_random_ep_len: bool) -> None:
        """See :meth:`learn`."""
        obs = self._start(init_at_random_ep_len)
        total = self.current_learning_iteration + num_learning_iterations
        begin, earlier = time.monotonic(), self.wall_time
        with self.run_log.close_at_end(), self.interrupt.watch():
            for done in range(1, num_learning_iterations + 1):
                tick = time.monotonic()
                with torch.inference_mode():
                    obs = self._collect(obs)
                tock = time.monotonic()
                losses = self._learn_from_rollout(obs)
                now = time.monotonic()
                self.current_learning_iteration += 1
                self.total_steps += self._steps_per_iteration
                self.wall_time = earlier + now - begin
                eta = (now - begin) / done * (num_learning_iterations - done)
                # Asked once: an interrupt after this line ends the run, with its checkpoint, one iteration later.
                is_interrupted = distributed.any_of(self.interrupt.requested)
                is_last = done == num_learning_iterations or is_interrupted
                self._log(losses, tock - tick, now - tock, total, eta, is_last)
                if is_last or self.current_learning_iteration % self.cfg["save_interval"] == 0:
                    self._save_checkpoint(is_last)
                if is_last:
                    self.interrupted = is_interrupted
                    break

    def _start(self, init_at_random_ep_len: bool) -> TensorDict:
        """Bring environment and log to the state the next iteration begins with; returns the observations."""
        if self._restored_env is not None:
            self.env_state.load_state_dict(self._restored_env["env_state"])
            restore_random_state(self._restored_env["random_state"])
            self.alg.load_env_memory(self._restored_env["algorithm"])
            self._restored_env = None
            self.alg.start_episodes(self.env.episode_length_buf.to(self.device))
        elif init_at_random_ep_len and not self._has_begun:
            self.env.episode_length_buf = torch.randint_like(
                self.env.episode_length_buf, high=int(self.env.max_episode_length)
            )
            ages = self.env.episode_length_buf.to(self.device)
            self.alg.start_episodes(ages)
            self.statistics.begin_midway(ages)
        self._has_begun = True
        if self.is_distributed:
            self.alg.broadcast_parameters()
        self.alg.train_mode()
        self.run_log.start(self.current_learning_iteration)
        return self.env.get_observations().to(self.device)

    @property
    def _steps_per_iteration(self) -> int:
        """Env steps of all processes."""
        return self.cfg["num_steps_per_env"] * self.env.num_envs * self.gpu_world_size

    def _collect(self, obs: TensorDict) -> TensorDict:
        """Act for ``num_steps_per_env`` steps; returns the observations after the last."""
        self._finite.start(torch.cat(list(obs.values()), dim=-1))
        for _ in range(self.cfg["num_steps_per_env"]):
            actions = self.alg.act(obs)
            next_obs, rewards, dones, extras = self.env.step(actions.to(self.env.device))
            obs, rewards, dones = next_obs.to(self.device), rewards.to(self.device), dones.to(self.device)
            self.alg.process_env_step(obs, rewards, dones, extras)
            self.statistics.add_step(rewards, dones, extras)
            self._finite.add_step(torch.cat(list(obs.values()), dim=-1), actions, rewards)
        return obs

    def _learn_from_rollout(self, obs: TensorDict) -> dict[str, float]:
        """Update the policy unless the rollout holds NaN or Inf."""
        culprit = self._finite.joint_report()
        if culprit is None:
            tick = time.monotonic()
            with torch.inference_mode():
                self.alg.compute_returns(obs)
            self._advantage_time = time.monotonic() - tick
            return self.alg.update()
        parameter = first_nonfinite(self.alg.save())
        if culprit.startswith("action") and parameter is not None:
            culprit += f", because {parameter} holds NaN or Inf"
        message = f"NaN or Inf in iteration {self.current_learning_iteration + 1}: {culprit}."
        # Only algorithms with this setting can leave a rollout out.
        choice = self.cfg["algorithm"].get("on_nonfinite")
        if choice != "skip":
            remedy = " agent.algorithm.on_nonfinite=skip goes on without such rollouts." if choice == "stop" else ""
            raise NonFiniteError(f"{message} The last checkpoint is whole.{remedy}")
        logger.warning("%s The policies do not learn from this rollout.", message)
        self.alg.skip_update()
        return {"skipped_updates": 1.0}

    # -- Log and checkpoints -----------------------------------------------------------------------------------------

    def _log(
        self, losses: dict[str, float], collect_s: float, learn_s: float, total: int, eta: float, is_last: bool
    ) -> None:
        """Write one iteration's metrics to TensorBoard, the table and the console."""
        episodes = self.statistics.collect()
        metrics = {f"Loss/{name}": value for name, value in losses.items() if name != "kl"}
        if "kl" in losses:
            metrics["Policy/kl"] = losses["kl"]
        renamed = {"return": "Train/mean_reward", "length": "Train/mean_episode_length"}
        for name, value in episodes.items():
            metrics[name if "/" in name else renamed.get(name, f"Train/{name}")] = value
        for name, value in self.alg.metrics.items():
            metrics[name] = float(value)
        metrics |= {
            "Loss/learning_rate": self.alg.learning_rate,
            "Policy/mean_std": self._mean_std(),
            "Perf/total_fps": self._steps_per_iteration / (collect_s + learn_s),
            "Perf/collection_time": collect_s,
            "Perf/learning_time": learn_s,
            "Perf/advantage_time": self._advantage_time,
        }
        self.last_metrics = {**metrics, "wall_time_s": self.wall_time}
        self.run_log.add(self.current_learning_iteration, total, self.total_steps, self.last_metrics, eta, is_last)

    def _mean_std(self) -> float:
        """Mean standard deviation of the deployed policy's actions."""
        return self.alg.get_policy().output_std.mean().item()

    def _save_checkpoint(self, is_last: bool) -> None:
        """Write a checkpoint, beside it the best one so far, and, once in a while and at the end, the curves."""
        if self.log_dir is None:
            return
        path = self.log_dir / f"model_{self.current_learning_iteration}.pt"
        is_best = self._is_best()
        with kept_replay(self.log_dir, self.current_learning_iteration, self.alg.save().get("replay")):
            self.save(str(path))
        if is_best:
            self.save(str(self.log_dir / "model_best.pt"))
        if distributed.is_main() and (is_last or time.monotonic() - self._curves_time >= CURVES_INTERVAL_S):
            self._curves_time = time.monotonic()
            draw_curves(self.log_dir / "progress.csv", self.log_dir / "curves.png", "/".join(self.log_dir.parts[-2:]))

    def _is_best(self) -> bool:
        """Whether the mean return is the highest so far; any return of whole episodes beats those of shortened ones."""
        mean_return = self.last_metrics.get("Train/mean_reward", float("-inf"))
        if self.last_metrics.get("Train/shortened", 0.0) > 0.0:
            return self.best_return == float("-inf")
        is_best = mean_return > self.best_return
        self.best_return = max(self.best_return, mean_return)
        return is_best

    def save(self, path: str, infos: dict[str, Any] | None = None) -> None:
        """Write a checkpoint that a run can go on from exactly, given the replay of an off-policy algorithm beside it.

        With several processes all of them must call this.

        Args:
            path: File to write.
            infos: Further plain values or tensors to keep.

        Raises:
            CheckpointError: If it cannot be written or a parameter is not finite.
        """
        own = {
            "statistics": self.statistics.state_dict(),
            "random_state": random_state(),
            "env_state": self.env_state.state_dict() if self.env_state is not None else None,
            "algorithm": self.alg.env_memory(),
        }
        processes = distributed.gather(own)
        if not distributed.is_main():
            return
        state = {
            "total_steps": self.total_steps,
            "wall_time": self.wall_time,
            "best_return": self.best_return,
            "processes": processes,
            **(infos or {}),
        }
        content = {**self.alg.save(), "iter": self.current_learning_iteration, "infos": state}
        content.pop("replay", None)
        write_checkpoint(path, content)
        self.logger.save_model(path, self.current_learning_iteration)

    def load(
        self,
        path: str,
        load_cfg: dict[str, bool] | None = None,
        strict: bool = True,
        map_location: str | None = None,
    ) -> dict[str, Any]:
        """Restore a checkpoint of this runner or of rsl_rl's own.

        Args:
            path: File to read.
            load_cfg: rsl_rl's selection; ``iteration: False`` takes over what was learned and starts a new run.
            strict: Whether parameter names must match exactly.
            map_location: Device to load to; the learning device if None.

        Returns:
            What was saved beside the algorithm's state; empty for a checkpoint of rsl_rl's own runner.

        Raises:
            CheckpointError: If the file is missing or damaged.
            ValueError: If the file belongs to another algorithm.
        """
        loaded = read_checkpoint(path, map_location or self.device)
        if load_cfg is None:
            loaded["replay"] = read_replay(Path(path))
        infos = loaded.get("infos") or {}
        if not self.alg.load(loaded, load_cfg, strict):
            return infos
        self.current_learning_iteration = loaded["iter"]
        if "total_steps" in infos:
            self.total_steps, self.wall_time = infos["total_steps"], infos["wall_time"]
            self.best_return = infos["best_return"]
            self._restore_process(infos["processes"])
        return infos

    def _restore_process(self, processes: list[dict[str, Any]]) -> None:
        """Take up what belongs to this process, if as many wrote the checkpoint; means over episodes in any case."""
        fits = len(processes) == self.gpu_world_size
        own = processes[self.gpu_global_rank if fits else 0]
        has_env = self.env_state is not None and own["env_state"] is not None
        self.statistics.load_state_dict(own["statistics"], with_running=fits and has_env)
        if fits and has_env:
            self._restored_env = own
        elif has_env:
            logger.warning(
                "the checkpoint is of %d processes and there are %d now: environments begin new episodes.",
                len(processes),
                self.gpu_world_size,
            )
