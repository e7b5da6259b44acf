# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""gymnasium-robotics 1.4.2 with MuJoCo 3.12, in which its environments of hand and arm cannot be made.

Its ``mujoco_utils`` compares numpy integers with MuJoCo's enumeration of joint types. Such a comparison was true where
the values are equal and is always false now; an assertion then fails.
"""

import types

import mujoco


def repair() -> None:
    """Have ``gymnasium_robotics.utils.mujoco_utils`` compare with integers. Has no further effect when called again."""
    from gymnasium_robotics.utils import mujoco_utils

    repaired = types.ModuleType("mujoco")
    vars(repaired).update(vars(mujoco))
    members = mujoco.mjtJoint.__members__.items()
    repaired.mjtJoint = types.SimpleNamespace(**{name: int(value.value) for name, value in members})
    mujoco_utils.mujoco = repaired
