# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Settings of the algorithm and of its policies.

Plain dataclasses, so that the learning half needs no simulator; Isaac Lab's ``@configclass`` runner configs hold them
as fields and Hydra overrides reach into them (``agent.algorithm.clip_param=0.1``).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from cgrpo_lab import distributed
from cgrpo_lab.validation import ConfigError

SCHEDULES = ("fixed", "linear", "adaptive")
SHARING = ("own", "all", "leader")
ON_NONFINITE = ("skip", "stop")
ACTIVATIONS = ("elu", "selu", "relu", "crelu", "lrelu", "tanh", "sigmoid", "softplus", "gelu", "swish", "mish")


class _FromDict:
    """Construction from the plain dictionaries that runners hold."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build and validate a config.

        Raises:
            ConfigError: If a name is unknown or a value unusable.
        """
        known = {f.name for f in fields(cls)}
        for name in values:
            _require(name, values[name], name in known, f"is no such setting; there are {', '.join(sorted(known))}")
        cfg = cls(**values)
        cfg.validate()
        return cfg


@dataclass
class GroupPolicyCfg(_FromDict):
    """The policies: N Gaussian MLPs that share an observation normaliser."""

    hidden_dims: list[int] = field(default_factory=lambda: [64, 64])
    """Sizes of the hidden layers."""

    activation: str = "tanh"
    """Activation as rsl_rl names it."""

    init_log_std: float = -0.5
    """Initial log standard deviation. Much noise in the first 100k steps can end on a plateau (see docs)."""

    log_std_range: tuple[float, float] = (-5.0, 1.0)
    """The log standard deviation is kept in this range."""

    squash: bool = True
    """Whether actions are tanh(u), u Gaussian; the ratio is taken on u."""

    obs_normalization: bool = True
    """Whether observations are normalised by their running statistics."""

    def validate(self) -> None:
        """Check every field.

        Raises:
            ConfigError: Naming the first field that cannot be used, its value and the remedy.
        """
        _require(
            "hidden_dims",
            self.hidden_dims,
            isinstance(self.hidden_dims, (list, tuple)) and all(_is_whole(n) and n >= 1 for n in self.hidden_dims),
            "must be a list of whole numbers of at least 1",
        )
        _require(
            "activation", self.activation, self.activation in ACTIVATIONS, f"must be one of {', '.join(ACTIVATIONS)}"
        )
        limits = self.log_std_range
        _require(
            "log_std_range",
            limits,
            isinstance(limits, (list, tuple))
            and len(limits) == 2
            and all(map(_is_number, limits))
            and limits[0] < limits[1],
            "must be two numbers, the smaller one first",
        )
        _require(
            "init_log_std",
            self.init_log_std,
            _is_number(self.init_log_std) and limits[0] <= self.init_log_std <= limits[1],
            f"must lie within log_std_range={limits}",
        )
        for name in ("squash", "obs_normalization"):
            _require(name, getattr(self, name), isinstance(getattr(self, name), bool), "must be true or false")


