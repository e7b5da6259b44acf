# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The Shadow Dexterous Hand and the block of gymnasium-robotics as MuJoCo describes them, said in words that USD keeps.

What the way through USD and Newton loses all the same is named here as constants and put back by
:mod:`cgrpo_tasks.physics.mjcf_values`; ``docs/tasks/shadow_hand.md`` lists it. Source: ``envs/assets/hand`` of
gymnasium-robotics (MIT); the hand after Shadow Robot's models and work of Vikash Kumar (Apache-2.0).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path

import mujoco

from cgrpo_tasks.physics import MjcfValuesCfg

SOURCE_SUBFOLDER = Path("envs/assets")
"""Where gymnasium-robotics keeps its models."""

PREFIX = "robot0:"
"""What the source puts before every name of the hand."""

JOINTS = (
    *("WRJ1", "WRJ0"),
    *("FFJ3", "FFJ2", "FFJ1", "FFJ0"),
    *("MFJ3", "MFJ2", "MFJ1", "MFJ0"),
    *("RFJ3", "RFJ2", "RFJ1", "RFJ0"),
    *("LFJ4", "LFJ3", "LFJ2", "LFJ1", "LFJ0"),
    *("THJ4", "THJ3", "THJ2", "THJ1", "THJ0"),
)
"""All joints in the source's order. In Isaac Lab the order differs: always look joints up by name."""

ACTUATED_JOINTS = tuple(name for name in JOINTS if name not in ("FFJ0", "MFJ0", "RFJ0", "LFJ0"))
"""Joints with a position actuator, in the order of the official actions; the four others follow by their tendons."""

TENDONS = ("T_FFJ1c", "T_MFJ1c", "T_RFJ1c", "T_LFJ1c")
"""Tendons that couple the last two joints of a finger."""

FINGERTIPS = ("ffdistal", "mfdistal", "rfdistal", "lfdistal", "thdistal")
"""Bodies of the fingertips, in the source's order of fingers."""

MOUNT_POSITION = (1.0, 1.25, 0.15)
"""Where the source puts the hand's mount [m]."""

_PAIRS = (
    *("ffdistal thdistal", "ffmiddle thdistal", "ffproximal thdistal", "mfproximal thdistal", "mfdistal thdistal"),
    *("rfdistal thdistal", "lfdistal thdistal", "palm0 thdistal", "mfdistal ffdistal", "rfdistal mfdistal"),
    *("lfdistal rfdistal", "mfproximal ffproximal", "rfproximal mfproximal", "lfproximal rfproximal"),
    # Twice, as in the source: such a contact counts double.
    *("lfdistal rfdistal", "lfdistal mfdistal", "lfdistal rfmiddle", "lfmiddle rfdistal", "lfmiddle rfmiddle"),
)

HAND_VALUES = MjcfValuesCfg(
    contact_masks={"C_.*": (1, 0), "V_.*": (1, 1)},
    contact_pairs=tuple(tuple(f"C_{body}" for body in pair.split()) for pair in _PAIRS),
    contact_pair_condim=1,
)
"""What the hand loses: its fingers touch each other in some pairs only and without friction.

Two boxes of 1 mm inside the thumb, called visual in the source, collide with everything there, and so here.
"""

BLOCK_VALUES = MjcfValuesCfg(contact_masks={".*": (1, 1)}, free_joint_damping=0.01)
"""What the block loses: the damping of its free joint [N s/m, N m s/rad]."""

FLOOR_VALUES = MjcfValuesCfg(contact_masks={".*": (1, 1)})
"""The floor loses nothing, but masks are of use only where every geom has one."""


_MOUNT = f"{PREFIX}hand mount"

_CLASS_MATERIALS = (f"{PREFIX}MatColl", f"{PREFIX}MatViz")
"""Materials of the hand's default classes."""


