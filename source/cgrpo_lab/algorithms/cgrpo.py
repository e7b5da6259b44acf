# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Continuous Group Relative Policy Optimization (arXiv 2507.19555, Algorithm 1) behind rsl_rl's algorithm interface."""

import logging
from collections.abc import Iterator
from typing import Any

import torch
from rsl_rl.env import VecEnv
from rsl_rl.modules import EmpiricalNormalization
from tensordict import TensorDict

from cgrpo_lab import distributed
from cgrpo_lab.advantages import AdvantageEstimator, make_estimator
from cgrpo_lab.algorithms import objective
from cgrpo_lab.algorithms.config import CGRPOCfg, GroupPolicyCfg
from cgrpo_lab.algorithms.mini_batches import MiniBatch, mini_batches
from cgrpo_lab.algorithms.observation_sets import resolve_obs_groups, select, width
from cgrpo_lab.algorithms.replacement import replace_weakest
from cgrpo_lab.algorithms.sharing import SharedExperience, leader_mask, share
from cgrpo_lab.clustering import KMeans
from cgrpo_lab.policies import DeployedPolicy, GroupPolicy, HiddenLayers, gaussian
from cgrpo_lab.reference import MixtureReference
from cgrpo_lab.rollouts import GroupRollout

logger = logging.getLogger(__name__)

SCORE_MEMORY = 0.9
"""A policy's score is a running mean of its reward per step; this much of it is kept each iteration."""


