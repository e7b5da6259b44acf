# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Cache of built assets: a folder per content hash, complete or absent.

A build happens in a hidden temporary folder beside its destination and is renamed in place when it is complete. The
rename is atomic, so a folder under its final name is always whole: a killed build leaves only a temporary folder
behind, and of several processes that build at once one wins and the others use its result.
"""

import hashlib
import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

CACHE_VARIABLE = "CGRPO_LAB_CACHE"
"""Environment variable that names the cache folder."""

_STALE_AFTER_S = 3600.0
"""Age [s] from which a temporary folder counts as left behind by a killed build; a build takes seconds."""

logger = logging.getLogger(__name__)


class AssetCacheError(RuntimeError):
    """The cache folder cannot be used."""


def cache_folder() -> Path:
    """Return the folder that holds the built assets; it need not exist yet.

    Returns:
        ``$CGRPO_LAB_CACHE``, else ``$XDG_CACHE_HOME/cgrpo_lab``, else ``~/.cache/cgrpo_lab``.
    """
    if CACHE_VARIABLE in os.environ:
        return Path(os.environ[CACHE_VARIABLE]).expanduser().absolute()
    # The XDG specification has relative values ignored.
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (xdg if xdg.is_absolute() else Path.home() / ".cache") / "cgrpo_lab"


def content_key(files: Iterable[Path], versions: Iterable[str] = ()) -> str:
    """Hash everything an asset is built from.

    Args:
        files: Source files of the asset and of its builder; both name and content count, their order does not.
        versions: Versions of the tools that take part in the build.

    Returns:
        16 hexadecimal digits.

    Raises:
        FileNotFoundError: If a source file is missing.
    """
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    for version in versions:
        digest.update(version.encode() + b"\0")
    return digest.hexdigest()[:16]


def cached_build(name: str, key: str, build: Callable[[Path], None]) -> Path:
    """Return the folder of a built asset, building it first where it is absent.

    Args:
        name: Readable part of the folder's name.
        key: :func:`content_key` of everything the build depends on.
        build: Fills the empty folder it is given. Paths written into the files must be relative, as the folder moves.

    Returns:
        The complete folder.

    Raises:
        AssetCacheError: If the cache folder cannot be created or written, or the asset's folder cannot be read.
    """
    root = cache_folder()
    folder = root / f"{name}-{key}"
    if _is_built(folder):
        return folder
    workspace = _new_workspace(root, folder.name)
    try:
        logger.info("Building %s in %s (once)", name, folder)
        build(workspace)
        _publish(workspace, folder)
    finally:
        shutil.rmtree(workspace, ignore_errors=True)
    return folder


def _is_built(folder: Path) -> bool:
    """Whether an asset is there to be read."""
    try:
        os.scandir(folder).close()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise AssetCacheError(
            f"Asset cache folder {folder} cannot be read ({error.strerror}). "
            f"Have its owner allow it, or set {CACHE_VARIABLE} to a folder of your own."
        ) from error
    return True


def _new_workspace(root: Path, name: str) -> Path:
    """Create an empty temporary folder inside the cache and sweep away those that killed builds left."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        workspace = root / f".{name}-{uuid.uuid4().hex}"
        # Whoever shares the cache is to read the result, so not tempfile.mkdtemp, which shuts all others out.
        workspace.mkdir()
    except OSError as error:
        raise AssetCacheError(
            f"Asset cache folder {root} cannot be written ({error.strerror}). "
            f"Set {CACHE_VARIABLE} to a writable folder."
        ) from error
    for leftover in root.glob(".*-*"):
        try:
            age = time.time() - leftover.stat().st_mtime
        except FileNotFoundError:  # Another process published or swept it in the meantime.
            continue
        if age > _STALE_AFTER_S:
            shutil.rmtree(leftover, ignore_errors=True)
    return workspace


def _publish(workspace: Path, folder: Path) -> None:
    """Rename a complete build to its final name, or keep the equal one another process has put there."""
    try:
        workspace.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
