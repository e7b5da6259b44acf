# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The Franka Emika Panda as corrected MJCF, from the model that ships inside gymnasium-robotics.

The source (vikashplus/franka, Apache-2.0) is right in geometry but shifts the zeros of joints 6 and 7, rounds two
rotations to 1.57 rad and has no hand body. ``docs/assets.md`` lists every correction with its reason.
"""

import importlib.util
import math
import shutil
from pathlib import Path

import mujoco

ARM_JOINTS = tuple(f"panda_joint{i}" for i in range(1, 8))
"""Names of the arm's joints, base to flange."""

SOURCE_SUBFOLDER = Path("envs/assets/kitchen_franka/franka_assets")
"""Where gymnasium-robotics keeps the model."""

_HALF = math.sqrt(0.5)
_HAND_OFFSET = 0.107
"""Distance [m] from joint 7 to the flange, on which the hand is mounted."""
_HAND_QUAT = (math.cos(math.pi / 8), 0.0, 0.0, -math.sin(math.pi / 8))
"""Hand mounting, -45 deg about the flange axis; (w, x, y, z)."""
_FINGER_OFFSET = 0.0584
"""Distance [m] from the hand's to the fingers' frame."""
_FINGER_MASS = 0.0927059
"""Mass [kg] of one finger, from the source."""
_ARMATURE = 0.1
"""Rotor inertia reflected through the gears [kg m^2]: the source has none, Franka publishes none; MuJoCo
Menagerie uses this value."""

_WRAPPER = """<mujoco model="panda">
  <include file="franka_assets/assets.xml"/>
  <worldbody><include file="franka_assets/chain.xml"/></worldbody>
</mujoco>
"""


def source_folder() -> Path:
    """Return the folder of the unchanged Panda model.

    Raises:
        FileNotFoundError: If gymnasium-robotics is not installed or lacks the model.
    """
    # find_spec does not run the package, whose import registers environments and prints notices.
    spec = importlib.util.find_spec("gymnasium_robotics")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "The Panda is built from the package gymnasium-robotics, which is not installed: ./isaaclab.sh -i"
        )
    folder = Path(spec.origin).parent / SOURCE_SUBFOLDER
    if not (folder / "chain.xml").is_file():
        raise FileNotFoundError(f"gymnasium-robotics has no Panda model at {folder}; install version 1.4.")
    return folder


def write_panda_mjcf(folder: Path) -> Path:
    """Write the corrected model and its meshes.

    Args:
        folder: Existing folder to write into.

    Returns:
        The file ``panda.xml``; its meshes lie beside it under ``franka_assets/meshes``.
    """
    shutil.copytree(source_folder(), folder / "franka_assets")
    wrapper = folder / "franka_assets.xml"
    wrapper.write_text(_WRAPPER)
    spec = mujoco.MjSpec.from_file(str(wrapper))
    wrapper.unlink()

    _rename(spec)
    _correct_wrist(spec)
    _correct_joints(spec)
    _add_hand(spec)
    for body in spec.bodies[1:]:
        # Franka's controller compensates the arm's own weight; position targets are then met without sag.
        body.gravcomp = 1.0

    path = folder / "panda.xml"
    spec.compile()
    path.write_text(spec.to_xml())
    return path


def _rename(spec: mujoco.MjSpec) -> None:
    """Name bodies and joints as Franka's URDF and Isaac Lab do."""
    for body in spec.bodies[1:]:
        body.name = body.name.replace("panda0_", "panda_")
    for joint in spec.joints:
        joint.name = joint.name.replace("robot:panda0_", "panda_")


def _correct_wrist(spec: mujoco.MjSpec) -> None:
    """Give links 6 and 7 exact rotations at the standard joint zeros."""
    for name in ("panda_link6", "panda_link7"):
        body = spec.body(name)
        body.quat = (_HALF, _HALF, 0.0, 0.0)
        # Euler angles given in the source take precedence over the quaternion until they are cleared.
        body.alt.type = mujoco.mjtOrientation.mjORIENTATION_QUAT
        body.alt.euler = [math.nan] * 3


def _correct_joints(spec: mujoco.MjSpec) -> None:
    """Set the published limits and drop damping and armature, which were tuning of another controller."""
    spec.joint("panda_joint4").range = (-3.0718, -0.0698)
    spec.joint("panda_joint6").range = (-0.0175, 3.7525)
    for name in ARM_JOINTS:
        joint = spec.joint(name)
        joint.damping = [0.0] * len(joint.damping)
        joint.armature = _ARMATURE


def _add_hand(spec: mujoco.MjSpec) -> None:
    """Give the hand a body of its own and rebuild the fingers below it, with one box collider each."""
    link7 = spec.body("panda_link7")
    for child in list(link7.bodies):
        spec.delete(child)
    for obsolete in [*link7.sites, *(g for g in link7.geoms if g.meshname.startswith("hand"))]:
        spec.delete(obsolete)
    hand = link7.add_body(name="panda_hand", pos=(0.0, 0.0, _HAND_OFFSET), quat=_HAND_QUAT)
    hand.add_geom(spec.find_default("panda_viz"), meshname="hand_viz")
    hand.add_geom(spec.find_default("panda_col"), meshname="hand_col", mass=0.81909)

    # The source stretches the finger mesh by 1.75 for its kitchen; the real finger has the mesh's own size.
    for mesh in ("finger_viz", "finger_col"):
        spec.mesh(mesh).scale = (1.0, 1.0, 1.0)
    for side, name in ((1.0, "left"), (-1.0, "right")):
        finger = hand.add_body(name=f"panda_{name}finger", pos=(0.0, 0.0, _FINGER_OFFSET))
        joint = finger.add_joint(
            spec.find_default("panda"),
            name=f"panda_finger_joint{1 if side > 0 else 2}",
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=(0.0, side, 0.0),
            range=(0.0, 0.04),
        )
        joint.armature = _ARMATURE
        flipped = (1.0, 0.0, 0.0, 0.0) if side > 0 else (0.0, 0.0, 0.0, 1.0)
        finger.add_geom(spec.find_default("panda_viz"), meshname="finger_viz", quat=flipped)
        finger.add_geom(
            spec.find_default("panda_col"),
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=(0.0, side * 0.0105, 0.027),
            size=(0.0105, 0.0105, 0.027),
            mass=_FINGER_MASS,
        )
