# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Contact frames of capsules on planes as MuJoCo C chooses them.

MuJoCo points the first tangent along the capsule, however steep it stands; MuJoCo Warp takes a world axis for capsules
steeper than 60 degrees. With pyramidal friction cones the tangents' directions matter, and Ant's legs stand steep.
(google-deepmind/mujoco issue 2774 reports the same of MJX.)
"""

import warp as wp
from mujoco_warp._src import collision_primitive

_stock_plane_capsule = collision_primitive.plane_capsule

PARALLEL = wp.constant(1.0e-6)
"""Projection onto the plane of a unit axis below which a capsule counts as upright and has no direction."""


@wp.func
def _plane_capsule(
    plane_normal: wp.vec3,
    plane_pos: wp.vec3,
    capsule_pos: wp.vec3,
    capsule_axis: wp.vec3,
    capsule_radius: float,
    capsule_half_length: float,
):
    """Contact distances, positions and frame; arguments and results are those of MuJoCo Warp's function."""
    dist, pos, frame = _stock_plane_capsule(
        plane_normal, plane_pos, capsule_pos, capsule_axis, capsule_radius, capsule_half_length
    )
    n = plane_normal
    projection = capsule_axis - n * wp.dot(n, capsule_axis)
    length = wp.length(projection)
    if length > PARALLEL:
        b = projection / length
        c = wp.cross(n, b)
        frame = wp.mat33(n[0], n[1], n[2], b[0], b[1], b[2], c[0], c[1], c[2])
    return dist, pos, frame


def use_frames_of_mujoco() -> None:
    """Have MuJoCo Warp's collision kernels that are built from now on use MuJoCo's frames."""
    collision_primitive.plane_capsule = _plane_capsule
