# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Settings of the policies."""

from dataclasses import dataclass, field

from cgrpo_lab.algorithms.config_base import FromDict, is_number, is_whole, require

ACTIVATIONS = ("elu", "selu", "relu", "crelu", "lrelu", "tanh", "sigmoid", "softplus", "gelu", "swish", "mish")


@dataclass
class GroupPolicyCfg(FromDict):
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
        require(
            "hidden_dims",
            self.hidden_dims,
            isinstance(self.hidden_dims, (list, tuple)) and all(is_whole(n) and n >= 1 for n in self.hidden_dims),
            "must be a list of whole numbers of at least 1",
        )
        require(
            "activation", self.activation, self.activation in ACTIVATIONS, f"must be one of {', '.join(ACTIVATIONS)}"
        )
        limits = self.log_std_range
        require(
            "log_std_range",
            limits,
            isinstance(limits, (list, tuple))
            and len(limits) == 2
            and all(map(is_number, limits))
            and limits[0] < limits[1],
            "must be two numbers, the smaller one first",
        )
        require(
            "init_log_std",
            self.init_log_std,
            is_number(self.init_log_std) and limits[0] <= self.init_log_std <= limits[1],
            f"must lie within log_std_range={limits}",
        )
        for name in ("squash", "obs_normalization"):
            require(name, getattr(self, name), isinstance(getattr(self, name), bool), "must be true or false")
