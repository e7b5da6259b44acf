# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The learning rate of an iteration."""

from cgrpo_lab.algorithms.config import CGRPOCfg

LOWEST, HIGHEST = 1.0e-5, 1.0e-2
"""Range of the adaptive schedule, rsl_rl's."""


class LearningRate:
    """A learning rate that is fixed, falls linearly, or follows the KL divergence of the updates."""

    def __init__(self, cfg: CGRPOCfg, max_iterations: int) -> None:
        """Begin with the rate of the settings; ``max_iterations`` are those of the whole run."""
        self.cfg, self.max_iterations = cfg, max_iterations
        self.value = cfg.learning_rate

    def start(self, iteration: int) -> float:
        """Rate of an iteration, counted from 0."""
        if self.cfg.schedule == "linear":
            remaining = 1.0 - iteration / max(self.max_iterations, 1)
            self.value = self.cfg.learning_rate * max(remaining, 0.0)
        return self.value

    def resume(self, value: float, configured: float) -> None:
        """Go on with the rate of a checkpoint, unless another one than its run's is ``configured`` by now."""
        if configured == self.cfg.learning_rate:
            self.value = value

    def adapt(self, kl: float) -> None:
        """rsl_rl's rule of a factor 1.5 around the desired KL divergence [nat], once per iteration."""
        if self.cfg.schedule == "adaptive":
            if kl > 2.0 * self.cfg.desired_kl:
                self.value = max(LOWEST, self.value / 1.5)
            elif kl < 0.5 * self.cfg.desired_kl:
                self.value = min(HIGHEST, self.value * 1.5)
