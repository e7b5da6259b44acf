# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What an MJCF file says and Newton does not learn from the USD it was converted to."""

from __future__ import annotations

import re
from collections import defaultdict

from newton import GeoType, JointType, ModelBuilder, ShapeFlags

from isaaclab.physics import PhysicsManager
from isaaclab_newton.physics import NewtonMJWarpManager

from .errors import PhysicsError
from .solver_cfg import MjcfValuesCfg

FREE_DOFS = 6
"""Degrees of freedom of a free joint."""


class MjcfValuesMixin(NewtonMJWarpManager):
    """Puts the values of ``solver_cfg.mjcf_values`` into Newton's model before the solver is built from it."""

    @classmethod
    def _prepare_builder_for_finalize(cls, builder: ModelBuilder) -> None:
        """Complete the model.

        Raises:
            PhysicsError: If an asset or a geom that is named does not exist, or if only some geoms have masks.
        """
        super()._prepare_builder_for_finalize(builder)
        values: dict[str, MjcfValuesCfg] = PhysicsManager._cfg.solver_cfg.mjcf_values
        if not values:
            return
        shapes = _colliding_shapes(builder, values)
        # World by world: Newton counts on every world having its pairs in a row.
        for world, assets in sorted(shapes.items()):
            for asset, asset_values in values.items():
                _add_pairs(builder, asset_values, assets[asset], world)
                _stretch_spheres(builder, asset_values, assets[asset])
        if any(asset_values.contact_masks for asset_values in values.values()):
            _set_masks(builder, values, shapes)
        for asset, asset_values in values.items():
            if asset_values.free_joint_damping > 0.0:
                _damp_free_joints(builder, asset, asset_values.free_joint_damping)


def _colliding_shapes(builder: ModelBuilder, assets: dict) -> dict[int, dict[str, dict[str, int]]]:
    """Indices of the colliding shapes by world, asset and name.

    Raises:
        PhysicsError: If an asset has none.
    """
    shapes: dict[int, dict[str, dict[str, int]]] = defaultdict(lambda: {asset: {} for asset in assets})
    for i, (path, world) in enumerate(zip(builder.shape_label, builder.shape_world, strict=True)):
        if builder.shape_flags[i] & ShapeFlags.COLLIDE_SHAPES:
            asset = _asset(path, assets)
            if asset is not None:
                shapes[world][asset][path.rsplit("/", 1)[-1]] = i
    for asset in assets:
        if not any(world[asset] for world in shapes.values()):
            raise PhysicsError(f"solver_cfg.mjcf_values names {asset!r}, but such a prim holds no colliding shape.")
    return shapes


def _asset(path: str, assets: dict) -> str | None:
    """Which of the assets a prim belongs to."""
    parts = path.split("/")
    return next((asset for asset in assets if asset in parts), None)


def _add_pairs(builder: ModelBuilder, values: MjcfValuesCfg, named: dict[str, int], world: int) -> None:
    """Add the contact pairs of one asset in one world."""
    for pair in values.contact_pairs:
        for name in pair:
            if name not in named:
                raise PhysicsError(f"contact_pairs names {name!r}; the colliding geoms are {', '.join(named)}.")
        builder.add_custom_values(
            **{
                "mujoco:pair_world": world,
                "mujoco:pair_geom1": named[pair[0]],
                "mujoco:pair_geom2": named[pair[1]],
                "mujoco:pair_condim": values.contact_pair_condim,
            }
        )


def _stretch_spheres(builder: ModelBuilder, values: MjcfValuesCfg, named: dict[str, int]) -> None:
    """Make the ellipsoids of one asset in one world.

    Raises:
        PhysicsError: If a geom does not exist or is no sphere.
    """
    for name, semi_axes in values.ellipsoids.items():
        if name not in named or builder.shape_type[named[name]] != GeoType.SPHERE:
            raise PhysicsError(f"ellipsoids names {name!r}, which is no sphere; the geoms are {', '.join(named)}.")
        builder.shape_type[named[name]] = GeoType.ELLIPSOID
        builder.shape_scale[named[name]] = semi_axes


def _set_masks(builder: ModelBuilder, values: dict[str, MjcfValuesCfg], shapes: dict) -> None:
    """Have MuJoCo decide by masks which geoms meet, and not by the pairs that Newton filters out."""
    attributes = builder.custom_attributes
    keys = ("mujoco:contype", "mujoco:conaffinity", "mujoco:collision_mask_domain")
    columns = [attributes[key].values for key in keys]
    masked = set()
    for assets in shapes.values():
        for asset, named in assets.items():
            for name, shape in named.items():
                # One domain for all: the masks of the assets are meant to be compared with each other.
                for column, value in zip(columns, (*_mask(values[asset], asset, name), 0), strict=True):
                    column[shape] = value
                masked.add(shape)
    for i, path in enumerate(builder.shape_label):
        if i not in masked and builder.shape_flags[i] & ShapeFlags.COLLIDE_SHAPES:
            raise PhysicsError(f"{path} collides but has no contact_masks, which other geoms have; give it some.")
    builder.shape_collision_filter_pairs = []


def _mask(values: MjcfValuesCfg, asset: str, name: str) -> tuple[int, int]:
    """``contype`` and ``conaffinity`` of a geom."""
    for pattern, mask in values.contact_masks.items():
        if re.fullmatch(pattern, name):
            return mask
    raise PhysicsError(f"contact_masks of {asset!r} match no geom {name!r}; give it some.")


def _damp_free_joints(builder: ModelBuilder, asset: str, damping: float) -> None:
    """Set the damping of all degrees of freedom of the asset's free joints.

    Raises:
        PhysicsError: If it has none.
    """
    joints = [
        joint
        for joint, child in enumerate(builder.joint_child)
        if builder.joint_type[joint] == JointType.FREE and asset in builder.body_label[child].split("/")
    ]
    if not joints:
        raise PhysicsError(f"free_joint_damping of {asset!r}: it has no free joint.")
    for joint in joints:
        start = builder.joint_qd_start[joint]
        builder.joint_damping[start : start + FREE_DOFS] = [damping] * FREE_DOFS
