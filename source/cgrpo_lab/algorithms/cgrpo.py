# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Continuous Group Relative Policy Optimization (arXiv 2507.19555, Algorithm 1) behind rsl_rl's algorithm interface."""

from collections.abc import Iterator
from typing import Any

import torch
from rsl_rl.env import VecEnv
from rsl_rl.modules import EmpiricalNormalization
from tensordict import TensorDict

from cgrpo_lab import distributed
from cgrpo_lab.advantages import GroupAdvantages
from cgrpo_lab.algorithms import objective
from cgrpo_lab.algorithms.construction import Parts, make_parts
from cgrpo_lab.algorithms.diagnostics import diagnose
from cgrpo_lab.algorithms.group_adam import GroupAdam
from cgrpo_lab.algorithms.learning_rate import LearningRate
from cgrpo_lab.algorithms.loss import Comparison, Loss, LossLog
from cgrpo_lab.algorithms.mini_batches import MiniBatch, mini_batches
from cgrpo_lab.algorithms.observation_sets import select
from cgrpo_lab.algorithms.replacement import replace_weakest
from cgrpo_lab.algorithms.sharing import SharedExperience, leader_mask, share
from cgrpo_lab.clustering import KMeans
from cgrpo_lab.policies import DeployedPolicy
from cgrpo_lab.reference import MixtureReference

SCORE_MEMORY = 0.9
"""A policy's score is a running mean of its reward per step; this much of it is kept each iteration."""


