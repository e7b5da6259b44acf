# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""GRPO's outcome supervision: whole episodes from the same start, compared as wholes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from cgrpo_lab import distributed
from cgrpo_lab.advantages.base import AdvantageEstimator, GroupAdvantages
from cgrpo_lab.validation import ConfigError, require_choice, require_number

if TYPE_CHECKING:
    from cgrpo_lab.rollouts import GroupRollout

logger = logging.getLogger(__name__)

NORMALIZATIONS = ["leave_one_out", "mean", "std"]
"""What an outcome is compared with: the mean of the others (RLOO, Ahmadian et al. 2024), the mean of the group
(Dr. GRPO, Liu et al. 2025), or that in standard deviations of the group (GRPO, Shao et al. 2024)."""

SAME = 0.2
"""Normalised states no further apart than this, in every entry, are the same start; observations may be noisy."""


class Episode(AdvantageEstimator):
    """The outcome of the whole episode, compared within its group, is the advantage of every step of it.

    Contract with the environment: env ``e`` belongs to start group ``e // group_size``, and the envs of a start group
    begin together, in the same state and under the same command. One that ends before the others may do what it likes
    until the next common start. A *group* is the episodes that all envs of a start group begin at the same step.

    A group is judged if all of its episodes began and ended inside the rollout, and their outcomes differ. Episodes cut
    by the rollout have no outcome yet, and judging only the finished part of a group would compare the quick ones with
    each other; the steps before a rollout cannot be taught any more, as the policy that took them is gone. So rollouts
    should be as long as episodes and begin with them. Steps not judged have advantage zero.

    The outcome is the discounted sum of the rewards from the episode's start. The end by the clock is part of the task
    here, so termination and time-out are alike and nothing is bootstrapped. Nothing is remembered between iterations.
    """

    def __init__(
        self,
        *,
        num_states: int,
        device: str | torch.device,
        generator: torch.Generator,
        gamma: float = 0.99,
        group_size: int = 8,
        normalization: str = "leave_one_out",
    ):
        """Choose the groups.

        Args:
            num_states: Size ``S`` of a state.
            device: Device of the rollouts.
            generator: Not drawn from: nothing here is random.
            gamma: Discount factor of one step; 1 counts all rewards alike.
            group_size: Envs that share their starts ``G``.
            normalization: One of :data:`NORMALIZATIONS`.

        Raises:
            ValueError: If an option is out of its bounds or unknown.
        """
        super().__init__(num_states=num_states, device=device, generator=generator, gamma=gamma)
        require_number("group_size", group_size, at_least=2, integer=True)
        require_choice("normalization", normalization, NORMALIZATIONS)
        self.group_size = group_size
        self.normalization = normalization
        self._warned: set[str] = set()

    def check_envs(self, envs_per_policy: int) -> None:
        """Raise a ConfigError unless the environments of a policy can be divided into groups."""
        if envs_per_policy % self.group_size:
            raise ConfigError(
                f"group_size = {self.group_size} does not divide the {envs_per_policy} environments of a policy: "
                "choose another estimator_options.group_size or --num_envs"
            )

    @torch.no_grad()
    def forward(self, rollout: GroupRollout) -> GroupAdvantages:
        """Compare the outcomes of whole episodes.

        Args:
            rollout: States ``[T+1, E, S]``, rewards, terminations, time-outs and episode steps ``[T, E]``.

        Returns:
            Advantages, baseline, the mask of the steps judged (all ``[T, E]``) and diagnostics. The baseline is an
            outcome; with ``std`` the advantages are in standard deviations.

        Raises:
            ConfigError: If the environments of a policy cannot be divided into groups.
        """
        self.check_envs(rollout.envs_per_policy)
        episodes = Episodes.of(rollout, self.gamma)
        outcomes = episodes.outcomes.unflatten(1, (-1, self.group_size))
        complete = episodes.complete.unflatten(1, (-1, self.group_size)).all(dim=2, keepdim=True)
        mean, std = outcomes.mean(dim=2, keepdim=True), outcomes.std(dim=2, keepdim=True)
        # What rounding leaves of equal outcomes is no difference.
        equal = complete & (std <= 1e-6 * mean.abs())
        baseline = mean
        if self.normalization == "leave_one_out":
            baseline = (outcomes.sum(dim=2, keepdim=True) - outcomes) / (self.group_size - 1)
        advantages = outcomes - baseline
        if self.normalization == "std":
            advantages = advantages / torch.where(equal, 1.0, std)
        judged = (complete & ~equal).expand_as(outcomes)
        unequal = complete & self._starts_differ(rollout)[..., None]
        diagnostics = self._diagnostics(episodes.pick(judged), complete, equal, unequal)
        dtype = rollout.rewards.dtype
        return GroupAdvantages(
            episodes.pick(torch.where(judged, advantages, 0.0)).to(dtype),
            episodes.pick(torch.where(judged, baseline, 0.0)).to(dtype),
            diagnostics,
            episodes.pick(judged),
        )

    def _starts_differ(self, rollout: GroupRollout) -> Tensor:
        """Whether the states of a start group differ, at every step, ``[T+1, E/G]`` bool."""
        states = rollout.states.unflatten(1, (-1, self.group_size))
        return ((states - states[:, :, :1]).abs() > SAME).flatten(2).any(dim=2)

    def _diagnostics(self, judged: Tensor, complete: Tensor, equal: Tensor, unequal: Tensor) -> dict[str, Tensor]:
        """Count what was judged, and say once what keeps the estimator from working."""
        count, num_equal, num_unequal = distributed.all_sum(
            torch.stack((complete.sum(), equal.sum(), unequal.sum())).float()
        )
        diagnostics = {
            "judged_share": distributed.all_mean(judged.float().mean()),
            "complete_groups": count,
            "zero_variance_groups": num_equal,
            "unequal_starts": num_unequal / count.clamp_min(1),
        }
        num_complete, share_unequal = torch.stack((count, diagnostics["unequal_starts"])).tolist()
        if not num_complete:
            self._warn_once(
                "incomplete",
                "no start group began and ended all its episodes inside the rollout, so nothing is learnt from it."
                " Give num_steps_per_env at least the length of an episode and reset the environments together",
            )
        elif share_unequal:
            self._warn_once(
                "unequal",
                f"the episodes of {share_unequal:.0%} of the start groups do not begin in the same state: what is"
                f" compared is luck of the start, too. Reset each {self.group_size} environments in a row to one state",
            )
        return diagnostics

    def _warn_once(self, kind: str, message: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            logger.warning(message)


class Episodes(NamedTuple):
    """The episodes of a rollout by the step at which they begin; in the last row what began before the rollout."""

    starts: Tensor
    """Step at which each step's episode began, ``[T, E]`` int64; T if that was before the rollout."""
    outcomes: Tensor
    """Discounted rewards of the episode that begins at a step, ``[T+1, E]`` float64."""
    complete: Tensor
    """Whether an episode begins at a step and ends inside the rollout, ``[T+1, E]`` bool."""

    def pick(self, table: Tensor) -> Tensor:
        """Look up each step's episode in a table ``[T+1, E/G, G]``: ``[T, E]``."""
        return table.flatten(1).gather(0, self.starts)

    @staticmethod
    def of(rollout: GroupRollout, gamma: float) -> Episodes:
        """Sum up the episodes of a rollout.

        Args:
            rollout: Rewards, ends and episode steps ``[T, E]``.
            gamma: Discount factor of one step.

        Returns:
            The episodes.
        """
        num_steps = len(rollout.rewards)
        steps = torch.arange(num_steps, device=rollout.rewards.device)[:, None]
        starts = steps - rollout.episode_steps
        starts = torch.where(starts < 0, num_steps, starts)
        keys = (starts * rollout.num_envs + torch.arange(rollout.num_envs, device=starts.device)).flatten()
        rewards = rollout.rewards.double() * gamma ** rollout.episode_steps.double()
        outcomes = rewards.new_zeros(num_steps + 1, rollout.num_envs)
        ends = torch.zeros_like(outcomes)
        outcomes.view(-1).index_add_(0, keys, rewards.flatten())
        ends.view(-1).index_add_(0, keys, rollout.dones.double().flatten())
        complete = ends == 1
        complete[-1] = False
        return Episodes(starts, outcomes, complete)
