# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What SAC and TD3 share: a memory of transitions, which goes with the checkpoints."""

from typing import Any

from skrl.memories.torch import RandomMemory

from cgrpo_lab.baselines.config import OffPolicyCfg
from cgrpo_lab.baselines.models import Critic
from cgrpo_lab.baselines.skrl_algorithm import SkrlAlgorithm
from cgrpo_lab.runners.checkpoint import CheckpointError


class OffPolicyAlgorithm(SkrlAlgorithm):
    """Learns from replayed transitions.

    All gradient steps of an iteration follow its last env step, not each env step: a rollout with NaN is found before
    anything is learnt from it, and an iteration of a few steps makes the policy that acts hardly older.
    """

    cfg: OffPolicyCfg

    def _make_memory(self) -> RandomMemory:
        """Memory of the latest transitions, no larger than the run can fill."""
        rows = min(max(self.cfg.replay_size // self.num_envs, 1), self.timesteps)
        # Without replacement skrl shuffles the whole memory for each minibatch.
        return RandomMemory(memory_size=rows, num_envs=self.num_envs, device=self.device, replacement=True)

    def _critics(self) -> dict[str, Critic]:
        """Two critics and their targets."""
        names = ("critic_1", "critic_2", "target_critic_1", "target_critic_2")
        return {name: Critic(*self._network_sizes(), self.device) for name in names}

    def _off_policy_settings(self) -> dict[str, Any]:
        """Settings that both agents have."""
        start = -(-self.cfg.random_steps // self.num_envs)
        return {
            **self._common_settings(),
            "gradient_steps": self.cfg.gradient_steps,
            "batch_size": self.cfg.batch_size,
            "polyak": self.cfg.polyak,
            "random_timesteps": start,
            "learning_starts": start,
        }

    def _progress(self) -> dict[str, Any]:
        """The clock and the memory; the runner keeps ``replay`` with the latest checkpoint only."""
        memory = self.agent.memory
        if memory is None:
            return super()._progress()
        rows = memory.memory_size if memory.filled else memory.memory_index
        replay = {name: tensor[:rows] for name, tensor in memory.tensors.items()}
        return {**super()._progress(), "replay": {"tensors": replay, "next_row": memory.memory_index}}

    def _restore_progress(self, loaded_dict: dict[str, Any]) -> None:
        """Restore clock and memory.

        Raises:
            CheckpointError: If the checkpoint comes without its memory, or the memory is of another size.
        """
        super()._restore_progress(loaded_dict)
        replay = loaded_dict.get("replay")
        if replay is None:
            raise CheckpointError(
                f"--resume: the replay memory of this checkpoint is gone, as {self.name} keeps only the latest; resume "
                "from the latest checkpoint, or start a new run from this one with --checkpoint."
            )
        memory = self.agent.memory
        for name, saved in replay["tensors"].items():
            rows, envs = saved.shape[:2]
            if envs != self.num_envs or rows > memory.memory_size:
                raise CheckpointError(
                    f"--resume: the run was made with {envs} envs and has {rows} rows in its memory; give the same "
                    "--num_envs and agent.algorithm.replay_size."
                )
            memory.tensors[name][:rows].copy_(saved)
        # A run that is made longer gets a larger memory, in which a full smaller one is not full.
        memory.filled = rows == memory.memory_size
        memory.memory_index = replay["next_row"] if memory.filled else rows
