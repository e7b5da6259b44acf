# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The world half of CGRPO Lab: robots, scenes, rewards and physics.

Importing this package registers every task with Gymnasium. Isaac Lab does so through the entry point group
``isaaclab.tasks``; a script run from a checkout imports the package itself.
"""

from isaaclab_tasks.utils import import_packages

import_packages(__name__)
