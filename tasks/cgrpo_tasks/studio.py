# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What the pictures of all tasks share: sky and lamp, and a MuJoCo model that is drawn but never stepped."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import mujoco
import numpy as np


class Scene(ABC):
    """Some environments side by side, for rendering.

    Attributes:
        model: What is drawn.
        camera: View of all of it.
    """

    def __init__(self, spec: mujoco.MjSpec) -> None:
        """Compile the model.

        Args:
            spec: Description that began as :func:`make_studio`.
        """
        self.model = spec.compile()
        self.camera = mujoco.MjvCamera()
        self._data = mujoco.MjData(self.model)

    def update(self) -> mujoco.MjData:
        """Take over the current states of the environments."""
        self._copy_state()
        mujoco.mj_kinematics(self.model, self._data)
        mujoco.mj_camlight(self.model, self._data)
        return self._data

    @abstractmethod
    def _copy_state(self) -> None:
        """Write the environments' positions into the data of the model."""


def make_studio(width: int, height: int, *, ambient: float = 0.4, diffuse: float = 0.3) -> mujoco.MjSpec:
    """Describe a scene with nothing in it but the sky.

    Args:
        width: Width of the pictures [pixel].
        height: Height of the pictures [pixel].
        ambient: Brightness from everywhere, 0 to 1.
        diffuse: Brightness from the camera, 0 to 1.
    """
    spec = mujoco.MjSpec()
    spec.visual.global_.offwidth, spec.visual.global_.offheight = width, height
    spec.visual.headlight.ambient, spec.visual.headlight.diffuse = [ambient] * 3, [diffuse] * 3
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.93, 0.95, 0.98],
        rgb2=[0.70, 0.76, 0.84],
        width=256,
        height=256,
    )
    return spec


def add_lamp(spec: mujoco.MjSpec, place: Sequence[float], target: Sequence[float]) -> None:
    """Hang a lamp that casts shadows.

    It is a spot, as the shadows of MuJoCo's directional lights are speckled when drawn in software.

    Args:
        spec: Scene to light.
        place: Where the lamp hangs [m].
        target: What it shines at [m].
    """
    spec.worldbody.add_light(
        type=mujoco.mjtLightType.mjLIGHT_SPOT,
        pos=place,
        dir=np.subtract(target, place),
        cutoff=60.0,
        exponent=0.0,
        diffuse=[0.6] * 3,
        castshadow=True,
    )
