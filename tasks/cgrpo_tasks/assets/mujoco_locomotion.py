# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""HalfCheetah, Walker2d and Ant from the MJCF files that ship inside Gymnasium.

The way through USD and Newton loses some of what the files say; ``docs/tasks/locomotion.md`` lists each loss, its
effect and where it is made good. Importing this module builds nothing.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import mujoco

import isaaclab.sim as sim_utils
from isaaclab.assets import ArticulationCfg
from isaaclab.utils import configclass, replace
from isaaclab_newton.sim.schemas import NewtonArticulationCfg

from . import cache, mjspec_file, usd_conversion

if TYPE_CHECKING:
    from pxr import Usd

SOURCE_SUBFOLDER = Path("envs/mujoco/assets")
"""Where Gymnasium keeps the models."""


def gymnasium_mjcf_path(model: str) -> Path:
    """Return the unchanged MJCF of a robot.

    Args:
        model: Name of the file without its suffix, for example ``walker2d_v5``.

    Raises:
        FileNotFoundError: If Gymnasium is not installed or lacks the model.
    """
    # find_spec does not run the package.
    spec = importlib.util.find_spec("gymnasium")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"{model} is built from the package gymnasium, which is not installed.")
    path = Path(spec.origin).parent / SOURCE_SUBFOLDER / f"{model}.xml"
    if not path.is_file():
        raise FileNotFoundError(f"gymnasium has no model at {path}; install version 1.0 or later.")
    return path


def usd_path(model: str) -> Path:
    """Return a robot and its floor as USD, building it on first use.

    Args:
        model: See :func:`gymnasium_mjcf_path`.

    Raises:
        cache.AssetCacheError: If the cache folder cannot be written.
    """
    code = [Path(__file__), Path(mjspec_file.__file__)]
    key = usd_conversion.content_key([gymnasium_mjcf_path(model), *code])
    return cache.cached_build(model, key, lambda folder: _build(model, folder)) / "usd" / f"{model}.usdc"


def _build(model: str, folder: Path) -> None:
    """Write the adapted MJCF and the USD into an empty folder."""
    mjspec_file.build(adapted_mjcf(model), folder)


def adapted_mjcf(model: str) -> mujoco.MjSpec:
    """Return the model with everything said in words that survive the conversion.

    Args:
        model: See :func:`gymnasium_mjcf_path`.
    """
    spec = mujoco.MjSpec.from_file(str(gymnasium_mjcf_path(model)))
    spec.modelname = model
    for geom in spec.geoms:
        geom.material = ""
    for element in [*spec.actuators, *spec.cameras, *spec.lights, *spec.materials, *spec.textures]:
        # Isaac Lab applies the efforts; the rest is decoration.
        spec.delete(element)
    _write_out_total_mass(spec)
    _share_root_anchor(spec)
    _make_names_unique(spec)
    spec.compile()
    return spec


def _write_out_total_mass(spec: mujoco.MjSpec) -> None:
    """Scale densities to what ``settotalmass`` asks for: USD knows no such option."""
    total = spec.compiler.settotalmass
    if total <= 0.0:
        return
    spec.compiler.settotalmass = -1.0
    unscaled = float(spec.compile().body_mass.sum())
    for geom in spec.geoms:
        geom.density *= total / unscaled


def _share_root_anchor(spec: mujoco.MjSpec) -> None:
    """Give all joints of a body one anchor: Newton merges them into one joint, which has one.

    Walker2d's root slides are anchored elsewhere than its root hinge. A slide's anchor has no physical effect.
    """
    for joint in spec.joints:
        if joint.type == mujoco.mjtJoint.mjJNT_SLIDE:
            joint.pos = (0.0, 0.0, 0.0)


def _make_names_unique(spec: mujoco.MjSpec) -> None:
    """Keep the joints' names and change those of bodies and geoms: siblings in USD must differ.

    Ant's feet have no names at all; they are called after their joints.
    """
    for i, geom in enumerate(spec.geoms):
        geom.name = f"geom_{i}"
    for body in spec.bodies[1:]:
        body.name = f"{body.name or body.joints[0].name}_link"


@configclass
class LocomotionFileCfg(sim_utils.UsdFileCfg):
    """Spawner of a robot built from Gymnasium's MJCF; its floor is part of it, one for each environment."""

    func: object = "{DIR}.mujoco_locomotion:spawn"

    usd_path: str = ""
    """Found in the asset cache when the robot is spawned."""

    model: str = ""
    """See :func:`gymnasium_mjcf_path`."""


def spawn(prim_path: str, cfg: LocomotionFileCfg, *args, **kwargs) -> Usd.Prim:
    """Spawn a robot, building its USD first where the cache lacks it.

    Args:
        prim_path: Prim path or pattern to spawn at.
        cfg: Spawner configuration.
        *args: Passed on to :func:`isaaclab.sim.spawn_from_usd`.
        **kwargs: Passed on to :func:`isaaclab.sim.spawn_from_usd`.

    Returns:
        The spawned prim.
    """
    return sim_utils.spawn_from_usd(prim_path, replace(cfg, usd_path=str(usd_path(cfg.model))), *args, **kwargs)


def robot_cfg(model: str, joint_pos: dict[str, float] | None = None) -> ArticulationCfg:
    """Return the articulation of a robot, without self-collisions, driven by efforts.

    Args:
        model: See :func:`gymnasium_mjcf_path`.
        joint_pos: Joint positions [rad] of the asset; Isaac Lab wants them within the limits. Zero unless given.
    """
    return ArticulationCfg(
        prim_path="{ENV_REGEX_NS}/Robot",
        spawn=LocomotionFileCfg(
            model=model,
            # The files exclude self-collisions by contype and conaffinity, which the converter does not write.
            articulation_props=[NewtonArticulationCfg(self_collision_enabled=False)],
        ),
        # The file's own position; another one would lift the floor with the robot.
        init_state=ArticulationCfg.InitialStateCfg(pos=(0.0, 0.0, 0.0), joint_pos=joint_pos or {".*": 0.0}),
        # Efforts go straight to the joints, whose stiffness and damping are passive and part of the file.
        actuators={},
    )
