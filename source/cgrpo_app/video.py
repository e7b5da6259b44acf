# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Videos on any machine: MuJoCo draws the environment's state, on a GPU or in software, without a display."""

import ctypes.util
import importlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import torch

from cgrpo_app.errors import UserError

WIDTH, HEIGHT = 640, 480
"""Size of the pictures [pixel]."""

MAX_SHOWN = 4
"""Environments shown side by side."""


def prepare_rendering() -> None:
    """Choose MuJoCo's renderer; must run before MuJoCo is imported for the first time.

    A choice of the user (``MUJOCO_GL``) stands. Otherwise EGL with an NVIDIA GPU, else OSMesa, which draws in software.

    Raises:
        UserError: If OSMesa is needed and not installed.
    """
    backend = os.environ.setdefault("MUJOCO_GL", "egl" if torch.cuda.is_available() else "osmesa")
    os.environ.setdefault("PYOPENGL_PLATFORM", backend)
    if backend == "osmesa" and ctypes.util.find_library("OSMesa") is None:
        raise UserError(
            "--video: the library OSMesa is missing; install it (Debian and Ubuntu: apt-get install libosmesa6), or "
            "set MUJOCO_GL=egl where there is a GPU."
        )


class VideoRecorder(gym.Wrapper):
    """Records clips of ``length`` env steps, a new one every ``interval`` steps."""

    def __init__(self, env: gym.Env, folder: Path, length: int, interval: int) -> None:
        """Prepare the renderer.

        Args:
            env: Environment whose task registers a ``render_scene``.
            folder: Folder for the clips, ``clip_0000.mp4`` and so on; those that it holds already stay.
            length: Length of a clip [env steps].
            interval: Steps from the start of one clip to the next.

        Raises:
            UserError: If the task cannot be drawn.
        """
        super().__init__(env)
        self.folder, self.length, self.interval = folder, length, max(interval, length)
        self._step = 0
        self._writer: Any = None
        self._scene = self._make_scene()
        self._renderer = self._make_renderer()

    def _make_scene(self) -> Any:
        """The task's picture."""
        base = self.env.unwrapped
        entry = self.env.spec.kwargs.get("render_scene")
        if entry is None:
            raise UserError(f"--video: {self.env.spec.id} registers no picture; use --viz newton_gl on a desktop.")
        module, name = entry.split(":")
        scene_class = getattr(importlib.import_module(module), name)
        return scene_class(base, list(range(min(base.num_envs, MAX_SHOWN))), WIDTH, HEIGHT)

    def _make_renderer(self) -> Any:
        """MuJoCo's off-screen renderer."""
        import mujoco

        try:
            return mujoco.Renderer(self._scene.model, HEIGHT, WIDTH)
        except (RuntimeError, ImportError, AttributeError) as error:
            # PyOpenGL raises AttributeError where the library of the chosen platform is not there.
            raise UserError(
                f"--video: MUJOCO_GL={os.environ.get('MUJOCO_GL')} does not work here; try MUJOCO_GL=osmesa "
                "(Debian and Ubuntu: apt-get install libosmesa6)."
            ) from error

    def step(self, action: torch.Tensor) -> Any:
        """Step, then draw if a clip is being recorded."""
        result = self.env.step(action)
        phase = self._step % self.interval
        if phase < self.length:
            if phase == 0:
                self._open()
            self._writer.append_data(self.frame())
            if phase == self.length - 1:
                self._finish()
        self._step += 1
        return result

    def frame(self) -> Any:
        """Picture of the present state, uint8 [H, W, 3]."""
        self._renderer.update_scene(self._scene.update(), self._scene.camera)
        return self._renderer.render()

    def close(self) -> None:
        """Complete an open clip and release the renderer."""
        if self._writer is not None:
            self._finish()
        self._renderer.close()
        super().close()

    def _open(self) -> None:
        """Begin a clip under a temporary name."""
        import imageio.v2 as imageio

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            trouble = f"{self.folder}: cannot be written ({error.strerror})"
            raise UserError(f"{trouble}; choose another --log_root.") from error
        self._part = self.folder / f"clip_{next_clip(self.folder):04d}.part.mp4"
        rate = round(1.0 / self.env.unwrapped.step_dt)
        self._writer = imageio.get_writer(self._part, fps=rate, macro_block_size=16, quality=7)

    def _finish(self) -> None:
        """Complete the clip and give it its name."""
        self._writer.close()
        self._writer = None
        os.replace(self._part, self._part.with_name(self._part.name.replace(".part", "")))


def next_clip(folder: Path) -> int:
    """Number of the next clip, above those of earlier calls."""
    names = [re.fullmatch(r"clip_(\d+)\.mp4", path.name) for path in folder.glob("clip_*.mp4")]
    return max((int(name[1]) for name in names if name), default=-1) + 1


def video_wrapper(folder: Path, length: int, interval: int) -> Callable[[gym.Env], VideoRecorder]:
    """Wrapper for :func:`cgrpo_app.launch.open_env`."""
    return lambda env: VideoRecorder(env, folder, length, interval)
