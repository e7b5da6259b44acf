# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Start groups: environments in a row that begin their episodes in the same state, under the same command."""

import contextlib
from typing import Any, Protocol, Self, runtime_checkable

import torch

from isaaclab.envs import ManagerBasedRLEnv

from cgrpo_app.errors import UserError
from cgrpo_lab.advantages import Episode
from cgrpo_lab.algorithms import CGRPO
from cgrpo_lab.runners import CGRPORunner


@runtime_checkable
class CopiesStarts(Protocol):
    """Direct environment that can give the present state of some envs to others."""

    def copy_starts(self, env_ids: torch.Tensor, source_ids: torch.Tensor) -> None:
        """Put envs ``[R]`` into the states of others ``[R]``."""


class GroupResets:
    """Gives the envs of a start group the start of its first one, whenever all of them are reset in one step.

    That is what the ``episode`` estimator compares. Env ``e`` belongs to start group ``e // group_size``. In
    manager-based environments, state goes through Isaac Lab's scene (``get_state``, ``reset_to``); commands and their
    timers are copied from the buffers of the command terms. Direct ones copy themselves (:class:`CopiesStarts`). What
    an environment carries beside these (warm starts of a solver, delays of an actuator) is not copied, so equal actions
    lead to equal motion up to that.

    All envs share one clock, whose period is the episode's length: an env that falls and is reset on its own keeps its
    own start, and is cut when the clock runs out, so that its group begins together again. The clock starts with the
    ``with`` block, which resets all envs; after the block the environment resets as before.
    """

    def __init__(self, env: Any, group_size: int) -> None:
        """Check that the environment can be divided.

        Args:
            env: Environment, not wrapped.
            group_size: Envs that share their starts.

        Raises:
            UserError: If the environments cannot be divided into groups, or their states cannot be copied.
        """
        if group_size < 2 or env.num_envs % group_size:
            raise UserError(
                f"group_size={group_size}: must be at least 2 and divide num_envs={env.num_envs}; use --num_envs "
                f"{max(env.num_envs // max(group_size, 1), 1) * max(group_size, 2)}."
            )
        if not isinstance(env, (ManagerBasedRLEnv, CopiesStarts)):
            raise UserError(
                f"estimator='episode': {type(env).__name__} cannot copy starts; choose another estimator or --agent."
            )
        self.env, self.group_size = env, group_size
        self.period = int(env.max_episode_length)
        self._reset_alone = env._reset_idx

    def __enter__(self) -> Self:
        """Take part in the environment's resets, beginning with one of all envs."""
        # Between reset and observation, so that a step's observations already show the common start.
        self.env._reset_idx = self._reset_idx
        self._clock_start = self.env.common_step_counter
        self.env.reset()
        return self

    def __exit__(self, *exception: object) -> None:
        """Leave the environment's resets to itself."""
        del self.env._reset_idx

    def _reset_idx(self, env_ids: torch.Tensor | slice) -> None:
        """Reset environments ``[R]`` as the task does, then copy the starts of the groups that are complete."""
        self._reset_alone(env_ids)
        self.env.episode_length_buf[env_ids] = (self.env.common_step_counter - self._clock_start) % self.period
        is_reset = torch.zeros(self.env.num_envs, dtype=torch.bool, device=self.env.device)
        is_reset[env_ids] = True
        together = is_reset.view(-1, self.group_size).all(dim=1).repeat_interleave(self.group_size)
        members = together.nonzero().squeeze(1)
        if len(members):
            self._copy_starts(members, members - members % self.group_size)

    def _copy_starts(self, members: torch.Tensor, firsts: torch.Tensor) -> None:
        """Give envs ``[R]`` the states and commands of others ``[R]``."""
        env = self.env
        if isinstance(env, CopiesStarts):
            env.copy_starts(members.int(), firsts)
            return
        state = _rows(env.scene.get_state(is_relative=True), firsts)
        env.scene.reset_to(state, env_ids=members.int(), is_relative=True)
        for name in env.command_manager.active_terms:
            for value in vars(env.command_manager.get_term(name)).values():
                if isinstance(value, torch.Tensor) and value.dim() and len(value) == env.num_envs:
                    value[members] = value[firsts]


def start_groups(runner: CGRPORunner) -> contextlib.AbstractContextManager:
    """Context to train in: start groups where the estimator is ``episode``, nothing special for all others.

    Raises:
        UserError: If the estimator's groups or the length of a rollout do not fit the environment.
    """
    if not isinstance(runner.alg, CGRPO) or not isinstance(runner.alg.estimator, Episode):
        return contextlib.nullcontext()
    steps, length = runner.cfg["num_steps_per_env"], int(runner.env.max_episode_length)
    if steps % length:
        raise UserError(
            f"agent.num_steps_per_env={steps}: estimator='episode' judges whole episodes, which last {length} steps; "
            f"use agent.num_steps_per_env={max(round(steps / length), 1) * length}."
        )
    return GroupResets(runner.env.unwrapped, runner.alg.estimator.group_size)


def _rows(state: dict[str, Any], rows: torch.Tensor) -> dict[str, Any]:
    """The rows ``[R]`` of every tensor ``[E, ...]`` in a nested dictionary."""
    return {name: _rows(value, rows) if isinstance(value, dict) else value[rows] for name, value in state.items()}
