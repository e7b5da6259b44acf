# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The world half of CGRPO Lab: robots, scenes, rewards and physics.

Importing this package registers every task with Gymnasium. Isaac Lab does so through the entry point group
``isaaclab.tasks``; a script run from a checkout imports the package itself. Configurations and environments, which need
Isaac Lab, are imported when a task is made.
"""

from .locomotion import ant, half_cheetah, walker2d  # noqa: F401
from .manipulation import franka_reach, shadow_hand, shadow_hand_catch  # noqa: F401
