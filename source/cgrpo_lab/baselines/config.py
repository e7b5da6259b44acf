# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Settings of skrl's algorithms, in the words of this project; plain dataclasses that need no skrl."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from cgrpo_lab.algorithms.config import ACTIVATIONS
from cgrpo_lab.validation import require_choice, require_number, require_options, require_sizes


@dataclass
class SkrlCfg:
    """What all of them share."""

    class_name: str = ""
    """Where rsl_rl's runner finds the algorithm."""

    hidden_dims: list[int] = field(default_factory=lambda: [256, 256])
    """Sizes of the hidden layers of policy and critics."""

    activation: str = "relu"
    """Activation as rsl_rl names it."""

    gamma: float = 0.99
    """Discount factor."""

    learning_rate: float = 3.0e-4
    """Learning rate of Adam."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build and validate a config.

        Raises:
            ConfigError: If a name is unknown or a value unusable.
        """
        require_options("agent.algorithm", cls, values)
        cfg = cls(**values)
        cfg.validate()
        return cfg

    def validate(self) -> None:
        """Check every field.

        Raises:
            ConfigError: Naming the first field that cannot be used, its value and the remedy.
        """
        require_sizes("agent.algorithm.hidden_dims", self.hidden_dims)
        require_choice("agent.algorithm.activation", self.activation, list(ACTIVATIONS))
        self._require("gamma", at_least=0.0, below=1.0)
        self._require("learning_rate", above=0.0)

    def _require(self, name: str, **bounds: Any) -> None:
        """Check a number."""
        require_number(f"agent.algorithm.{name}", vars(self)[name], **bounds)


@dataclass
class OffPolicyCfg(SkrlCfg):
    """What SAC and TD3 share."""

    gradient_steps: int = 64
    """Gradient steps of an iteration. Divided by its env steps this is the replay ratio."""

    batch_size: int = 256
    """Transitions of a gradient step."""

    replay_size: int = 1_000_000
    """Transitions kept, of all environments together."""

    polyak: float = 0.005
    """Share of the networks that their targets take over in each gradient step."""

    random_steps: int = 10_000
    """Env steps of random actions before the policy acts and learns, of all environments together."""

    def validate(self) -> None:
        """Check every field.

        Raises:
            ConfigError: Naming the first field that cannot be used, its value and the remedy.
        """
        super().validate()
        for name in ("gradient_steps", "batch_size", "replay_size"):
            self._require(name, at_least=1, integer=True)
        self._require("random_steps", at_least=0, integer=True)
        self._require("polyak", above=0.0, at_most=1.0)


@dataclass
class SACCfg(OffPolicyCfg):
    """Soft Actor-Critic (Haarnoja et al. 2018, arXiv 1812.05905) with learned entropy coefficient."""

    class_name: str = "cgrpo_lab.baselines.sac:SAC"

    init_entropy_coef: float = 0.2
    """Entropy coefficient (temperature) at the start."""

    def validate(self) -> None:
        """Check every field.

        Raises:
            ConfigError: Naming the first field that cannot be used, its value and the remedy.
        """
        super().validate()
        self._require("init_entropy_coef", above=0.0)


@dataclass
class TD3Cfg(OffPolicyCfg):
    """Twin Delayed DDPG (Fujimoto et al. 2018, arXiv 1802.09477)."""

    class_name: str = "cgrpo_lab.baselines.td3:TD3"

    exploration_std: float = 0.1
    """Standard deviation of the noise on executed actions."""

    target_std: float = 0.2
    """Standard deviation of the noise on the actions of the target policy."""

    target_clip: float = 0.5
    """Largest magnitude of that noise."""

    policy_delay: int = 2
    """Gradient steps of the critics for one of the policy."""

    def validate(self) -> None:
        """Check every field.

        Raises:
            ConfigError: Naming the first field that cannot be used, its value and the remedy.
        """
        super().validate()
        for name in ("exploration_std", "target_std", "target_clip"):
            self._require(name, above=0.0)
        self._require("policy_delay", at_least=1, integer=True)


@dataclass
class TRPOCfg(SkrlCfg):
    """Trust Region Policy Optimization (Schulman et al. 2015, arXiv 1502.05477) with generalised advantages."""

    class_name: str = "cgrpo_lab.baselines.trpo:TRPO"

    hidden_dims: list[int] = field(default_factory=lambda: [64, 64])
    activation: str = "tanh"

    learning_rate: float = 1.0e-3
    """Learning rate of the value network; the policy's steps follow from ``max_kl``."""

    init_log_std: float = -0.5
    """Initial log standard deviation of the pre-squash action."""

    lam: float = 0.95
    """Lambda of the generalised advantages."""

    max_kl: float = 0.01
    """Largest KL divergence [nat] of a policy step."""

    damping: float = 0.1
    """Added to the diagonal of the Fisher matrix."""

    conjugate_gradient_steps: int = 10
    """Steps of the solver for the natural gradient."""

    num_learning_epochs: int = 5
    """Passes of the value network over the rollout."""

    num_mini_batches: int = 8
    """Minibatches of such a pass."""

    def validate(self) -> None:
        """Check every field.

        Raises:
            ConfigError: Naming the first field that cannot be used, its value and the remedy.
        """
        super().validate()
        for name in ("conjugate_gradient_steps", "num_learning_epochs", "num_mini_batches"):
            self._require(name, at_least=1, integer=True)
        for name in ("max_kl", "damping"):
            self._require(name, above=0.0)
        self._require("lam", at_least=0.0, at_most=1.0)
        self._require("init_log_std", at_least=-5.0, at_most=1.0)
