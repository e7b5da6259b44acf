# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""One step of MuJoCo C after which more than the state can be read.

``mujoco.rollout`` is fast but returns the state only, so tasks that read other fields of ``MjData`` have the last
substep of each environment step made here.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import mujoco
import numpy as np

_STATE = mujoco.mjtState.mjSTATE_FULLPHYSICS.value


class ObservedStep:
    """Steps E worlds once, MuJoCo itself running without Python's lock, and copies fields of ``MjData``."""

    def __init__(self, data: list[mujoco.MjData], mjw_data, fields: tuple[str, ...]) -> None:
        """Prepare the threads.

        Args:
            data: One for each thread.
            mjw_data: ``mujoco_warp`` data on the CPU, whose arrays take the fields.
            fields: Names of the fields, which both kinds of data have.
        """
        self._data = data
        self._threads = ThreadPoolExecutor(len(data)) if len(data) > 1 else None
        self._targets = {name: getattr(mjw_data, name).numpy() for name in fields}
        self._wrenches = "cfrc_ext" in fields

    def __call__(
        self,
        models: list[mujoco.MjModel],
        state: np.ndarray,
        warmstart: np.ndarray,
        control_spec: int,
        controls: np.ndarray,
    ) -> None:
        """Step; ``state`` and ``warmstart`` are updated in place.

        Args:
            models: The model of every world.
            state: Full physics states, float64 ``[E, S]``.
            warmstart: Accelerations the constraint solver starts from, float64 ``[E, nv]``.
            control_spec: ``mjtState`` bits of the inputs.
            controls: Inputs, float64 ``[E, U]``.
        """
        worlds = np.array_split(np.arange(len(models)), len(self._data))
        arguments = (models, state, warmstart, control_spec, controls)
        if self._threads is None:
            self._step(self._data[0], worlds[0], *arguments)
            return
        pending = [
            self._threads.submit(self._step, data, part, *arguments)
            for data, part in zip(self._data, worlds, strict=True)
        ]
        for part in pending:
            part.result()

    def _step(
        self,
        data: mujoco.MjData,
        worlds: np.ndarray,
        models: list[mujoco.MjModel],
        state: np.ndarray,
        warmstart: np.ndarray,
        control_spec: int,
        controls: np.ndarray,
    ) -> None:
        """Step some of the worlds."""
        # Inputs that are not given are zero, as in mujoco.rollout, and not what the last call left.
        data.xfrc_applied[:] = 0.0
        for world in worlds:
            model = models[world]
            mujoco.mj_setState(model, data, state[world], _STATE)
            mujoco.mj_setState(model, data, controls[world], control_spec)
            data.qacc_warmstart[:] = warmstart[world]
            mujoco.mj_step(model, data)
            if self._wrenches:
                mujoco.mj_rnePostConstraint(model, data)
            mujoco.mj_getState(model, data, state[world], _STATE)
            warmstart[world] = data.qacc_warmstart
            for name, target in self._targets.items():
                target[world] = getattr(data, name)
