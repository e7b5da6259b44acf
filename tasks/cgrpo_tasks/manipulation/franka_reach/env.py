# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Environment of the reaching task."""

import torch

from isaaclab.envs import ManagerBasedRLEnv

from .hand_pose_command import HandPoseCommand


class FrankaReachEnv(ManagerBasedRLEnv):
    """`ManagerBasedRLEnv` that publishes how each finished episode ended.

    ``extras["outcome"]`` maps ``success`` and ``success_strict`` to bool ``[E]``, ``extras["outcome_value"]`` maps
    ``position_error`` [m] and ``orientation_error`` [rad] to float ``[E]``. Entry e is about env e's most recently
    finished episode and changes only when env e is reset.
    """

    def _reset_idx(self, env_ids: torch.Tensor | slice) -> None:
        # Managers are reset after the robot has been moved to its start; the final pose can only be read here.
        command: HandPoseCommand = self.command_manager.get_term("ee_pose")
        finished = torch.zeros(self.num_envs, dtype=torch.bool, device=self.device)
        finished[env_ids] = True
        # An env that has not stepped since its reset, as at the very first one, has not finished an episode.
        finished &= self.episode_length_buf > 0
        command.record_outcome(finished)
        self.extras["outcome"] = command.outcome
        self.extras["outcome_value"] = command.outcome_value
        super()._reset_idx(env_ids)
