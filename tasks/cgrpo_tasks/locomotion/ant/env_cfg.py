# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Configuration of Ant."""

from isaaclab.sim import SimulationCfg
from isaaclab.utils import configclass

from isaaclab_tasks.utils import PresetCfg

from cgrpo_tasks.assets.mujoco_locomotion import robot_cfg
from cgrpo_tasks.locomotion.env_cfg import MAX_EPISODE_STEPS, SceneCfg, UprightEnvCfg, simulation

ROBOT = robot_cfg("ant", {"hip_.*": 0.0, "ankle_[14]": 1.0, "ankle_[23]": -1.0})
PHYSICS = {"dt": 0.01, "frame_skip": 5, "integrator": "rk4", "capsules": 12, "spheres": 1, "limits": 8}


@configclass
class AntV4EnvCfg(UprightEnvCfg):
    """Rules of ``Ant-v4``, without contact forces as by default there."""

    scene: SceneCfg = SceneCfg(num_envs=64, env_spacing=0.0, robot=ROBOT)
    sim: SimulationCfg = simulation(**PHYSICS, mjdata_fields=("xpos",))
    episode_length_s: float = MAX_EPISODE_STEPS * 0.05
    observation_space: int = 27
    action_space: int = 8
    ctrl_cost_weight: float = 0.5
    reset_noise_scale: float = 0.1
    healthy_z_range: tuple[float, float] = (0.2, 1.0)

    @property
    def contact_forces(self) -> bool:
        """Whether external forces are observed and paid for; no setting, as sizes and solver have to fit."""
        return False


@configclass
class AntV5EnvCfg(AntV4EnvCfg):
    """Rules of ``Ant-v5``."""

    sim: SimulationCfg = simulation(**PHYSICS, mjdata_fields=("xpos", "cfrc_ext"))
    observation_space: int = 105
    survives_last_step: bool = False

    contact_cost_weight: float = 5.0e-4
    """Cost of the squared external wrenches, summed over the bodies."""

    contact_force_range: tuple[float, float] = (-1.0, 1.0)
    """Limits of the external wrenches [N m, N]."""

    @property
    def contact_forces(self) -> bool:
        """See :attr:`AntV4EnvCfg.contact_forces`."""
        return True


@configclass
class AntEnvCfg(PresetCfg):
    """The version of the rules, chosen with ``env=v5``."""

    v4: AntV4EnvCfg = AntV4EnvCfg()
    v5: AntV5EnvCfg = AntV5EnvCfg()
    default: AntV4EnvCfg = v4
