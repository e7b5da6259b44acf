# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Storage for one iteration's experience of a group of policies."""

import torch


class GroupRollout:
    """Buffers of T steps in E = N * M environments; environment e belongs to policy e // M.

    Observations have T + 1 rows: the last one is what the policies see after the final step.
    """

    def __init__(
        self,
        *,
        num_steps: int,
        num_policies: int,
        envs_per_policy: int,
        obs_dim: int,
        state_dim: int,
        action_dim: int,
        device: torch.device | str,
    ) -> None:
        """Allocate the buffers once; every iteration overwrites them.

        Args:
            num_steps: Steps per environment and iteration T.
            num_policies: Number of policies N.
            envs_per_policy: Environments of each policy M.
            obs_dim: Size of what the policies see D.
            state_dim: Size of what the advantage estimator sees S.
            action_dim: Size of an action A.
            device: Device of all buffers.
        """
        self.num_steps, self.num_policies, self.envs_per_policy = num_steps, num_policies, envs_per_policy
        self.num_envs = num_policies * envs_per_policy
        rows, envs = num_steps, self.num_envs

        def buffer(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
            return torch.zeros(*shape, dtype=dtype, device=device)

        self.observations = buffer(rows + 1, envs, obs_dim)
        """Raw policy observations, [T+1, E, D]."""
        self.inputs = buffer(rows + 1, envs, obs_dim)
        """Policy observations as the policies' normaliser hands them on, [T+1, E, D]."""
        self.raw_states = buffer(rows + 1, envs, state_dim)
        """Raw estimator states, [T+1, E, S]."""
        self.states = buffer(rows + 1, envs, state_dim)
        """Estimator states normalised by their running statistics, [T+1, E, S]."""
        self.samples = buffer(rows, envs, action_dim)
        """Pre-squash actions, [T, E, A]."""
        self.means = buffer(rows, envs, action_dim)
        """Means the samples were drawn around, [T, E, A]."""
        self.log_probs = buffer(rows, envs)
        """Log-probabilities of the samples when they were drawn, [T, E]."""
        self.rewards = buffer(rows, envs)
        """Rewards as the environment paid them, [T, E]."""
        self.terminated = buffer(rows, envs, dtype=torch.bool)
        """True ends of the task, after which nothing is earned, [T, E]."""
        self.time_outs = buffer(rows, envs, dtype=torch.bool)
        """Episodes cut by the clock, [T, E]."""
        self.episode_steps = buffer(rows, envs, dtype=torch.long)
        """Steps since the episode began, at the moment of acting, [T, E]."""
        self._clock = buffer(envs, dtype=torch.long)
        self.step = 0

    @property
    def dones(self) -> torch.Tensor:
        """Ends of episodes for either reason, [T, E]."""
        return self.terminated | self.time_outs

    @property
    def clock(self) -> torch.Tensor:
        """Steps each environment has spent in its running episode, [E]."""
        return self._clock

    def add_action(self, obs: torch.Tensor, states: torch.Tensor, samples: torch.Tensor, means: torch.Tensor) -> None:
        """Record what was seen and done; arguments [E, D], [E, S], [E, A], [E, A]."""
        t = self.step
        self.observations[t].copy_(obs)
        self.raw_states[t].copy_(states)
        self.samples[t].copy_(samples)
        self.means[t].copy_(means)
        self.episode_steps[t].copy_(self._clock)

    def add_outcome(self, rewards: torch.Tensor, terminated: torch.Tensor, time_outs: torch.Tensor) -> None:
        """Record what the environment answered; all arguments [E]."""
        t = self.step
        self.rewards[t].copy_(rewards)
        self.terminated[t].copy_(terminated)
        self.time_outs[t].copy_(time_outs)
        self._clock.add_(1).masked_fill_(terminated | time_outs, 0)
        self.step = t + 1

    def finish(self, obs: torch.Tensor, states: torch.Tensor) -> None:
        """Record the observations [E, D] and states [E, S] after the last step and rewind for the next iteration."""
        self.observations[-1].copy_(obs)
        self.raw_states[-1].copy_(states)
        self.rewind()

    def rewind(self) -> None:
        """Begin the next iteration's rows."""
        self.step = 0

    def per_policy(self, values: torch.Tensor) -> torch.Tensor:
        """Rearrange [T, E, ...] into one row of samples per policy, [N, T * M, ...]; sample t * M + m is env m at t."""
        steps, rest = values.shape[0], values.shape[2:]
        grouped = values.view(steps, self.num_policies, self.envs_per_policy, *rest).transpose(0, 1)
        return grouped.reshape(self.num_policies, steps * self.envs_per_policy, *rest)
