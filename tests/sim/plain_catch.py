# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The catching task a second time: plain MuJoCo C and numpy in float64, written from Bi-DexHands' numbers.

Shares no code with the task. Hands come from gymnasium-robotics' own MJCF, contact wrenches from ``mj_contactForce``.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

SUBSTEPS = 4
HANDS = {"right": (-0.55, 0.3925), "left": (-1.15, -0.3925)}
PALMS = {"right": (-0.3, -0.55, 0.5), "left": (-0.3, -1.15, 0.5)}
SHAPES = {
    "egg": (mujoco.mjtGeom.mjGEOM_ELLIPSOID, (0.03, 0.03, 0.04), 500.0),
    "block": (mujoco.mjtGeom.mjGEOM_BOX, (0.025, 0.025, 0.025), 567.0),
    "pen": (mujoco.mjtGeom.mjGEOM_CAPSULE, (0.008, 0.1, 0.0), 500.0),
}
TIPS = [f"robot0:{finger}distal" for finger in ("ff", "mf", "rf", "lf", "th")]
GOAL = np.array([-0.39, -1.15, 0.54])


@dataclass
class State:
    """One pair of hands, its object and its goal."""

    qpos: np.ndarray
    """MuJoCo's, ``[67]``: 30 of each hand, then the object's position and quaternion (w, x, y, z)."""
    qvel: np.ndarray
    """MuJoCo's, ``[66]``; the object's angular velocity is in its own frame."""
    goal: Rotation

    def rounded(self) -> State:
        """The same in float32's precision."""
        return State(*(x.astype(np.float32).astype(np.float64) for x in (self.qpos, self.qvel)), self.goal)


class PlainCatch:
    """The task for one pair of hands."""

    def __init__(self, shape: str) -> None:
        """Build the model."""
        self.goal_position = GOAL - ([0.0, 0.0, 0.02] if shape == "pen" else 0.0)
        self.start_position = self.goal_position + [0.0, 0.6, 0.0]
        self.shape = shape
        self.model = _model(shape)
        self.data, self._after = mujoco.MjData(self.model), mujoco.MjData(self.model)
        self._sides = {side: _Side(self.model, f"{side}/") for side in HANDS}
        self.targets = np.zeros((2, 20))

    def start(self, draw: np.random.Generator) -> State:
        """Draw a start."""
        qpos, qvel = self.model.qpos0.copy(), np.zeros(self.model.nv)
        qpos[60:63] = self.start_position
        rotation = _any_rotation(draw)
        if self.shape == "pen":
            u = draw.uniform(-1.0, 1.0)
            rotation = Rotation.from_euler("x", np.pi / 2 + 0.3 * u) * Rotation.from_euler("z", np.pi * u)
        qpos[63:] = rotation.as_quat(scalar_first=True)
        return State(qpos, qvel, _any_rotation(draw))

    def step(self, state: State, action: np.ndarray) -> tuple[State, float, bool]:
        """Make a control step of ``[52]`` actions; returns the next state, the reward and whether the episode ends."""
        d = self.data
        mujoco.mj_resetData(self.model, d)
        d.qpos[:], d.qvel[:] = state.qpos, state.qvel
        for i, side in enumerate(self._sides.values()):
            part = action[26 * i : 26 * (i + 1)]
            d.xfrc_applied[side.forearm] = np.concatenate((part[:3] * 100000 / 60 * 0.5, part[3:6] * 1000 / 60))
            low, high = self.model.actuator_ctrlrange[side.actuators].T
            self.targets[i] = d.ctrl[side.actuators] = low + (part[6:] + 1) / 2 * (high - low)
        for _ in range(SUBSTEPS):
            mujoco.mj_step(self.model, d)
        after = State(d.qpos.copy(), d.qvel.copy(), state.goal)
        self._after.qpos[:], self._after.qvel[:] = after.qpos, after.qvel
        mujoco.mj_forward(self.model, self._after)
        return after, self.reward(after), self._ends(after)

    def reward(self, state: State) -> float:
        """Bi-DexHands' reward."""
        distance = np.linalg.norm(state.qpos[60:63] - self.goal_position)
        rotation = Rotation.from_quat(state.qpos[63:], scalar_first=True) * state.goal.inv()
        return float(np.exp(-0.2 * (50.0 * distance + rotation.magnitude())))

    @property
    def touches(self) -> bool:
        """Whether the object touched a hand in the last substep."""
        body = self.model.body("object").id
        return any(body in self.model.geom_bodyid[contact.geom] for contact in self.data.contact[: self.data.ncon])

    def _ends(self, state: State) -> bool:
        strays = [
            np.linalg.norm(self._after.xpos[side.palm] - PALMS[name]) >= 0.1 for name, side in self._sides.items()
        ]
        return bool(state.qpos[62] <= 0.2 or any(strays))

    def observe(self, state: State, action: np.ndarray) -> np.ndarray:
        """Observation ``[422]`` after a step of this action."""
        parts = []
        for i, side in enumerate(self._sides.values()):
            parts += side.observe(self.model, self.data, self._after, self.targets[i])
            parts.append(action[26 * i : 26 * (i + 1)])
        rotation = Rotation.from_quat(state.qpos[63:], scalar_first=True)
        parts += [
            state.qpos[60:63],
            rotation.as_quat(),
            state.qvel[60:63],
            0.2 * rotation.apply(state.qvel[63:66]),
            self.goal_position,
            state.goal.as_quat(),
            (rotation * state.goal.inv()).as_quat(),
        ]
        return np.clip(np.concatenate(parts), -5.0, 5.0)