@dataclass
class CGRPOCfg(_FromDict):
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

    on_nonfinite: str = "stop"
    """What to do about NaN or Inf in a rollout: ``stop`` the run or ``skip`` the update."""

    def validate(self) -> None:
        """Check every field.

        Raises:
            ConfigError: Naming the first field that cannot be used, its value and the remedy.
        """
        for name in ("num_policies", "num_groups", "num_learning_epochs", "num_mini_batches"):
            _require(
                name,
                getattr(self, name),
                _is_whole(getattr(self, name)) and getattr(self, name) >= 1,
                "must be a whole number of at least 1",
            )
        for name in ("clip_param", "learning_rate", "desired_kl", "max_grad_norm"):
            _require(
                name,
                getattr(self, name),
                _is_number(getattr(self, name)) and getattr(self, name) > 0.0,
                "must be a positive number",
            )
        for name in ("smoothness_coef", "diversity_coef", "entropy_coef", "follower_entropy_coef", "replace_noise"):
            _require(
                name,
                getattr(self, name),
                _is_number(getattr(self, name)) and getattr(self, name) >= 0.0,
                "must be a number of at least 0",
            )
        _require("gamma", self.gamma, _is_number(self.gamma) and 0.0 <= self.gamma < 1.0, "must lie in [0, 1)")
        _require(
            "max_clip_factor",
            self.max_clip_factor,
            _is_number(self.max_clip_factor) and self.max_clip_factor >= 1.0,
            "must be at least 1",
        )
        _require(
            "diversity_threshold",
            self.diversity_threshold,
            _is_number(self.diversity_threshold) and -1.0 <= self.diversity_threshold <= 1.0,
            "is a cosine: must lie in [-1, 1]",
        )
        _require(
            "num_groups",
            self.num_groups,
            self.num_groups <= self.num_policies,
            f"there are only num_policies={self.num_policies} policies to group; lower num_groups or raise "
            "num_policies",
        )
        _require(
            "reference_size",
            self.reference_size,
            _is_whole(self.reference_size) and 0 <= self.reference_size <= self.num_policies,
            f"must be between 0 and num_policies={self.num_policies}",
        )
        self._validate_help_among_policies()
        _require(
            "diversity_coef",
            self.diversity_coef,
            self.diversity_coef == 0.0 or self.num_groups > 1,
            "the diversity penalty compares groups: set num_groups to 2 or more, or diversity_coef to 0",
        )
        _require(
            "estimator_options",
            self.estimator_options,
            isinstance(self.estimator_options, Mapping) and "gamma" not in self.estimator_options,
            "must be a dictionary of the estimator's own options; gamma is a setting of the algorithm",
        )
        _require("adaptive_clip", self.adaptive_clip, isinstance(self.adaptive_clip, bool), "must be true or false")
        _require("schedule", self.schedule, self.schedule in SCHEDULES, f"must be one of {', '.join(SCHEDULES)}")
        _require(
            "on_nonfinite",
            self.on_nonfinite,
            self.on_nonfinite in ON_NONFINITE,
            f"must be one of {', '.join(ON_NONFINITE)}",
        )

    def _validate_help_among_policies(self) -> None:
        """Check what lets policies help one another."""
        _require("sharing", self.sharing, self.sharing in SHARING, f"must be one of {', '.join(SHARING)}")
        _require(
            "sharing",
            self.sharing,
            self.sharing == "own" or self.num_policies > 1,
            "one policy has nobody to learn from: set num_policies to 2 or more, or sharing to own",
        )
        _require(
            "follower_entropy_coef",
            self.follower_entropy_coef,
            self.follower_entropy_coef == 0.0 or self.sharing == "leader",
            "followers exist with sharing=leader only; set that, or follower_entropy_coef to 0",
        )
        _require(
            "replace_interval",
            self.replace_interval,
            _is_whole(self.replace_interval) and self.replace_interval >= 0,
            "must be a whole number of at least 0",
        )
        _require(
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
        _require(
            "num_envs",
            num_envs,
            num_envs % self.num_policies == 0,
            f"cannot be divided among num_policies={self.num_policies}; use --num_envs {fitting}",
        )
        _require(
            "num_envs",
            num_envs,
            self.estimator == "least_squares" or num_envs * distributed.world_size() > 1,
            f"estimator={self.estimator!r} compares trajectories with one another; use --num_envs 2 or more",
        )
        samples = num_envs // self.num_policies * num_steps * distributed.world_size()
        _require(
            "num_mini_batches",
            self.num_mini_batches,
            self.num_mini_batches <= samples,
            f"a policy has only {samples} samples per iteration; raise --num_envs or lower "
            "agent.algorithm.num_mini_batches",
        )


def _is_number(value: object) -> bool:
    """Whether a value is a finite real number (a bool is not meant as one)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: object) -> bool:
    """Whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def _require(name: str, value: object, valid: bool, remedy: str) -> None:
    """Raise a ConfigError unless ``valid``."""
    if not valid:
        raise ConfigError(f"{name}={value!r}: {remedy}.")