def source_folder() -> Path:
    """Return the folder of gymnasium-robotics' models.

    Raises:
        FileNotFoundError: If gymnasium-robotics is not installed or lacks the hand.
    """
    # find_spec does not run the package.
    spec = importlib.util.find_spec("gymnasium_robotics")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("The Shadow Hand is built from the package gymnasium-robotics, which is not installed.")
    folder = Path(spec.origin).parent / SOURCE_SUBFOLDER
    if not (folder / "hand" / "manipulate_block.xml").is_file():
        raise FileNotFoundError(f"gymnasium-robotics has no hand in {folder}; install version 1.4 or later.")
    return folder


def source_files() -> list[Path]:
    """Return the files that the hand and the block are built from."""
    folder = source_folder()
    names = ("manipulate_block.xml", "robot.xml", "shared.xml", "shared_asset.xml")
    return [*(folder / "hand" / name for name in names), *sorted((folder / "stls" / "hand").glob("*.stl"))]


def hand_spec(visuals: bool = False) -> mujoco.MjSpec:
    """Return the hand alone, its mount where the source has it, with its actuators and coupling tendons.

    Args:
        visuals: Whether to keep the meshes that are only seen.

    Returns:
        Names are those of the source without ``robot0:``; the mount is ``hand_mount``, its first body ``forearm``.
    """
    spec = scene_spec()
    kept = [PREFIX + name for name in TENDONS]
    # The other tendons measure; their limits lie beyond what the joints' ranges let them reach.
    _delete(spec, [*spec.pairs, *(tendon for tendon in spec.tendons if tendon.name not in kept)])
    _delete(spec, [*spec.worldbody.geoms, *(body for body in spec.worldbody.bodies if body.name != _MOUNT)])
    _remove_decoration(spec, visuals)
    # As text: renamed elements would leave those that refer to them behind.
    spec = mujoco.MjSpec.from_string(spec.to_xml().replace(_MOUNT, "hand_mount").replace(PREFIX, ""))
    spec.modelname = "shadow_hand"
    return spec


def block_spec() -> mujoco.MjSpec:
    """Return the block alone, at the origin."""
    spec = _scene_without_hand()
    _delete(spec, [*spec.worldbody.geoms, *(body for body in spec.worldbody.bodies if body.name != "object")])
    _remove_decoration(spec, visuals=False)
    spec.body("object").pos = (0.0, 0.0, 0.0)
    # Siblings in USD must differ.
    spec.geom("object").name = "block"
    spec.modelname = "block"
    return spec


def floor_spec() -> mujoco.MjSpec:
    """Return the floor alone."""
    spec = _scene_without_hand()
    _delete(spec, spec.worldbody.bodies)
    _remove_decoration(spec, visuals=False)
    spec.modelname = "floor"
    return spec


def scene_spec() -> mujoco.MjSpec:
    """Return the source's scene: hand, block, the goal's ghost and floor, without sensors, lights and cameras."""
    folder = source_folder()
    spec = mujoco.MjSpec.from_file(str(folder / "hand" / "manipulate_block.xml"))
    spec.meshdir, spec.texturedir = str(folder / "stls" / "hand"), str(folder / "textures")
    _delete(spec, [*spec.sensors, *spec.lights, *spec.cameras])
    return spec


def _scene_without_hand() -> mujoco.MjSpec:
    """The source's scene with block and floor."""
    spec = scene_spec()
    _delete(spec, [*spec.pairs, *spec.tendons, *spec.actuators])
    _delete(spec, [spec.body(_MOUNT)])
    return spec


def _delete(spec: mujoco.MjSpec, elements: Iterable) -> None:
    """Delete elements; what refers to others has to go before them, as MuJoCo deletes it along with them."""
    for element in list(elements):
        spec.delete(element)


def _remove_decoration(spec: mujoco.MjSpec, visuals: bool) -> None:
    """Remove what has no effect on the physics."""
    _delete(spec, spec.sites)
    for geom in spec.geoms:
        geom.material = ""
    _delete(spec, [material for material in spec.materials if material.name not in _CLASS_MATERIALS])
    _delete(spec, spec.textures)
    if visuals:
        return
    _delete(spec, [geom for geom in spec.geoms if geom.contype == 0 and geom.conaffinity == 0])
    used = {geom.meshname for geom in spec.geoms}
    _delete(spec, [mesh for mesh in spec.meshes if mesh.name not in used])
