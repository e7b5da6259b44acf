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

RESULT = mujoco.mjtState.mjSTATE_FULLPHYSICS.value | mujoco.mjtState.mjSTATE_WARMSTART.value
"""Bits of what a step changes. Those of the inputs follow, as Newton's models have no plugins."""


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
        before = np.concatenate((state, warmstart, controls), axis=1)
        after = np.empty((len(models), state.shape[1] + warmstart.shape[1]))
        worlds = np.array_split(np.arange(len(models)), len(self._data))
        arguments = (models, before, after, RESULT | control_spec)
        if self._threads is None:
            self._step(self._data[0], worlds[0], *arguments)
        else:
            pending = [
                self._threads.submit(self._step, data, part, *arguments)
                for data, part in zip(self._data, worlds, strict=True)
            ]
            for part in pending:
                part.result()
        state[:], warmstart[:] = np.split(after, [state.shape[1]], axis=1)

    def _step(
        self,
        data: mujoco.MjData,
        worlds: np.ndarray,
        models: list[mujoco.MjModel],
        before: np.ndarray,
        after: np.ndarray,
        spec: int,
    ) -> None:
        """Step some of the worlds from the rows of ``before`` to those of ``after``."""
        # Inputs that are not given are zero, as in mujoco.rollout, and not what the last call left.
        data.xfrc_applied[:] = 0.0
        for world in worlds:
            model = models[world]
            mujoco.mj_setState(model, data, before[world], spec)
            mujoco.mj_step(model, data)
            if self._wrenches:
                mujoco.mj_rnePostConstraint(model, data)
            mujoco.mj_getState(model, data, after[world], RESULT)
            for name, target in self._targets.items():
                target[world] = getattr(data, name)
