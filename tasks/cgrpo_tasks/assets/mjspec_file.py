# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Spawner of what a function describes as a ``mujoco.MjSpec``, converted to USD once and kept in the asset cache."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import mujoco

import isaaclab.sim as sim_utils
from isaaclab.utils import configclass, replace

from . import cache, usd_conversion

if TYPE_CHECKING:
    from pxr import Usd


@configclass
class MjSpecFileCfg(sim_utils.UsdFileCfg):
    """Spawner of a model that a function describes."""

    func: object = "{DIR}.mjspec_file:spawn"

    usd_path: str = ""
    """Found in the asset cache when the model is spawned."""

    spec: str = ""
    """Function without arguments that returns the ``MjSpec``, as ``package.module:function``."""


def spawn(prim_path: str, cfg: MjSpecFileCfg, *args, **kwargs) -> Usd.Prim:
    """Spawn a model, building its USD first where the cache lacks it.

    Args:
        prim_path: Prim path or pattern to spawn at.
        cfg: Spawner configuration.
        *args: Passed on to :func:`isaaclab.sim.spawn_from_usd`.
        **kwargs: Passed on to :func:`isaaclab.sim.spawn_from_usd`.

    Returns:
        The spawned prim.
    """
    module, function = cfg.spec.split(":")
    path = usd_path(getattr(importlib.import_module(module), function)())
    return sim_utils.spawn_from_usd(prim_path, replace(cfg, usd_path=str(path)), *args, **kwargs)


def usd_path(spec: mujoco.MjSpec) -> Path:
    """Return a model as USD, building it on first use.

    Args:
        spec: The model; its name becomes the file's. The folder of its meshes must be absolute.

    Raises:
        cache.AssetCacheError: If the cache folder cannot be written.
    """
    spec.compile()
    meshes = [Path(spec.meshdir) / mesh.file for mesh in spec.meshes]
    key = usd_conversion.content_key([*meshes, Path(__file__)], spec.to_xml())
    folder = cache.cached_build(spec.modelname, key, lambda folder: build(spec, folder))
    return folder / "usd" / f"{spec.modelname}.usdc"


def build(spec: mujoco.MjSpec, folder: Path) -> None:
    """Write the MJCF and the USD of a model into an empty folder, named as it is."""
    path = folder / f"{spec.modelname}.xml"
    path.write_text(spec.to_xml())
    usd_conversion.convert(path, folder / "usd", layer_structure=False)
