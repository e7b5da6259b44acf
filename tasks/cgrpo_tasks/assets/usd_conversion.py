# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""MJCF to USD, without the converter's account of its own progress."""

from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from . import cache


def content_key(files: Iterable[Path], *texts: str) -> str:
    """Key in the asset cache of what :func:`convert` makes.

    Args:
        files: What the model is made from, the code that makes it included.
        *texts: Further contents.
    """
    versions = [f"{package}=={version(package)}" for package in ("mujoco", "mujoco-usd-converter")]
    return cache.content_key([*files, Path(__file__)], [*versions, *texts])


def convert(mjcf: Path, folder: Path, *, layer_structure: bool = True) -> None:
    """Write the USD of an MJCF file, without a physics scene; warnings are printed, progress is not.

    Args:
        mjcf: The model.
        folder: Where the USD goes, created if missing.
        layer_structure: Whether geometry, materials and physics are layers of their own.
    """
    # Imported late: it loads USD plugins, which must not happen before Kit where Isaac Sim is used.
    import mujoco_usd_converter
    import usdex.core

    usdex.core.setDiagnosticsLevel(usdex.core.DiagnosticsLevel.eWarning)
    usdex.core.activateDiagnosticsDelegate()
    try:
        # The scene is Isaac Lab's: it sets gravity, time step and solver.
        mujoco_usd_converter.Converter(layer_structure=layer_structure, scene=False).convert(str(mjcf), str(folder))
    finally:
        usdex.core.deactivateDiagnosticsDelegate()
