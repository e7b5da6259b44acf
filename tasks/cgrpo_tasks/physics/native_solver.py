# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Newton's MuJoCo solver, stepped by MuJoCo C instead of MuJoCo Warp.

:class:`newton.solvers.SolverMuJoCo` still compiles the model and converts controls and states, so that everything
Isaac Lab does through Newton reaches MuJoCo C; only the integration is ``mujoco.rollout``, in float64 over threads.
"""

from __future__ import annotations

import os
import warnings

import mujoco
import numpy as np
from mujoco.rollout import Rollout
from newton import Contacts, Control, JointType, Model, ModelFlags, State
from newton.solvers import SolverMuJoCo

from .cpu_graph import CpuGraphCache
from .errors import PhysicsError
from .observed_step import RESULT, ObservedStep
from .world_models import WorldModels

FULL_STATE = mujoco.mjtState.mjSTATE_FULLPHYSICS.value
_BITS = mujoco.mjtState


class NativeMujocoSolver(SolverMuJoCo):
    """Steps E worlds with MuJoCo C on the CPU.

    The state of a world is kept in float64 between steps and reloaded from Newton's float32 arrays only where those
    were written to in between. Each rollout warm-starts the constraint solver with the last acceleration, which is
    recovered from the last two velocities because ``mujoco.rollout`` does not return it.

    Attributes:
        state: MuJoCo's full physics state of every world (``mjSTATE_FULLPHYSICS``), float64 [E, S].
        qpos: Generalized positions in MuJoCo's layout, float64 [E, nq].
        qvel: Generalized velocities in MuJoCo's layout, float64 [E, nv].
    """

    _worlds: WorldModels | None = None

    def __init__(
        self, model: Model, *, num_threads: int | None = None, mjdata_fields: tuple[str, ...] = (), **kwargs
    ) -> None:
        """Compile ``model`` and start the threads.

        Args:
            model: Finalized Newton model on the CPU.
            num_threads: Threads that step the worlds; None takes every core this process may use.
            mjdata_fields: Fields of ``MjData`` to keep in :attr:`mjw_data`; see :mod:`.observed_step`.
            **kwargs: Arguments of :class:`newton.solvers.SolverMuJoCo`.

        Raises:
            PhysicsError: If ``num_threads`` is smaller than 1.
        """
        if num_threads is None:
            num_threads = len(os.sched_getaffinity(0))
        if num_threads < 1:
            raise PhysicsError(f"solver_cfg.num_threads must be at least 1, got {num_threads}. Use None for all cores.")
        with warnings.catch_warnings():
            # The contact buffers of MuJoCo Warp stay unused, so the least it accepts is enough.
            warnings.filterwarnings("ignore", message=r".*Value for n(con|j)max is changed")
            warnings.filterwarnings("ignore", message=r".*authored margin=\S+ zeroed")
            super().__init__(model, **(kwargs | {"njmax": 1, "nconmax": 1}))
        # Newton leaves margins out as MuJoCo Warp cannot collide boxes and meshes with them; MuJoCo C can.
        self._zero_margins_for_native_ccd = False
        super().notify_model_changed(ModelFlags.SHAPE_PROPERTIES)
        self._models_changed = False
        self._timestep = 0.0
        self._worlds = WorldModels(self.mj_model, self.mjw_model, self.mjw_data.nworld)
        # Without a pool the calling thread steps the worlds itself.
        self._rollout = Rollout(nthread=0 if num_threads == 1 else num_threads)
        self._data = [mujoco.MjData(self.mj_model) for _ in range(num_threads)]
        self._graphs = CpuGraphCache()
        self._observed = ObservedStep(self._data, self.mjw_data, mjdata_fields) if mjdata_fields else None
        self._has_ball_joints = bool((model.joint_type.numpy() == JointType.BALL).any())
        self._allocate()

    @property
    def models(self) -> list[mujoco.MjModel]:
        """The model of every world, as of the last step; worlds with equal parameters share one."""
        return self._worlds.models

    def _allocate(self) -> None:
        m, d, worlds = self.mj_model, self.mjw_data, self.mjw_data.nworld
        self.state = np.zeros((worlds, mujoco.mj_stateSize(m, FULL_STATE)))
        self.qpos = self.state[:, 1 : 1 + m.nq]
        self.qvel = self.state[:, 1 + m.nq : 1 + m.nq + m.nv]
        self._warmstart = np.zeros((worlds, m.nv))
        self._qpos32, self._qvel32 = d.qpos.numpy(), d.qvel.numpy()
        self._xfrc32 = d.xfrc_applied.numpy().reshape(worlds, -1)
        # In the order in which mj_setState reads them.
        inputs = {
            _BITS.mjSTATE_CTRL: d.ctrl,
            _BITS.mjSTATE_QFRC_APPLIED: d.qfrc_applied,
            _BITS.mjSTATE_XFRC_APPLIED: d.xfrc_applied,
            _BITS.mjSTATE_EQ_ACTIVE: d.eq_active,
            _BITS.mjSTATE_MOCAP_POS: d.mocap_pos,
            _BITS.mjSTATE_MOCAP_QUAT: d.mocap_quat,
        }
        self._inputs = {bit: array.numpy().reshape(worlds, -1) for bit, array in inputs.items() if array.size > 0}
        self._seen_q: np.ndarray | None = None
        self._seen_qd: np.ndarray | None = None

    def step(self, state_in: State, state_out: State, control: Control, contacts: Contacts | None, dt: float) -> None:
        """Advance by one step of ``dt`` [s]; ``state_in`` and ``state_out`` are the same object."""
        if state_in is not state_out:
            raise PhysicsError("NativeMujocoSolver steps in place: state_in and state_out must be the same state.")
        self.advance(state_in, control, dt, 1)

    def advance(self, state: State, control: Control, dt: float, num_steps: int) -> None:
        """Advance ``state`` in place by ``num_steps`` steps of ``dt`` [s] under constant controls and forces."""
        if self._has_ball_joints and num_steps > 1:
            # Their velocity targets and efforts are given in a frame that turns with the joint.
            for _ in range(num_steps):
                self.advance(state, control, dt, 1)
            return
        if self._models_changed:
            self._models_changed = False
            self._worlds.sync()
        if dt != self._timestep:
            self._worlds.set_timestep(dt)
            self._timestep = dt
        self._load_edits(state)
        key = (id(state), id(control))
        self._graphs.run(("control", *key), lambda: self._apply_mjc_control(self.model, state, control, self.mjw_data))
        self._integrate(dt, num_steps)
        self._graphs.run(
            ("state", *key), lambda: self._update_newton_state(self.model, state, self.mjw_data, state_prev=state)
        )
        np.copyto(self._seen_q, state.joint_q.numpy().reshape(self._seen_q.shape))
        np.copyto(self._seen_qd, state.joint_qd.numpy().reshape(self._seen_qd.shape))

    def notify_model_changed(self, flags: ModelFlags | int) -> None:
        """Convert changed Newton properties; the MuJoCo C models follow before the next step."""
        super().notify_model_changed(flags)
        self._models_changed = True

    def reset(self, state: State, world_mask=None, flags=None) -> None:
        """Clear what persists between steps in the selected worlds (see :meth:`SolverMuJoCo.reset`)."""
        super().reset(state, world_mask=world_mask, flags=flags)
        worlds = slice(None) if world_mask is None else world_mask.numpy()[: len(self.state)]
        self._warmstart[worlds] = 0.0
        m = self.mj_model
        self.state[worlds, 0] = 0.0
        self.state[worlds, 1 + m.nq + m.nv :] = 0.0

    def _load_edits(self, state: State) -> None:
        """Reload the worlds whose joint state was written to since the last step."""
        worlds = len(self.state)
        joint_q, joint_qd = state.joint_q.numpy().reshape(worlds, -1), state.joint_qd.numpy().reshape(worlds, -1)
        if self._seen_q is None:
            self._seen_q, self._seen_qd = np.full_like(joint_q, np.nan), np.full_like(joint_qd, np.nan)
        edited = (joint_q != self._seen_q).any(axis=1) | (joint_qd != self._seen_qd).any(axis=1)
        if edited.any():
            self._graphs.run(("edit", id(state)), lambda: self._update_mjc_data(self.mjw_data, self.model, state))
            self.qpos[edited] = self._qpos32[edited]
            self.qvel[edited] = self._qvel32[edited]
            self._warmstart[edited] = 0.0

    def inputs(self) -> tuple[int, np.ndarray]:
        """Controls, forces and poses of fixed bases that act on the worlds.

        Returns:
            The ``mjtState`` bits and the values in MuJoCo's order, float64 [E, U].
        """
        parts = self._inputs
        if not self._xfrc32.any():
            parts = {bit: array for bit, array in parts.items() if bit != _BITS.mjSTATE_XFRC_APPLIED}
        values = np.concatenate(list(parts.values()), axis=1, dtype=np.float64)
        return sum(bit.value for bit in parts), values

    def _integrate(self, dt: float, num_steps: int) -> None:
        control_spec, controls = self.inputs()
        if self._observed is not None:
            if num_steps > 1:
                self._roll_out(control_spec, controls, dt, num_steps - 1)
            self._observed(self._worlds.models, self.state, self._warmstart, control_spec, controls)
        else:
            self._roll_out(control_spec, controls, dt, num_steps)
        self._qpos32[:], self._qvel32[:] = self.qpos, self.qvel

    def _roll_out(self, control_spec: int, controls: np.ndarray, dt: float, num_steps: int) -> None:
        """Step all worlds under constant inputs ``[E, U]``."""
        controls = np.repeat(controls[:, None], num_steps, axis=1)
        trajectory = np.empty((len(self.state), num_steps, self.state.shape[1]))
        try:
            self._rollout.rollout(
                self._worlds.models,
                self._data,
                self.state,
                controls,
                control_spec=control_spec,
                skip_checks=True,
                nstep=num_steps,
                initial_warmstart=self._warmstart,
                state=trajectory,
            )
        except mujoco.FatalError as error:  # on this thread; on one of the pool MuJoCo ends the process
            raise self._memory_error("an env has", str(error).splitlines()[0]) from error
        self._check_memory(trajectory[:, -1], control_spec, controls[:, 0], num_steps)
        m = self.mj_model
        velocity = slice(1 + m.nq, 1 + m.nq + m.nv)
        before = trajectory[:, -2, velocity] if num_steps > 1 else self.qvel
        np.subtract(trajectory[:, -1, velocity], before, out=self._warmstart)
        self._warmstart /= dt
        self.state[:] = trajectory[:, -1]

    def _check_memory(self, after: np.ndarray, control_spec: int, controls: np.ndarray, num_steps: int) -> None:
        """Raise where worlds, float64 ``[E, S]``, stopped before the end of a rollout for want of memory.

        Raises:
            PhysicsError: If a world has more contacts than its memory holds.
        """
        short = after[:, 0] - self.state[:, 0] < (num_steps - 0.5) * self._timestep
        # MuJoCo stops for unstable worlds and states that are not finite, too, and says so; those are left for the
        # user to see, and for the task to end their episode.
        stopped = np.flatnonzero(short & np.isfinite(after).all(axis=1))
        full = [world for world in stopped if self._runs_out_of_memory(world, control_spec, controls[world], num_steps)]
        if full:
            raise self._memory_error(f"env {full[0]} and {len(full) - 1} others have", "no room for constraints")

    def _memory_error(self, who: str, reason: str) -> PhysicsError:
        """What to say where contacts do not fit."""
        return PhysicsError(
            f"{who} more contacts than MuJoCo's memory of {self.mj_model.narena} bytes holds ({reason})."
            " Make fewer geoms collide, or use physics=newton_mjwarp."
        )

    def _runs_out_of_memory(self, world: int, control_spec: int, controls: np.ndarray, num_steps: int) -> bool:
        """Repeat the steps of a world to learn why they stopped: ``mujoco.rollout`` does not tell."""
        model, data = self._worlds.models[world], self._data[0]
        mujoco.mj_resetData(model, data)
        before = np.concatenate((self.state[world], self._warmstart[world], controls))
        mujoco.mj_setState(model, data, before, RESULT | control_spec)
        for _ in range(num_steps):
            mujoco.mj_step(model, data)
        kinds = (mujoco.mjtWarning.mjWARN_CONTACTFULL, mujoco.mjtWarning.mjWARN_CNSTRFULL)
        return any(data.warning[kind.value].number for kind in kinds)
