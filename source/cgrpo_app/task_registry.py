# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""This project's tasks, as Gymnasium has them; to list them takes neither torch nor Isaac Lab."""

import gymnasium as gym


def our_tasks() -> list[str]:
    """Ids of this project's tasks."""
    import cgrpo_tasks  # registers them where the project is not installed, too

    package = f"{cgrpo_tasks.__name__}."
    return sorted(name for name, spec in gym.registry.items() if str(spec.entry_point).startswith(package))
