# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Settings of the algorithm and of its policies.

Plain dataclasses, so that the learning half needs no simulator; Isaac Lab's ``@configclass`` runner configs hold them
as fields and Hydra overrides reach into them (``agent.algorithm.clip_param=0.1``).
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cgrpo_lab import distributed
from cgrpo_lab.algorithms.config_base import FromDict, is_number, is_whole, require
from cgrpo_lab.algorithms.policy_config import ACTIVATIONS, GroupPolicyCfg
from cgrpo_lab.validation import ConfigError

__all__ = ["ACTIVATIONS", "ON_NONFINITE", "SCHEDULES", "SHARING", "CGRPOCfg", "ConfigError", "GroupPolicyCfg"]

SCHEDULES = ("fixed", "linear", "adaptive")
SHARING = ("own", "all", "leader")
ON_NONFINITE = ("skip", "stop")


@dataclass
class CGRPOCfg(FromDict):
    """Continuous Group Relative Policy Optimization. Symbols in brackets are the paper's."""

    class_name: str = "cgrpo_lab.algorithms.cgrpo:CGRPO"
    """Where rsl_rl's runner finds the algorithm."""

    num_policies: int = 1
    """Number of policies (N). The environments are divided equally among them."""

    num_groups: int = 1
    """Number of policy groups (K) formed by k-means on the trajectory features; 1 means no clustering."""

    estimator: str = "least_squares"
    """Advantage estimator: ``least_squares``, ``value_centred``, ``time_step`` (GPG), ``episode`` (GRPO) or
    ``state_cluster`` (the paper's); see docs/estimators.md."""

    estimator_options: dict[str, Any] = field(default_factory=dict)
    """Options of the estimator's constructor, for example ``{"lam": 0.95}``."""

    gamma: float = 0.99
    """Discount factor."""

    clip_param: float = 0.2
    """Base clip range (epsilon_base)."""

    adaptive_clip: bool = False
    """Whether a group's clip range grows with the spread of its advantages (eq 9)."""

    max_clip_factor: float = 2.0
    """Largest factor by which the adaptive clip range may exceed ``clip_param``."""

    smoothness_coef: float = 0.0
    """Weight of the temporal smoothness penalty (lambda_s, eq 10)."""

    diversity_coef: float = 0.0
    """Weight of the inter-group diversity penalty (lambda_d, eq 11)."""

    diversity_threshold: float = 0.5
    """Cosine similarity of group centroids above which they are penalised (tau)."""

    reference_size: int = 0
    """Number of top policies mixed into the reference policy; 0 means no reference (its feature is then zero)."""

    entropy_coef: float = 0.0
    """Weight of the entropy bonus."""

    sharing: str = "own"
    """Who learns from whose samples: ``own`` (every policy from its own), ``all`` (everybody from everybody, by
    truncated importance weights) or ``leader`` (only the best policy from everybody)."""

    follower_entropy_coef: float = 0.0
    """Weight of a further entropy bonus of all policies but the leader, with ``sharing=leader``."""

    replace_interval: int = 0
    """Every so many iterations the policy with the lowest score becomes a variation of the best; 0 means never."""

    replace_noise: float = 0.1
    """Noise of such a variation, relative to the root mean square of a layer's parameters."""

    num_learning_epochs: int = 10
    """Passes over the rollout per iteration."""

    num_mini_batches: int = 8
    """Minibatches per pass."""

    learning_rate: float = 5.0e-4
    """Learning rate of Adam at the start."""

    schedule: str = "linear"
    """``fixed``, ``linear`` (to zero at max_iterations) or ``adaptive`` (follows ``desired_kl``)."""

    desired_kl: float = 0.01
    """Mean KL divergence per iteration that the adaptive schedule aims at."""

    max_grad_norm: float = 1.0
    """Each policy's gradient is clipped to this norm."""

    compile: bool = False
    """Whether ``torch.compile`` makes the policies' network of the update: a few seconds at the start, worth it only
    where launching small kernels takes the time, as on a GPU."""

    on_nonfinite: str = "stop"
    """What to do about NaN or Inf in a rollout: ``stop`` the run or ``skip`` the update."""

    def validate(self) -> None:
        """Check every field.

        Raises:
            ConfigError: Naming the first field that cannot be used, its value and the remedy.
        """
        for name in ("num_policies", "num_groups", "num_learning_epochs", "num_mini_batches"):
            require(
                name,
                getattr(self, name),
                is_whole(getattr(self, name)) and getattr(self, name) >= 1,
                "must be a whole number of at least 1",
            )
        for name in ("clip_param", "learning_rate", "desired_kl", "max_grad_norm"):
            require(
                name,
                getattr(self, name),
                is_number(getattr(self, name)) and getattr(self, name) > 0.0,
                "must be a positive number",
            )
        for name in ("smoothness_coef", "diversity_coef", "entropy_coef", "follower_entropy_coef", "replace_noise"):
            require(
                name,
                getattr(self, name),
                is_number(getattr(self, name)) and getattr(self, name) >= 0.0,
                "must be a number of at least 0",
            )
        require(
            "gamma",
            self.gamma,
            is_number(self.gamma) and (0.0 <= self.gamma < 1.0 or (self.gamma == 1.0 and self.estimator == "episode")),
            "must lie in [0, 1); estimator=episode, which has whole episodes, takes 1, too",
        )
        require(
            "max_clip_factor",
            self.max_clip_factor,
            is_number(self.max_clip_factor) and self.max_clip_factor >= 1.0,
            "must be at least 1",
        )
        require(
            "diversity_threshold",
            self.diversity_threshold,
            is_number(self.diversity_threshold) and -1.0 <= self.diversity_threshold <= 1.0,
            "is a cosine: must lie in [-1, 1]",
        )
        require(
            "num_groups",
            self.num_groups,
            self.num_groups <= self.num_policies,
            f"there are only num_policies={self.num_policies} policies to group; lower num_groups or raise "
            "num_policies",
        )
        require(
            "reference_size",
            self.reference_size,
            is_whole(self.reference_size) and 0 <= self.reference_size <= self.num_policies,
            f"must be between 0 and num_policies={self.num_policies}",
        )
        self._validate_help_among_policies()
        require(
            "diversity_coef",
            self.diversity_coef,
            self.diversity_coef == 0.0 or self.num_groups > 1,
            "the diversity penalty compares groups: set num_groups to 2 or more, or diversity_coef to 0",
        )
        require(
            "estimator_options",
            self.estimator_options,
            isinstance(self.estimator_options, Mapping) and "gamma" not in self.estimator_options,
            "must be a dictionary of the estimator's own options; gamma is a setting of the algorithm",
        )
        for name in ("adaptive_clip", "compile"):
            require(name, getattr(self, name), isinstance(getattr(self, name), bool), "must be true or false")
        compilers = filter(None, (os.environ.get("CXX"), "g++", "clang++"))
        require(
            "compile",
            self.compile,
            not self.compile or any(map(shutil.which, compilers)),
            "torch.compile needs a C++ compiler and there is none; install g++, or leave compile at false",
        )
        require("schedule", self.schedule, self.schedule in SCHEDULES, f"must be one of {', '.join(SCHEDULES)}")
        require(
            "on_nonfinite",
            self.on_nonfinite,
            self.on_nonfinite in ON_NONFINITE,
            f"must be one of {', '.join(ON_NONFINITE)}",
        )

    def _validate_help_among_policies(self) -> None:
        """Check what lets policies help one another."""
        require("sharing", self.sharing, self.sharing in SHARING, f"must be one of {', '.join(SHARING)}")
        require(
            "sharing",
            self.sharing,
            self.sharing == "own" or self.num_policies > 1,
            "one policy has nobody to learn from: set num_policies to 2 or more, or sharing to own",
        )
        require(
            "follower_entropy_coef",
            self.follower_entropy_coef,
            self.follower_entropy_coef == 0.0 or self.sharing == "leader",
            "followers exist with sharing=leader only; set that, or follower_entropy_coef to 0",
        )
        require(
            "replace_interval",
            self.replace_interval,
            is_whole(self.replace_interval) and self.replace_interval >= 0,
            "must be a whole number of at least 0",
        )
        require(
            "replace_interval",
            self.replace_interval,
            self.replace_interval == 0 or self.num_policies > 1,
            "one policy cannot replace another: set num_policies to 2 or more, or replace_interval to 0",
        )

    def check_sizes(self, num_envs: int, num_steps: int) -> None:
        """Check the settings that depend on the size of a rollout.

        Args:
            num_envs: Number of environments E.
            num_steps: Steps per environment and iteration T.

        Raises:
            ConfigError: If the environments cannot be divided among the policies, are too few to compare, or give too
                few samples.
        """
        fitting = max(num_envs // self.num_policies, 1) * self.num_policies
        require(
            "num_envs",
            num_envs,
            num_envs % self.num_policies == 0,
            f"cannot be divided among num_policies={self.num_policies}; use --num_envs {fitting}",
        )
        require(
            "num_envs",
            num_envs,
            self.estimator == "least_squares" or num_envs * distributed.world_size() > 1,
            f"estimator={self.estimator!r} compares trajectories with one another; use --num_envs 2 or more",
        )
        samples = num_envs // self.num_policies * num_steps * distributed.world_size()
        require(
            "num_mini_batches",
            self.num_mini_batches,
            self.num_mini_batches <= samples,
            f"a policy has only {samples} samples per iteration; raise --num_envs or lower "
            "agent.algorithm.num_mini_batches",
        )