class _Side:
    """Indices of one hand and what is observed of it."""

    def __init__(self, m: mujoco.MjModel, prefix: str) -> None:
        names = [m.joint(i).name for i in range(m.njnt)]
        joints = [i for i, name in enumerate(names) if name.startswith(f"{prefix}robot0:")]
        self.joints, self.dofs = m.jnt_qposadr[joints], m.jnt_dofadr[joints]
        self.limits = m.jnt_range[joints].T
        self.actuators = [i for i in range(m.nu) if m.actuator(i).name.startswith(prefix)]
        self.actuated = m.jnt_dofadr[m.actuator_trnid[self.actuators, 0]] - self.dofs[0]
        self.tips = [m.body(prefix + name).id for name in TIPS]
        self.forearm, self.palm, self.mount = (
            m.body(f"{prefix}robot0:{name}").id for name in ("forearm", "palm", "hand mount")
        )

    def observe(self, m: mujoco.MjModel, last: mujoco.MjData, now: mujoco.MjData, targets: np.ndarray) -> list:
        low, high = self.limits
        angles = now.qpos[self.joints]
        torque = np.zeros(24)
        force = m.actuator_gainprm[self.actuators, 0] * (targets - angles[self.actuated])
        torque[self.actuated] = np.clip(force, *m.actuator_forcerange[self.actuators].T)
        mount = Rotation.from_quat(now.xquat[self.mount], scalar_first=True)
        base = mount * Rotation.from_matrix([[-1, 0, 0], [0, 0, -1], [0, -1, 0]]).inv()
        return [
            (2 * angles - low - high) / (high - low),
            0.2 * now.qvel[self.dofs],
            10.0 * torque,
            *(_kinematics(m, now, tip) for tip in self.tips),
            *(10.0 * _contact_wrench(m, last, now, tip) for tip in self.tips),
            now.xpos[self.mount],
            base.as_euler("xyz"),
        ]


def _kinematics(m: mujoco.MjModel, d: mujoco.MjData, body: int) -> np.ndarray:
    """Position, quaternion (x, y, z, w), velocity and angular velocity of a body, ``[13]``."""
    spin_first = np.zeros(6)
    mujoco.mj_objectVelocity(m, d, mujoco.mjtObj.mjOBJ_XBODY, body, spin_first, 0)
    return np.concatenate((d.xpos[body], np.roll(d.xquat[body], -1), spin_first[3:], spin_first[:3]))