class CGRPO:
    """Trains N policies from group-relative advantages, without a critic network.

    One iteration, in the words of Algorithm 1: :meth:`act` and :meth:`process_env_step` collect the trajectories (lines
    4 to 8); :meth:`compute_returns` clusters the policies (10), clusters states and computes advantages (12 to 21), and
    normalises them within groups (23 to 26); :meth:`update` updates the policies (28 to 31) and the reference (33).
    """

    def __init__(self, parts: Parts) -> None:
        """Assemble the algorithm; :meth:`construct_algorithm` makes the parts from a runner's config."""
        self.device, self.cfg = parts.device, parts.cfg
        self.obs_groups, self.generator = parts.obs_groups, parts.generator
        self.policy = parts.policy.to(self.device)
        self.estimator = parts.estimator.to(self.device)
        self.rollout = parts.rollout
        self.state_normalizer = EmpiricalNormalization(self.rollout.states.shape[-1]).to(self.device)
        size = self.cfg.reference_size
        self.reference = MixtureReference(self.policy, size).to(self.device) if size else None
        self.distribution = torch.compile(self.policy.distribution) if self.cfg.compile else self.policy.distribution
        self.optimizer = GroupAdam(self.policy.vectors, max_grad_norm=self.cfg.max_grad_norm)
        self.rate = LearningRate(self.cfg, parts.max_iterations)
        self.iteration = 0
        self.scores = torch.zeros(self.cfg.num_policies, device=self.device)
        self.comparison: Comparison | None = None
        self.metrics: dict[str, torch.Tensor] = {}

    @staticmethod
    def construct_algorithm(obs: TensorDict, env: VecEnv, cfg: dict[str, Any], device: str) -> "CGRPO":
        """Build the algorithm from a runner's config, as rsl_rl's runner asks; see :func:`make_parts`."""
        return CGRPO(make_parts(obs, env, cfg, device))

    # -- Data collection (Algorithm 1, lines 3 to 8) -----------------------------------------------------------------

    @torch.no_grad()
    def act(self, obs: TensorDict) -> torch.Tensor:
        """Sample an action for every environment from the policy it belongs to.

        Args:
            obs: Observation groups, each [E, ...].

        Returns:
            Actions to execute, shape [E, A].
        """
        seen, states = select(obs, self.obs_groups["actor"]), select(obs, self.obs_groups["state"])
        mean = self.policy(seen.view(self.cfg.num_policies, -1, seen.shape[-1]))
        samples = self.policy.sample(mean, self.generator)
        self.rollout.add_action(seen, states, samples.flatten(0, 1), mean.flatten(0, 1))
        return self.policy.to_action(samples).flatten(0, 1)

    @torch.no_grad()
    def process_env_step(
        self, obs: TensorDict, rewards: torch.Tensor, dones: torch.Tensor, extras: dict[str, Any]
    ) -> None:
        """Record the answer of the environments; ``rewards`` and ``dones`` have shape [E]."""
        dones = dones.bool()
        time_outs = torch.zeros_like(dones)
        if "time_outs" in extras:
            time_outs = extras["time_outs"].to(self.device).bool() & dones
        self.rollout.add_outcome(rewards, dones & ~time_outs, time_outs)

    # -- Clustering and advantages (lines 9 to 26) -------------------------------------------------------------------

    def compute_returns(self, obs: TensorDict) -> None:
        """Turn the finished rollout into group-normalised advantages; ``obs`` follows its last step."""
        # rsl_rl calls this in inference mode, whose tensors could neither be trained on nor restored later.
        with torch.inference_mode(False), torch.no_grad():
            self._finish_rollout(obs)
            mean_reward = distributed.all_mean(self.rollout.per_policy(self.rollout.rewards).mean(dim=1))
            self.scores = mean_reward if self.iteration == 0 else self.scores.lerp(mean_reward, 1.0 - SCORE_MEMORY)
            features = self._trajectory_features(mean_reward) if self.cfg.num_groups > 1 else None
            groups = self._cluster_policies(features)
            estimate = self.estimator(self.rollout)
            self.comparison, degenerate = self._compare(estimate, groups, features)
            self.metrics = {
                **{f"Advantage/{name}": value for name, value in estimate.diagnostics.items()},
                "Group/zero_variance": degenerate,
                **diagnose(self.policy, self.rollout, self.comparison, self.cfg.num_groups),
            }

    def _finish_rollout(self, obs: TensorDict) -> None:
        """Complete the rollout by what is cheaper for all steps at once: densities, normalised states."""
        rollout, policy = self.rollout, self.policy
        rollout.finish(select(obs, self.obs_groups["actor"]), select(obs, self.obs_groups["state"]))
        by_policy = (rollout.num_steps, self.cfg.num_policies, -1, policy.action_dim)
        log_probs = policy.log_prob(rollout.samples.view(by_policy), rollout.means.view(by_policy))
        rollout.log_probs.copy_(log_probs.flatten(1))
        torch.sub(rollout.raw_states, self.state_normalizer._mean, out=rollout.states)
        rollout.states.div_(self.state_normalizer._std + self.state_normalizer.eps)
        rollout.inputs.copy_(policy.obs_normalizer(rollout.observations))

    def _trajectory_features(self, mean_reward: torch.Tensor) -> torch.Tensor:
        """Eq 4 for the policies that collected the rollout, [N] -> [N, 4]."""
        rollout = self.rollout
        kl = torch.zeros_like(mean_reward)
        if self.reference is not None:
            samples = rollout.per_policy(rollout.samples)
            reference = self.reference.log_prob(rollout.per_policy(rollout.inputs[:-1]), samples)
            kl = distributed.all_mean((rollout.per_policy(rollout.log_probs) - reference).mean(dim=1))
        variance = self.policy.log_std.mul(2.0).exp().mean(dim=1)
        return objective.trajectory_features(mean_reward, self.policy.entropy(), variance, kl)

    def _cluster_policies(self, features: torch.Tensor | None) -> torch.Tensor:
        """Eq 5: k-means on the standardised features, [N, 4] -> group of each policy [N]; all in one without any."""
        if features is None:
            return torch.zeros(self.cfg.num_policies, dtype=torch.long, device=self.device)
        points = objective.standardize_features(features)
        groups = KMeans(self.cfg.num_groups, seed=0).fit(points).predict(points)
        distributed.broadcast([groups])
        return groups

    def _compare(
        self, estimate: GroupAdvantages, groups: torch.Tensor, features: torch.Tensor | None
    ) -> tuple[Comparison, torch.Tensor]:
        """Eqs 8 and 9: what the update goes by, and the number of groups without variance."""
        advantages = self.rollout.per_policy(estimate.advantages)
        judged = None if estimate.judged is None else self.rollout.per_policy(estimate.judged)
        normalized, group_std, degenerate = objective.normalize_by_group(
            advantages, groups, self.cfg.num_groups, judged
        )
        clip = torch.full_like(self.scores, self.cfg.clip_param)
        if self.cfg.adaptive_clip:
            _, overall_std, _ = objective.group_statistics(advantages, torch.zeros_like(groups), 1, judged)
            clip = objective.adaptive_clip(self.cfg.clip_param, group_std, overall_std, self.cfg.max_clip_factor)
            clip = clip[groups]
        return Comparison(normalized, clip, groups, features, self.scores), degenerate

    # -- Policy updates (lines 27 to 33) -----------------------------------------------------------------------------

    def update(self) -> dict[str, float]:
        """Several epochs of minibatch steps on all policies at once, then the reference.

        Returns:
            Means over the minibatches by name; rsl_rl logs them as ``Loss/<name>``.
        """
        rate = self.rate.start(self.iteration)
        loss = Loss(self.cfg, self.distribution, self.reference, self.comparison)
        for batch in self._mini_batches():
            loss(batch).backward()
            distributed.average_gradients(self.policy.parameters())
            norms = self.optimizer.step(rate)
            self.policy.limit_noise()
            loss.log.add("nonfinite_gradients", (~norms.isfinite()).sum())
        if self.reference is not None:
            self.reference.update(self.policy, self.scores)
        self._update_normalization()
        self.iteration += 1
        if self.cfg.replace_interval and self.iteration % self.cfg.replace_interval == 0:
            self.scores = replace_weakest(
                self.policy, self.optimizer, self.scores, self.cfg.replace_noise, self.generator
            )
        losses = self._read(loss.log)
        self.rate.adapt(losses["kl"])
        return losses

    def _read(self, log: LossLog) -> dict[str, float]:
        """Means over the minibatches.

        This is the only place where the update waits for the device.
        """
        means = log.means(self.comparison.clip)
        values = distributed.all_mean(torch.stack(list(means.values())))
        return dict(zip(means, values.tolist(), strict=True))

    def _mini_batches(self) -> Iterator[MiniBatch]:
        """Minibatches of this iteration."""
        return mini_batches(
            self.rollout,
            self.comparison.advantages,
            self.policy.log_std.detach(),
            num_epochs=self.cfg.num_learning_epochs,
            num_mini_batches=self.cfg.num_mini_batches,
            with_next=self.cfg.smoothness_coef > 0.0,
            generator=self.generator,
            shared=self._share_experience(),
        )

    def _share_experience(self) -> SharedExperience | None:
        """Weights of everybody's samples, where policies learn from one another."""
        if self.cfg.sharing == "own":
            return None
        learns = torch.ones_like(self.scores, dtype=torch.bool)
        if self.cfg.sharing == "leader":
            learns = leader_mask(self.scores)
        shared = share(self.policy, self.rollout, learns)
        self.metrics["Group/foreign_share"] = shared.foreign_share
        return shared

    @torch.no_grad()
    def _update_normalization(self) -> None:
        """Let the normalisers see the rollout, after the update: ratios compare the same inputs during it."""
        self.policy.update_normalization(self.rollout.observations[:-1].flatten(0, 1))
        self.state_normalizer.update(self.rollout.raw_states[:-1].flatten(0, 1))

    # -- What the runner asks for ------------------------------------------------------------------------------------

    def start_episodes(self, ages: torch.Tensor) -> None:
        """Learn how many steps the running episodes are old, [E]; they begin at zero otherwise."""
        self.rollout.clock.copy_(ages)

    def env_memory(self) -> dict[str, torch.Tensor]:
        """What is remembered about each environment: nothing that a rollout does not overwrite."""
        return {}

    def load_env_memory(self, memory: dict[str, torch.Tensor]) -> None:
        """Restore what :meth:`env_memory` returned."""

    def skip_update(self) -> None:
        """Let an iteration pass without learning from its rollout."""
        self.rollout.rewind()
        self.metrics = {}
        self.iteration += 1

    @property
    def learning_rate(self) -> float:
        """Learning rate of the latest iteration, or of the next where it is adaptive."""
        return self.rate.value

    @property
    def groups(self) -> torch.Tensor:
        """Group of each policy in the latest iteration, [N]."""
        return self.comparison.groups

    @property
    def best_policy(self) -> int:
        """Index of the policy with the highest running reward."""
        return int(self.scores.argmax())

    def get_policy(self) -> DeployedPolicy:
        """The best policy, for play and export."""
        return DeployedPolicy(self.policy, self.best_policy, self.obs_groups["actor"])

    def broadcast_parameters(self) -> None:
        """Begin as the main process does, whatever the seeds: rsl_rl's runner calls this where there are several.

        Raises:
            ConfigError: If the processes cannot draw the same random numbers.
        """
        for module in self._modules().values():
            distributed.broadcast(module.state_dict().values())
        distributed.share_random_state(self.generator)

    def train_mode(self) -> None:
        """Let the normalisers learn.

        Raises:
            ConfigError: If the estimator cannot divide the environments; playing takes any number of them.
        """
        self.estimator.check_envs(self.rollout.envs_per_policy)
        self.policy.train()
        self.state_normalizer.train()

    def eval_mode(self) -> None:
        """Freeze the normalisers."""
        self.policy.eval()
        self.state_normalizer.eval()

    def _modules(self) -> dict[str, torch.nn.Module]:
        """Parts with a state of their own, by their name in a checkpoint."""
        modules = {"policy": self.policy, "estimator": self.estimator, "state_normalizer": self.state_normalizer}
        return modules if self.reference is None else {**modules, "reference": self.reference}

    def save(self) -> dict[str, Any]:
        """Everything the algorithm needs to go on, as tensors and plain values."""
        return {
            "algorithm": "cgrpo",
            **{f"{name}_state_dict": module.state_dict() for name, module in self._modules().items()},
            "optimizer_state_dict": self.optimizer.state_dict(),
            "generator_state": self.generator.get_state(),
            "scores": self.scores.clone(),
            "learning_rate": self.rate.value,
            "configured_learning_rate": self.cfg.learning_rate,
            "algorithm_iteration": self.iteration,
        }

    def load(self, loaded_dict: dict[str, Any], load_cfg: dict[str, bool] | None = None, strict: bool = True) -> bool:
        """Restore what :meth:`save` returned.

        Args:
            loaded_dict: A checkpoint.
            load_cfg: rsl_rl's selection; ``optimizer: False`` keeps the fresh optimiser, ``iteration: False`` starts
                counting anew, with fresh random numbers and episodes.
            strict: Whether parameter names must match exactly.

        Returns:
            Whether the runner restores its iteration, too.

        Raises:
            ValueError: If the checkpoint was not written by CGRPO.
        """
        if loaded_dict.get("algorithm") != "cgrpo":
            raise ValueError("checkpoint: was not written by CGRPO; choose the agent it was trained with (--agent).")
        for name, module in self._modules().items():
            module.load_state_dict(loaded_dict[f"{name}_state_dict"], strict=strict)
        if load_cfg is None or load_cfg.get("optimizer", True):
            self.optimizer.load_state_dict(loaded_dict["optimizer_state_dict"])
        self.scores = loaded_dict["scores"].to(self.device)
        goes_on = load_cfg is None or load_cfg.get("iteration", True)
        if goes_on:
            self._restore_progress(loaded_dict)
        return goes_on

    def _restore_progress(self, loaded_dict: dict[str, Any]) -> None:
        """Go on where the checkpoint was written."""
        # Generators keep their state on the CPU; its layout differs between devices, so it moves only within one.
        state = loaded_dict["generator_state"].cpu()
        if state.shape == self.generator.get_state().shape:
            self.generator.set_state(state)
        self.iteration = loaded_dict["algorithm_iteration"]
        configured = loaded_dict.get("configured_learning_rate", self.cfg.learning_rate)
        self.rate.resume(loaded_dict["learning_rate"], configured)
