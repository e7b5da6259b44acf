# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Names of clips; ``tests/sim`` looks at the pictures."""

from types import SimpleNamespace

import gymnasium as gym
import imageio.v2
import pytest

from cgrpo_app.video import VideoRecorder, next_clip


class Still(gym.Env):
    """Environment in which nothing happens."""

    step_dt = 0.1

    def step(self, action):
        return action


@pytest.fixture
def record(tmp_path, monkeypatch):
    """Function that plays some steps with clips of two and writes their text instead of pictures."""

    def get_writer(path, **_):
        file = path.open("w")
        return SimpleNamespace(append_data=file.write, close=file.close)

    monkeypatch.setattr(imageio.v2, "get_writer", get_writer)
    monkeypatch.setattr(VideoRecorder, "_make_scene", lambda self: None)
    monkeypatch.setattr(VideoRecorder, "_make_renderer", lambda self: SimpleNamespace(close=lambda: None))

    def play(steps, picture):
        monkeypatch.setattr(VideoRecorder, "frame", lambda self: picture)
        recorder = VideoRecorder(Still(), tmp_path, length=2, interval=2)
        for _ in range(steps):
            recorder.step(None)
        recorder.close()
        return {path.name: path.read_text() for path in sorted(tmp_path.glob("clip_*.mp4"))}

    return play


def test_clips_of_an_earlier_call_stay(record):
    assert record(4, "a") == {"clip_0000.mp4": "aa", "clip_0001.mp4": "aa"}
    assert record(3, "b") == {
        **{"clip_0000.mp4": "aa", "clip_0001.mp4": "aa"},
        **{"clip_0002.mp4": "bb", "clip_0003.mp4": "b"},
    }


@pytest.mark.parametrize(
    ("names", "number"),
    [
        ((), 0),
        (("clip_0000.mp4", "clip_0007.mp4"), 8),
        (("clip_12345.mp4", "clip_0002.mp4"), 12346),
        (("clip_0003.part.mp4", "clip_best.mp4"), 0),
    ],
)
def test_numbers_go_on_after_the_highest(tmp_path, names, number):
    for name in names:
        (tmp_path / name).touch()
    assert next_clip(tmp_path) == number
