# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Shadow Dexterous Hand of gymnasium-robotics and what belongs to it, as Isaac Lab's configurations.

Importing this module builds nothing; the conversion to USD happens when a scene spawns something for the first time.
"""

from isaaclab.actuators import ImplicitActuatorCfg
from isaaclab.assets import ArticulationCfg, AssetBaseCfg, RigidObjectCfg
from isaaclab_newton.sim.schemas import NewtonArticulationCfg

from .mjspec_file import MjSpecFileCfg

_MODELS = "cgrpo_tasks.assets.shadow_hand_mjcf"

SHADOW_HAND_CFG = ArticulationCfg(
    spawn=MjSpecFileCfg(
        spec=f"{_MODELS}:hand_spec",
        articulation_props=[NewtonArticulationCfg(self_collision_enabled=True)],
    ),
    # The mount has its place in the file; another one would be added to it.
    init_state=ArticulationCfg.InitialStateCfg(pos=(0.0, 0.0, 0.0), joint_pos={".*": 0.0}),
    actuators={
        "wrist": ImplicitActuatorCfg(joint_names_expr=["WRJ[01]"], stiffness=5.0, damping=0.0),
        "fingers": ImplicitActuatorCfg(
            joint_names_expr=["(FF|MF|RF)J[123]", "LFJ[1234]", "THJ[01234]"], stiffness=1.0, damping=0.0
        ),
    },
)
"""Hand whose 20 position actuators are those of the file. Which geoms touch is said by ``HAND_VALUES``."""

BLOCK_CFG = RigidObjectCfg(
    spawn=MjSpecFileCfg(spec=f"{_MODELS}:block_spec"),
    init_state=RigidObjectCfg.InitialStateCfg(pos=(1.0, 0.87, 0.2)),
)
"""Block with an edge of 5 cm above the palm."""

FLOOR_CFG = AssetBaseCfg(spawn=MjSpecFileCfg(spec=f"{_MODELS}:floor_spec"))
"""Floor on which a dropped block comes to rest."""
