# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Differences between the world a policy was trained in and the one it meets."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import mujoco
import numpy as np

FACTORS = (0.8, 0.9, 1.1, 1.2)
"""Factors by which a physical parameter is changed."""

PARAMETERS = ("mass", "friction", "gravity", "actuator_gain")
"""Parameters that are changed, one at a time."""


@dataclass(frozen=True)
class Perturbation:
    """One way in which the world differs; the defaults are no difference."""

    delay: int = 0
    """Control steps by which an action comes late; a zero action acts until the first one comes."""

    noise: float = 0.0
    """Standard deviation of the noise on every observation, in the observation's unit."""

    parameter: str | None = None
    """One of :data:`PARAMETERS`."""

    factor: float = 1.0
    """What it is multiplied by."""

    @property
    def name(self) -> str:
        """Key of the result."""
        if self.parameter is not None:
            return f"{self.parameter} x{self.factor:g}"
        return f"delay {self.delay}" if self.delay else f"noise {self.noise:g}"

    def apply(self, model: mujoco.MjModel) -> None:
        """Change the parameter of an unperturbed model in place."""
        if self.parameter == "mass":
            model.body_mass *= self.factor
            model.body_inertia *= self.factor
            mujoco.mj_setConst(model, mujoco.MjData(model))
        elif self.parameter == "friction":
            model.geom_friction[:, 0] *= self.factor
        elif self.parameter == "gravity":
            model.opt.gravity *= self.factor
        elif self.parameter == "actuator_gain":
            # A motor's force is all gain; a position drive's is gain times the target plus bias.
            model.actuator_gainprm *= self.factor
            model.actuator_biasprm *= self.factor

    def pipeline(self, neutral: np.ndarray) -> deque[np.ndarray]:
        """Controls under way at the start of an episode, ``neutral`` ones ``[A]``."""
        return deque([neutral] * self.delay)


def all_perturbations() -> list[Perturbation]:
    """Delays of 1 to 3 steps, two levels of noise, and every parameter by every factor."""
    delays = [Perturbation(delay=steps) for steps in (1, 2, 3)]
    noises = [Perturbation(noise=level) for level in (0.01, 0.05)]
    return delays + noises + [Perturbation(parameter=name, factor=by) for name in PARAMETERS for by in FACTORS]
