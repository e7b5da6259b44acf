# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The doorstep: command lines, launching Isaac Lab, run folders. It joins the learning half to the world half."""
