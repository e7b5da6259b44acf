# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Asset cache: built once, whole or absent, whoever builds and whatever is killed."""

import errno
import multiprocessing
import os
import signal
import stat
import time
from pathlib import Path

import pytest

from cgrpo_tasks.assets import cache


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a cache folder of its own."""
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def build_slowly(folder: Path) -> None:
    """Write two files with a pause between them, so that a half-built folder would be seen."""
    (folder / "first").write_text("1")
    time.sleep(0.2)
    (folder / "second").write_text("2")


def build_and_hang(folder: Path) -> None:
    """Write half of the asset and wait to be killed."""
    (folder / "first").write_text("half")
    time.sleep(60)


def use(results: multiprocessing.Queue) -> None:
    """Ask for the asset as a process of its own would."""
    built = cache.cached_build("thing", "key", build_slowly)
    results.put(sorted((file.name, file.read_text()) for file in built.iterdir()))


def test_builds_once(folder: Path):
    calls = []
    first = cache.cached_build("thing", "key", calls.append)
    assert cache.cached_build("thing", "key", calls.append) == first == folder / "thing-key"
    assert len(calls) == 1


def test_processes_that_start_together_share_one_whole_build(folder: Path):
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    processes = [context.Process(target=use, args=(results,)) for _ in range(5)]
    for process in processes:
        process.start()
    seen = [results.get(timeout=30) for _ in processes]
    for process in processes:
        process.join()
    assert seen == [[("first", "1"), ("second", "2")]] * len(processes)
    assert [entry.name for entry in folder.iterdir()] == ["thing-key"]


def test_killed_build_is_repaired_and_swept_away(folder: Path):
    process = multiprocessing.get_context("fork").Process(
        target=cache.cached_build, args=("thing", "key", build_and_hang)
    )
    process.start()
    deadline = time.monotonic() + 30
    while not list(folder.glob(".thing-key-*/first")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    (leftover,) = folder.iterdir()

    built = cache.cached_build("thing", "key", build_slowly)
    assert sorted(file.name for file in built.iterdir()) == ["first", "second"]
    assert leftover.exists(), "a young folder may belong to a build that still runs"

    long_ago = time.time() - 1e5
    os.utime(leftover, (long_ago, long_ago))
    cache.cached_build("other", "key", build_slowly)
    assert not leftover.exists()


def test_failed_build_leaves_nothing(folder: Path):
    def fail(workspace: Path) -> None:
        (workspace / "half").touch()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.cached_build("thing", "key", fail)
    assert list(folder.iterdir()) == []


def test_unusable_folder_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(file / "cache"))
    with pytest.raises(cache.AssetCacheError, match=f"{file / 'cache'}.*{cache.CACHE_VARIABLE}"):
        cache.cached_build("thing", "key", build_slowly)


def test_whoever_shares_the_cache_can_read_it(folder: Path):
    before = os.umask(0o027)
    try:
        built = cache.cached_build("thing", "key", build_slowly)
    finally:
        os.umask(before)
    assert stat.S_IMODE(built.stat().st_mode) == 0o750


def test_a_build_that_may_not_be_read_is_named_with_the_remedy(folder: Path, monkeypatch: pytest.MonkeyPatch):
    built = cache.cached_build("thing", "key", build_slowly)

    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    # Nothing is shut to the superuser, who may run the tests.
    monkeypatch.setattr(cache.os, "scandir", refuse)
    with pytest.raises(cache.AssetCacheError, match=f"{built} cannot be read.*{cache.CACHE_VARIABLE}"):
        cache.cached_build("thing", "key", build_slowly)


def test_key_follows_content_names_and_versions(tmp_path: Path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_text("x")
    b.write_text("y")
    keys = [
        cache.content_key([a, b]),
        cache.content_key([a]),
        cache.content_key([a, b], ["tool==1"]),
        cache.content_key([a, b], ["tool==2"]),
    ]
    assert cache.content_key([b, a]) == keys[0]
    a.write_text("z")
    keys.append(cache.content_key([a, b]))
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({cache.CACHE_VARIABLE: "/explicit", "XDG_CACHE_HOME": "/xdg"}, "/explicit"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/cgrpo_lab"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/someone/.cache/cgrpo_lab"),
        ({}, "/home/someone/.cache/cgrpo_lab"),
    ],
)
def test_folder_follows_the_environment(environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch):
    for name in (cache.CACHE_VARIABLE, "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"HOME": "/home/someone"} | environment).items():
        monkeypatch.setenv(name, value)
    assert cache.cache_folder() == Path(expected)