class CGRPO:
    """Trains N policies from group-relative advantages, without a critic network.

    One iteration, in the words of Algorithm 1: :meth:`act` and :meth:`process_env_step` collect the trajectories (lines
    4 to 8); :meth:`compute_returns` clusters the policies (10), clusters states and computes advantages (12 to 21), and
    normalises them within groups (23 to 26); :meth:`update` updates the policies (28 to 31) and the reference (33).
    """

    def __init__(
        self,
        policy: GroupPolicy,
        estimator: AdvantageEstimator,
        rollout: GroupRollout,
        cfg: CGRPOCfg,
        *,
        obs_groups: dict[str, list[str]],
        max_iterations: int,
        generator: torch.Generator,
        device: torch.device | str,
    ) -> None:
        """Assemble the algorithm from its parts; :meth:`construct_algorithm` builds them from a runner's config.

        Args:
            policy: The group of policies.
            estimator: Turns a rollout into advantages.
            rollout: Buffers of one iteration.
            cfg: Validated settings.
            obs_groups: Observation groups seen by the policies (``actor``) and by the estimator (``state``).
            max_iterations: Iterations of the whole run, for the linear schedule.
            generator: The only source of randomness, on ``device``.
            device: Device of everything.
        """
        self.device, self.cfg, self.obs_groups, self.generator = device, cfg, obs_groups, generator
        self.policy = policy.to(device)
        self.estimator = estimator.to(device)
        self.state_normalizer = EmpiricalNormalization(rollout.states.shape[-1]).to(device)
        self.reference = MixtureReference(self.policy, cfg.reference_size) if cfg.reference_size else None
        self.rollout = rollout
        self.max_iterations = max_iterations
        self.optimizer = torch.optim.Adam(self.policy.parameters(), lr=cfg.learning_rate, fused=True)
        self.learning_rate = cfg.learning_rate
        self.iteration = 0
        self.scores = torch.zeros(cfg.num_policies, device=device)
        self.groups = torch.zeros(cfg.num_policies, dtype=torch.long, device=device)
        self.clip = torch.full((cfg.num_policies,), cfg.clip_param, device=device)
        self.metrics: dict[str, torch.Tensor] = {}

    # -- Construction ------------------------------------------------------------------------------------------------

    @staticmethod
    def construct_algorithm(obs: TensorDict, env: VecEnv, cfg: dict[str, Any], device: str) -> "CGRPO":
        """Build policies, estimator and buffers from a runner's config, as rsl_rl's runner asks.

        Args:
            obs: Observation groups of the environment, each [E, ...].
            env: The environment.
            cfg: The runner's config: ``algorithm``, ``group_policy``, ``obs_groups``, ``num_steps_per_env``,
                ``max_iterations`` and ``seed``.
            device: Device to learn on.

        Raises:
            ConfigError: If a setting cannot be used with this environment.
        """
        algorithm = CGRPOCfg.from_dict(cfg["algorithm"])
        algorithm.check_sizes(env.num_envs, cfg["num_steps_per_env"])
        obs_groups = resolve_obs_groups(obs, cfg["obs_groups"])
        generator = torch.Generator(device).manual_seed(cfg["seed"])
        policy = GroupPolicy(
            num_policies=algorithm.num_policies,
            obs_dim=width(obs, obs_groups["actor"]),
            action_dim=env.num_actions,
            generator=torch.Generator().manual_seed(cfg["seed"]),
            **vars(GroupPolicyCfg.from_dict(cfg["group_policy"])),
        )
        rollout = GroupRollout(
            num_steps=cfg["num_steps_per_env"],
            num_policies=algorithm.num_policies,
            envs_per_policy=env.num_envs // algorithm.num_policies,
            obs_dim=policy.obs_dim,
            state_dim=width(obs, obs_groups["state"]),
            action_dim=env.num_actions,
            device=device,
        )
        estimator = make_estimator(
            algorithm.estimator,
            num_states=rollout.states.shape[-1],
            device=device,
            generator=generator,
            freeze_encoder=lambda: HiddenLayers(policy),
            gamma=algorithm.gamma,
            **algorithm.estimator_options,
        )
        return CGRPO(
            policy,
            estimator,
            rollout,
            algorithm,
            obs_groups=obs_groups,
            max_iterations=cfg["max_iterations"],
            generator=generator,
            device=device,
        )

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
        log_probs = self.policy.log_prob(samples, mean)
        self.rollout.add_action(seen, states, samples.flatten(0, 1), mean.flatten(0, 1), log_probs.flatten())
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
            rollout = self.rollout
            rollout.finish(select(obs, self.obs_groups["actor"]), select(obs, self.obs_groups["state"]))
            torch.sub(rollout.raw_states, self.state_normalizer._mean, out=rollout.states)
            rollout.states.div_(self.state_normalizer._std + self.state_normalizer.eps)

            mean_reward = distributed.all_mean(rollout.per_policy(rollout.rewards).mean(dim=1))
            self.scores = mean_reward if self.iteration == 0 else self.scores.lerp(mean_reward, 1.0 - SCORE_MEMORY)
            if self.cfg.num_groups > 1:
                self._features = self._trajectory_features(mean_reward)
                self.groups = self._cluster_policies(self._features)

            estimate = self.estimator(rollout)
            advantages = rollout.per_policy(estimate.advantages)
            judged = None if estimate.judged is None else rollout.per_policy(estimate.judged)
            normalized, group_std, degenerate = objective.normalize_by_group(
                advantages, self.groups, self.cfg.num_groups, judged
            )
            self._advantages = normalized
            if self.cfg.adaptive_clip:
                _, overall_std, _ = objective.group_statistics(advantages, torch.zeros_like(self.groups), 1)
                by_group = objective.adaptive_clip(
                    self.cfg.clip_param, group_std, overall_std, self.cfg.max_clip_factor
                )
                self.clip = by_group[self.groups]
            self.metrics = {
                **{f"Advantage/{name}": value for name, value in estimate.diagnostics.items()},
                "Group/zero_variance": degenerate,
                **self._policy_rewards(mean_reward),
            }

    def _policy_rewards(self, mean_reward: torch.Tensor) -> dict[str, torch.Tensor]:
        """The mean reward per step of each policy in this iteration, [N]; a single one's is among the run's own."""
        return {f"Policy/reward_{i}": reward for i, reward in enumerate(mean_reward)} if len(mean_reward) > 1 else {}

    def _trajectory_features(self, mean_reward: torch.Tensor) -> torch.Tensor:
        """Eq 4 for the policies that collected the rollout, [N] -> [N, 4]."""
        rollout = self.rollout
        kl = torch.zeros_like(mean_reward)
        if self.reference is not None:
            samples = rollout.per_policy(rollout.samples)
            reference = self.reference.log_prob(rollout.per_policy(rollout.observations[:-1]), samples)
            kl = distributed.all_mean((rollout.per_policy(rollout.log_probs) - reference).mean(dim=1))
        variance = self.policy.log_std.mul(2.0).exp().mean(dim=1)
        return objective.trajectory_features(mean_reward, self.policy.entropy(), variance, kl)

    def _cluster_policies(self, features: torch.Tensor) -> torch.Tensor:
        """Eq 5: k-means on the standardised features, [N, 4] -> group of each policy [N]."""
        points = objective.standardize_features(features)
        groups = KMeans(self.cfg.num_groups, seed=0).fit(points).predict(points)
        distributed.broadcast([groups])
        return groups

    # -- Policy updates (lines 27 to 33) -----------------------------------------------------------------------------

    def update(self) -> dict[str, float]:
        """Several epochs of minibatch steps on all policies at once, then the reference.

        Returns:
            Means over the minibatches by name; rsl_rl logs them as ``Loss/<name>``.
        """
        self._set_learning_rate()
        totals: dict[str, torch.Tensor] = {}
        batches = 0
        for batch in self._mini_batches():
            loss, terms = self._loss(batch)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            distributed.average_gradients(self.policy.parameters())
            terms["nonfinite_gradients"] = self._clip_gradients()
            self.optimizer.step()
            batches += 1
            for name, value in terms.items():
                totals[name] = totals[name] + value if name in totals else value
        if self.reference is not None:
            self.reference.update(self.policy, self.scores)
        self._update_normalization()
        self.iteration += 1
        if self.cfg.replace_interval and self.iteration % self.cfg.replace_interval == 0:
            self.scores = replace_weakest(
                self.policy, self.optimizer, self.scores, self.cfg.replace_noise, self.generator
            )
        # The only place where the update waits for the device.
        names = list(totals)
        means = distributed.all_mean(torch.stack([totals[name].float() for name in names]) / batches)
        losses = dict(zip(names, means.tolist(), strict=True))
        self._adapt_learning_rate(losses["kl"])
        return losses

    def _loss(self, batch: MiniBatch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Eq 12, to be minimised, summed over policies; and its terms, detached, for the log."""
        cfg, policy = self.cfg, self.policy
        mean = policy(batch.observations)
        log_probs = policy.log_prob(batch.samples, mean)
        surrogate, clip_fraction = objective.clipped_surrogate(
            log_probs, batch.log_probs, batch.advantages, self.clip, batch.weights
        )
        loss = -surrogate.sum()
        with torch.no_grad():
            log_ratio = log_probs - batch.log_probs
            # Schulman's low-variance, non-negative estimate of KL(old || new) from samples of the old policy.
            kl = objective.batch_mean(log_ratio.exp() - 1.0 - log_ratio, batch.weights).mean()
        terms = {"surrogate": -surrogate.detach().mean(), "clip_fraction": clip_fraction.mean(), "kl": kl}
        if cfg.entropy_coef > 0.0 or cfg.follower_entropy_coef > 0.0:
            loss = loss - (self._entropy_coef() * policy.entropy()).sum()
        if batch.next_observations is not None:
            smooth = objective.smoothness(mean, policy(batch.next_observations), batch.same_episode)
            loss = loss + cfg.smoothness_coef * smooth.sum()
            terms["smoothness"] = smooth.detach().mean()
        if cfg.diversity_coef > 0.0:
            diverse = self._diversity(batch, mean)
            loss = loss + cfg.diversity_coef * diverse
            terms["diversity"] = diverse.detach()
        return loss, terms

    def _entropy_coef(self) -> torch.Tensor:
        """Weight of each policy's entropy bonus, [N]: followers of a leader may explore more."""
        return self.cfg.entropy_coef + self.cfg.follower_entropy_coef * ~leader_mask(self.scores)

    def _diversity(self, batch: MiniBatch, mean: torch.Tensor) -> torch.Tensor:
        """Eq 11 on features that depend on the parameters: the reward is a constant, the rest is recomputed."""
        policy = self.policy
        kl = torch.zeros_like(self.scores)
        if self.reference is not None:
            # A reparameterised sample gives the KL divergence a gradient of low variance.
            samples = mean + policy.log_std.exp().unsqueeze(1) * batch.noise
            reference = self.reference.log_prob(batch.observations, samples)
            log_ratio = gaussian.log_prob(samples, mean, policy.log_std.unsqueeze(1)) - reference
            kl = distributed.joint_mean(objective.batch_mean(log_ratio, batch.weights))
        variance = policy.log_std.mul(2.0).exp().mean(dim=1)
        features = objective.trajectory_features(self._features[:, 0], policy.entropy(), variance, kl)
        points = objective.standardize_features(features, self._features)
        return objective.diversity(points, self.groups, self.cfg.num_groups, self.cfg.diversity_threshold)

    def _mini_batches(self) -> Iterator[MiniBatch]:
        """Minibatches of this iteration."""
        return mini_batches(
            self.rollout,
            self._advantages,
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
        learns = torch.ones_like(self.groups, dtype=torch.bool)
        if self.cfg.sharing == "leader":
            learns = leader_mask(self.scores)
        shared = share(self.policy, self.rollout, learns)
        self.metrics["Group/foreign_share"] = shared.foreign_share
        return shared

    def _clip_gradients(self) -> torch.Tensor:
        """Clip each policy's gradient norm; a gradient that is not finite becomes zero, which leaves Adam its momentum.

        Returns:
            Number of policies whose gradient was not finite, 0-dim.
        """
        gradients = [p.grad for p in self.policy.parameters()]
        norm = torch.stack([g.flatten(1).square().sum(dim=1) for g in gradients]).sum(dim=0).sqrt()
        finite = torch.isfinite(norm)
        scale = (self.cfg.max_grad_norm / (norm + objective.EPSILON)).clamp(max=1.0)
        for g in gradients:
            shape = (-1, *[1] * (g.dim() - 1))
            # where, not a product: zero times NaN would be NaN.
            g.copy_(torch.where(finite.view(shape), g * scale.view(shape), torch.zeros_like(g)))
        return (~finite).sum()

    @torch.no_grad()
    def _update_normalization(self) -> None:
        """Let the normalisers see the rollout, after the update: ratios compare the same inputs during it."""
        self.policy.update_normalization(self.rollout.observations[:-1].flatten(0, 1))
        self.state_normalizer.update(self.rollout.raw_states[:-1].flatten(0, 1))

    def _set_learning_rate(self) -> None:
        """Apply the schedule to the optimiser."""
        if self.cfg.schedule == "linear":
            remaining = 1.0 - self.iteration / max(self.max_iterations, 1)
            self.learning_rate = self.cfg.learning_rate * max(remaining, 0.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate

    def _adapt_learning_rate(self, kl: float) -> None:
        """rsl_rl's rule of a factor 1.5 around the desired KL divergence, once per iteration."""
        if self.cfg.schedule == "adaptive":
            if kl > 2.0 * self.cfg.desired_kl:
                self.learning_rate = max(1.0e-5, self.learning_rate / 1.5)
            elif kl < 0.5 * self.cfg.desired_kl:
                self.learning_rate = min(1.0e-2, self.learning_rate * 1.5)

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
        self.iteration += 1

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
        """Let the normalisers learn."""
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
            "learning_rate": self.learning_rate,
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
            self.learning_rate = loaded_dict["learning_rate"]
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
