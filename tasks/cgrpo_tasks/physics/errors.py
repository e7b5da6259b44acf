# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What goes wrong when a physics preset is asked for something it cannot do."""


class PhysicsError(ValueError):
    """A scene, device or option that the chosen physics preset does not support; the message names the remedy."""