def _contact_wrench(m: mujoco.MjModel, last: mujoco.MjData, now: mujoco.MjData, body: int) -> np.ndarray:
    """Force and torque about the body's origin of the last substep's contacts, in the body's frame, ``[6]``."""
    total, wrench = np.zeros(6), np.zeros(6)
    for i, contact in enumerate(last.contact[: last.ncon]):
        bodies = m.geom_bodyid[contact.geom]
        if body in bodies:
            mujoco.mj_contactForce(m, last, i, wrench)
            frame = contact.frame.reshape(3, 3)
            # The force acts on the second geom.
            sign = 1.0 if bodies[1] == body else -1.0
            force = sign * frame.T @ wrench[:3]
            total[:3] += force
            total[3:] += sign * frame.T @ wrench[3:] + np.cross(contact.pos - last.xpos[body], force)
    turn = now.xmat[body].reshape(3, 3).T
    return np.concatenate((turn @ total[:3], turn @ total[3:]))


def _any_rotation(draw: np.random.Generator) -> Rotation:
    u, v = draw.uniform(-np.pi, np.pi, 2)
    return Rotation.from_euler("x", u) * Rotation.from_euler("y", v)


def _model(shape: str) -> mujoco.MjModel:
    """Two floating hands and the object."""
    spec = mujoco.MjSpec()
    spec.option.timestep, spec.option.iterations = 1.0 / 60.0 / SUBSTEPS, 20
    for side, (y, pitch) in HANDS.items():
        x, y_, z, w = (Rotation.from_euler("z", -1.57) * Rotation.from_euler("y", pitch)).as_quat()
        place = spec.worldbody.add_frame(pos=[0.0, y, 0.5], quat=[w, x, y_, z])
        spec.attach(_hand(spec), prefix=f"{side}/", frame=place)
    kind, size, density = SHAPES[shape]
    body = spec.worldbody.add_body(name="object")
    body.add_geom(type=kind, size=size, density=density, condim=4)
    body.add_freejoint()
    model = spec.compile()
    _damp_bases(model)
    return model


def _hand(parent: mujoco.MjSpec) -> mujoco.MjSpec:
    """The hand of gymnasium-robotics without its world, on slides and hinges through its centre of mass."""
    folder = Path(importlib.util.find_spec("gymnasium_robotics").origin).parent / "envs/assets"
    path = folder / "hand/manipulate_egg.xml"
    whole = mujoco.MjModel.from_xml_path(str(path))
    data = mujoco.MjData(whole)
    mujoco.mj_forward(whole, data)
    mount = whole.body("robot0:hand mount").id
    centre = data.xmat[mount].reshape(3, 3).T @ (data.subtree_com[mount] - data.xpos[mount])
    spec = mujoco.MjSpec.from_file(str(path))
    spec.meshdir, spec.texturedir = str(folder / "stls/hand"), str(folder / "textures")
    for name in ("object", "target", "floor0"):
        spec.delete(spec.body(name))
    for element in [spec.geom("floor0"), *spec.sensors, *spec.lights]:
        spec.delete(element)
    for field in ("njmax", "nconmax", "nuser_jnt", "nuser_site", "nuser_tendon", "nuser_actuator", "nuser_sensor"):
        setattr(spec, field, getattr(parent, field))
    spec.option.timestep = parent.option.timestep
    body = spec.body("robot0:hand mount")
    body.pos = (0.0, 0.0, 0.0)
    for kind in (mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtJoint.mjJNT_HINGE):
        for i, axis in enumerate(np.eye(3)):
            body.add_joint(name=f"{kind.name}{i}", type=kind, axis=axis, pos=centre)
    for body in spec.bodies[1:]:
        body.gravcomp = 1.0
    return spec


def _damp_bases(model: mujoco.MjModel) -> None:
    """Dampers that take a hundredth of a second for a hand's momentum, by the mass matrix."""
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    mass = np.zeros((model.nv, model.nv))
    mujoco.mj_fullM(model, data, mass)
    for start in (0, 30):
        dofs = slice(start, start + 6)
        model.dof_damping[dofs] = 100.0 * np.diag(mass)[dofs]
