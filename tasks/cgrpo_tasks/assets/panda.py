# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Franka Emika Panda: articulation configuration and the files built for it.

Importing this module builds nothing; the conversion to USD happens when a scene spawns the robot for the first time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import isaaclab.sim as sim_utils
from isaaclab.actuators import ImplicitActuatorCfg
from isaaclab.assets import ArticulationCfg
from isaaclab.utils import configclass, replace
from isaaclab_newton.sim.schemas import MujocoRigidBodyCfg, NewtonArticulationCfg
from isaaclab_physx.sim.schemas import PhysxArticulationCfg, PhysxRigidBodyCfg

from isaaclab_tasks.utils import preset

from isaaclab_assets import FRANKA_PANDA_CFG

from . import cache, panda_mjcf, usd_conversion

if TYPE_CHECKING:
    from pxr import Usd


def panda_mjcf_path() -> Path:
    """Return the corrected MJCF of the Panda, building it on first use.

    Raises:
        cache.AssetCacheError: If the cache folder cannot be written.
    """
    return _panda_folder() / "panda.xml"


def panda_usd_path() -> Path:
    """Return the Panda as USD, building it on first use.

    Raises:
        cache.AssetCacheError: If the cache folder cannot be written.
    """
    return _panda_folder() / "usd" / "panda.usda"


def _panda_folder() -> Path:
    """Return the cache folder with ``panda.xml``, its meshes and ``usd/panda.usda``."""
    sources = [file for file in panda_mjcf.source_folder().rglob("*") if file.is_file()]
    key = usd_conversion.content_key([*sources, Path(panda_mjcf.__file__), Path(__file__)])
    return cache.cached_build("panda", key, _build)


def _build(folder: Path) -> None:
    """Write the MJCF and the USD of the Panda into an empty folder."""
    mjcf = panda_mjcf.write_panda_mjcf(folder)
    usd_conversion.convert(mjcf, folder / "usd")


def spawn_panda(prim_path: str, cfg: PandaFileCfg, *args, **kwargs) -> Usd.Prim:
    """Spawn the Panda, building its USD first where the cache lacks it.

    Args:
        prim_path: Prim path or pattern to spawn at.
        cfg: Spawner configuration.
        *args: Passed on to :func:`isaaclab.sim.spawn_from_usd`.
        **kwargs: Passed on to :func:`isaaclab.sim.spawn_from_usd`.

    Returns:
        The spawned prim.
    """
    return sim_utils.spawn_from_usd(prim_path, replace(cfg, usd_path=str(panda_usd_path())), *args, **kwargs)


@configclass
class PandaFileCfg(sim_utils.UsdFileCfg):
    """Spawner of the locally built Panda."""

    func: object = spawn_panda

    usd_path: str = "panda.usda"
    """Name of the file in the asset cache; its folder is known once it is built."""


_WEIGHTLESS = [MujocoRigidBodyCfg(gravcomp=1.0), PhysxRigidBodyCfg(disable_gravity=True)]
"""Franka's controller carries the arm's own weight; each backend has its own word for it."""

PANDA_CFG = ArticulationCfg(
    spawn=PandaFileCfg(
        rigid_props=_WEIGHTLESS,
        articulation_props=[
            NewtonArticulationCfg(self_collision_enabled=False),
            PhysxArticulationCfg(enabled_self_collisions=False),
        ],
    ),
    init_state=ArticulationCfg.InitialStateCfg(
        joint_pos={
            "panda_joint1": 0.0,
            "panda_joint2": -0.569,
            "panda_joint3": 0.0,
            "panda_joint4": -2.810,
            "panda_joint5": 0.0,
            "panda_joint6": 3.037,
            "panda_joint7": 0.741,
            "panda_finger_joint.*": 0.0,
        },
    ),
    actuators={
        "panda_arm": ImplicitActuatorCfg(
            joint_names_expr=["panda_joint[1-7]"],
            joint_effort_limit={"panda_joint[1-4]": 87.0, "panda_joint[5-7]": 12.0},
            stiffness=400.0,
            damping=80.0,
        ),
        "panda_hand": ImplicitActuatorCfg(
            joint_names_expr=["panda_finger_joint.*"], joint_effort_limit=70.0, stiffness=2000.0, damping=100.0
        ),
    },
)
"""Panda with gravity-compensated links, self-collision off, and stiff position drives.

The posture is Isaac Lab's ``FRANKA_PANDA_CFG``, but with closed fingers, which nothing moves in a reaching task.
"""

PANDA_ORIGINAL_CFG = replace(
    PANDA_CFG,
    spawn=replace(
        FRANKA_PANDA_CFG.spawn,
        variants={
            "Physics": preset(default="mujoco", isaacsim_physx="physx", ovphysx="physx", physx="physx"),
            "Colliders": "primitives",
        },
        rigid_props=_WEIGHTLESS,
    ),
)
"""The same robot from the USD that Isaac Lab downloads; needs the network."""
