# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""An exported policy between an environment's observations and controls.

This module imports neither Isaac Lab nor torch: it is what a robot's computer would run.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import onnxruntime

from cgrpo_app import sim2sim_hand

METADATA_KEY = "cgrpo_lab"
"""The file's metadata entry that holds the description as JSON; see ``cgrpo_lab.export``."""

PLANAR = (("root_height", 1), ("root_pitch", 1), ("joint_pos", 6))
PLANAR_VELOCITIES = (("root_lin_vel", 2), ("root_pitch_rate", 1), ("joint_vel", 6))
FREE = (("root_height", 1), ("root_quat", 4), ("joint_pos", 8))
FREE_VELOCITIES = (("root_lin_vel", 3), ("root_ang_vel", 3), ("joint_vel", 8))
REACH = (("joint_pos", 7), ("joint_vel", 7), ("pose_command", 7), ("pose_error", 6))
LAYOUTS = {
    "HalfCheetah": (*PLANAR, *PLANAR_VELOCITIES),
    "Walker2d": (*PLANAR, *PLANAR_VELOCITIES),
    "Ant": (*FREE, *FREE_VELOCITIES, ("contact_forces", 78)),
    "Franka": REACH,
    **dict.fromkeys(sim2sim_hand.NAMES, sim2sim_hand.LAYOUT),
}
"""Terms of the environments' observations in their order with their sizes; Ant-v4 ends before the contact forces."""

PREVIOUS_ACTION = "actions"
"""Term that no environment observes: the policy's own previous output."""


class PolicyMismatch(ValueError):
    """A file that is no policy for the environment; the message says why."""


def load_session(path: Path) -> onnxruntime.InferenceSession:
    """Load an ONNX file to run on one thread of the CPU.

    Raises:
        PolicyMismatch: If the file is no ONNX model that onnxruntime can run.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no base class of their own
        reason = str(error).strip().splitlines()[0]
        raise PolicyMismatch(
            f"{path}: is no ONNX model ({reason}); give a run's exported/policy.onnx or one of scripts/export.py."
        ) from error


def read_metadata(path: Path, session: onnxruntime.InferenceSession) -> dict[str, Any]:
    """Return the description that an export of this project holds.

    Raises:
        PolicyMismatch: If the file holds none.
    """
    properties = session.get_modelmeta().custom_metadata_map
    if METADATA_KEY not in properties:
        raise PolicyMismatch(f"{path}: holds no {METADATA_KEY} metadata; export it with scripts/export.py.")
    return json.loads(properties[METADATA_KEY])


def joint_action(env_id: str, about: dict[str, Any]) -> dict[str, Any]:
    """Return the description of a policy's only action term, which commands joints.

    Args:
        env_id: Environment that the policy is to act in.
        about: Metadata of the policy.

    Raises:
        PolicyMismatch: If the policy has several terms or one of another kind.
    """
    terms = about["actions"]
    if len(terms) != 1 or "joint_names" not in terms[0]:
        names = ", ".join(term["name"] for term in terms)
        raise PolicyMismatch(f"{env_id} takes one action term, of joints; the policy of {about['task']} has {names}.")
    return terms[0]


class OnnxPolicy:
    """Policy that maps an environment's observations to controls as its metadata say.

    Attributes:
        about: The metadata.
        latencies: Duration of every inference [s].
    """

    def __init__(self, path: Path, env_id: str, model: mujoco.MjModel, observation_size: int) -> None:
        """Load a policy.

        Args:
            path: ONNX file.
            env_id: Official environment, for example ``Ant-v4``.
            model: Its unperturbed model.
            observation_size: Size of its observation.

        Raises:
            PolicyMismatch: If the file is no policy of this project, or one for another robot.
        """
        self._session = load_session(path)
        self.about = read_metadata(path, self._session)
        self.latencies: list[float] = []
        self._read_actions(env_id, model)
        self._read_observations(env_id, observation_size)
        self.begin_episode()

    @property
    def neutral(self) -> np.ndarray:
        """Controls [A] of a zero action."""
        return self._controls(np.zeros(len(self._gain)))

    def begin_episode(self) -> None:
        """Forget the previous action."""
        self._previous = np.zeros(len(self._gain))

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Return the controls [A] for an observation of the environment [D]."""
        known = np.concatenate((observation, self._previous))
        seen = np.clip(self._scale * known[self._order], self._low, self._high)
        inputs = {"obs": seen[None].astype(np.float32)}
        begin = time.perf_counter()
        self._previous = self._session.run(None, inputs)[0][0]
        self.latencies.append(time.perf_counter() - begin)
        return self._controls(self._previous)

    def _controls(self, action: np.ndarray) -> np.ndarray:
        """What the actuators are told, [A] in their order, for a policy's output [A]."""
        command = np.clip(self._gain * action + self._offset, *self._limits)
        return (command / self._gear)[self._actuators]

    def _read_observations(self, env_id: str, size: int) -> None:
        """Find the policy's inputs among the environment's observation and the previous action."""
        slices, begin = {PREVIOUS_ACTION: np.arange(size, size + len(self._gain))}, 0
        for name, length in LAYOUTS[env_id.split("-")[0]]:
            if begin + length <= size:
                slices[name] = np.arange(begin, begin + length)
            begin += length
        order, scale, low, high = [], [], [], []
        for term in self.about["observations"]:
            indices = slices.get(term["name"], np.array([], dtype=int))
            if len(indices) != term["size"]:
                raise PolicyMismatch(
                    f"{env_id} does not observe {term['name']} [{term['size']}], which the policy needs."
                )
            order.append(indices)
            scale.append(np.full(len(indices), term["scale"]))
            bounds = term["clip"] or (-np.inf, np.inf)
            low.append(np.full(len(indices), bounds[0]))
            high.append(np.full(len(indices), bounds[1]))
        self._order, self._scale = np.concatenate(order), np.concatenate(scale)
        self._low, self._high = np.concatenate(low), np.concatenate(high)

    def _read_actions(self, env_id: str, model: mujoco.MjModel) -> None:
        """Find the policy's outputs among the actuators."""
        term = joint_action(env_id, self.about)
        # Gymnasium-Robotics puts the robot's name before a joint's.
        driven = [model.joint(model.actuator(i).trnid[0]).name.rsplit(":", 1)[-1] for i in range(model.nu)]
        if sorted(driven) != sorted(term["joint_names"]):
            raise PolicyMismatch(f"{env_id} drives {', '.join(driven)}; the policy {', '.join(term['joint_names'])}.")
        self._actuators = np.array([term["joint_names"].index(name) for name in driven])
        self._gain, self._offset = np.array(term["scale"]), np.array(term["offset"])
        self._limits = np.array(term["clip"] or [(-np.inf, np.inf)]).T
        self._gear = np.array([model.actuator(driven.index(name)).gear[0] for name in term["joint_names"]])
