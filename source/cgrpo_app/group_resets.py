# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Start groups: environments in a row that begin their episodes in the same state, under the same command."""

from typing import Any

import torch

from cgrpo_app.errors import UserError


class GroupResets:
    """Gives the envs of a start group the start of its first one, whenever all of them are reset in one step.

    That is what the ``episode`` estimator compares. Env ``e`` belongs to start group ``e // group_size``. State goes
    through Isaac Lab's scene (``get_state``, ``reset_to``); commands and their timers are copied from the buffers of
    the command terms. What an environment carries beside these (warm starts of a solver, delays of an actuator) is not,
    so equal actions lead to equal motion up to that.

    An env that is reset on its own keeps its own start; tasks that end by the clock only stay together. For that their
    clocks must start together: without ``init_at_random_ep_len``, rsl_rl's option that spreads them.
    """

    def __init__(self, env: Any, group_size: int) -> None:
        """Take part in the resets of an environment.

        Args:
            env: Manager-based environment, not wrapped.
            group_size: Envs that share their starts.

        Raises:
            UserError: If the environments cannot be divided into groups.
        """
        if group_size < 2 or env.num_envs % group_size:
            raise UserError(
                f"group_size={group_size}: must be at least 2 and divide num_envs={env.num_envs}; use --num_envs "
                f"{max(env.num_envs // max(group_size, 1), 1) * max(group_size, 2)}."
            )
        self.env, self.group_size = env, group_size
        self._reset_alone = env._reset_idx
        # Between reset and observation, so that a step's observations already show the common start.
        env._reset_idx = self._reset_idx

    def _reset_idx(self, env_ids: torch.Tensor | slice) -> None:
        """Reset environments ``[R]`` as the task does, then copy the starts of the groups that are complete."""
        self._reset_alone(env_ids)
        is_reset = torch.zeros(self.env.num_envs, dtype=torch.bool, device=self.env.device)
        is_reset[env_ids] = True
        together = is_reset.view(-1, self.group_size).all(dim=1).repeat_interleave(self.group_size)
        members = together.nonzero().squeeze(1)
        if len(members):
            self._copy_starts(members, members - members % self.group_size)

    def _copy_starts(self, members: torch.Tensor, firsts: torch.Tensor) -> None:
        """Give envs ``[R]`` the states and commands of others ``[R]``."""
        env = self.env
        state = _rows(env.scene.get_state(is_relative=True), firsts)
        env.scene.reset_to(state, env_ids=members.int(), is_relative=True)
        for name in env.command_manager.active_terms:
            for value in vars(env.command_manager.get_term(name)).values():
                if isinstance(value, torch.Tensor) and value.dim() and len(value) == env.num_envs:
                    value[members] = value[firsts]


def _rows(state: dict[str, Any], rows: torch.Tensor) -> dict[str, Any]:
    """The rows ``[R]`` of every tensor ``[E, ...]`` in a nested dictionary."""
    return {name: _rows(value, rows) if isinstance(value, dict) else value[rows] for name, value in state.items()}
