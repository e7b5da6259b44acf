# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Gymnasium's MuJoCo robots, step for step as in the official environments."""
