# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Run folders: where they are made, and which checkpoint an option means."""

import json
import sys
import types

import pytest

from cgrpo_app import run_folder
from cgrpo_app.errors import UserError

TASK, AGENT = "Some-Task", "rsl_rl_cfg_entry_point"


@pytest.fixture(autouse=True)
def isaac_lab(monkeypatch):
    """Isaac Lab's manifest writer, whose import takes seconds; tests/sim uses the real one."""

    def write_run_manifest(log_dir, *, library, task, metadata=None):
        content = {"version": 1, "library": library, "task": task, "metadata": metadata or {}}
        with open(f"{log_dir}/run.json", "w") as file:
            json.dump(content, file)

    module = types.SimpleNamespace(write_run_manifest=write_run_manifest)
    monkeypatch.setitem(sys.modules, "isaaclab_rl.entrypoints.common", module)


def run(root, name, *models, task=TASK, agent=AGENT, manifest=None):
    """A run folder with checkpoints."""
    folder = root / "rsl_rl" / "experiment" / name
    folder.mkdir(parents=True)
    text = json.dumps({"version": 1, "library": "rsl_rl", "task": task, "metadata": {"agent": agent}})
    (folder / "run.json").write_text(text if manifest is None else manifest)
    for model in models:
        (folder / f"model_{model}.pt").write_text("")
    return folder


def find(root, checkpoint=None, load_run=None):
    return run_folder.find_checkpoint(
        checkpoint, load_run, log_root=str(root), experiment="experiment", task=TASK, entry_point=AGENT
    )


# -- Making ------------------------------------------------------------------------------------------------------------


def create(root, run_name=""):
    return run_folder.create_run_folder(str(root), "experiment", run_name, task=TASK, entry_point=AGENT)


def test_a_new_run_is_found_again(tmp_path):
    folder = create(tmp_path, "first")
    assert folder.parent == tmp_path / "rsl_rl" / "experiment" and folder.name.endswith("_first")
    assert (folder / "params").is_dir()
    (folder / "model_5.pt").write_text("")
    assert find(tmp_path, "latest") == folder / "model_5.pt"


def test_the_folder_is_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert create("logs").is_relative_to(tmp_path / "logs")


def test_two_runs_in_the_same_second(tmp_path, monkeypatch):
    class Clock:
        @staticmethod
        def now():
            return Clock

        @staticmethod
        def strftime(text):
            return "2026-01-01_00-00-00"

    monkeypatch.setattr(run_folder, "datetime", Clock)
    create(tmp_path)
    with pytest.raises(UserError, match="exists already; wait a second or give another --run_name"):
        create(tmp_path)
    create(tmp_path, "other")


@pytest.mark.parametrize("blocked", ["logs", "logs/rsl_rl", "logs/rsl_rl/experiment"])
def test_a_log_folder_that_cannot_be_written(tmp_path, blocked):
    # Root may write everywhere, so a file stands where a folder should be.
    (tmp_path / blocked).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / blocked).write_text("")
    with pytest.raises(UserError, match="cannot be written.*--log_root"):
        create(tmp_path / "logs")


@pytest.mark.parametrize("name", ["a/b", "../a"])
def test_a_run_name_is_no_path(tmp_path, name):
    with pytest.raises(UserError, match=f"--run_name {name}"):
        create(tmp_path, name)
    assert not list(tmp_path.iterdir())


# -- Finding -----------------------------------------------------------------------------------------------------------


def test_latest_is_the_highest_iteration_of_the_newest_run_of_this_task_and_agent(tmp_path):
    run(tmp_path, "2026-01-01_00-00-00", 900)
    folder = run(tmp_path, "2026-01-02_00-00-00", 9, 50, 100, "best")
    run(tmp_path, "2026-01-03_00-00-00", 7, task="Other-Task")
    run(tmp_path, "2026-01-04_00-00-00", 7, agent="rsl_rl_ppo_cfg_entry_point")
    run(tmp_path, "2026-01-05_00-00-00")  # stopped before its first checkpoint
    for option in (None, "latest"):
        assert find(tmp_path, option) == folder / "model_100.pt"
    assert find(tmp_path, "best") == folder / "model_best.pt"


def test_best_of_a_run_without_a_finished_episode_is_its_latest(tmp_path):
    folder = run(tmp_path, "2026-01-01_00-00-00", 1, 2)
    assert find(tmp_path, "best") == folder / "model_2.pt"


@pytest.mark.parametrize("manifest", ["", "{", "[]", "{}", '{"task": "Some-Task"}'])
def test_a_damaged_manifest_hides_its_run_only(tmp_path, manifest):
    folder = run(tmp_path, "2026-01-01_00-00-00", 3)
    run(tmp_path, "2026-01-02_00-00-00", 9, manifest=manifest)
    assert find(tmp_path) == folder / "model_3.pt"


def test_no_run_says_how_to_make_one(tmp_path):
    for option in (None, "best"):
        with pytest.raises(UserError, match=f"no run of {TASK} .*scripts/train.py --task {TASK}"):
            find(tmp_path, option)


def test_a_run_by_name(tmp_path):
    folder = run(tmp_path, "2026-01-01_00-00-00", 3, 12, "best")
    run(tmp_path, "2026-01-02_00-00-00", 7)
    assert find(tmp_path, None, folder.name) == folder / "model_12.pt"
    assert find(tmp_path, "best", folder.name) == folder / "model_best.pt"
    assert find(tmp_path, "model_3.pt", folder.name) == folder / "model_3.pt"
    with pytest.raises(UserError, match="model_4.pt.*there is no such file"):
        find(tmp_path, "model_4.pt", folder.name)
    with pytest.raises(UserError, match="--load_run nothing: there is no folder"):
        find(tmp_path, None, "nothing")


def test_a_file_or_a_folder(tmp_path):
    folder = run(tmp_path, "2026-01-01_00-00-00", 3, 12)
    assert find("elsewhere", str(folder)) == folder / "model_12.pt"
    assert find("elsewhere", str(folder / "model_3.pt")) == folder / "model_3.pt"
    with pytest.raises(UserError, match="--checkpoint nothing.pt: there is no such file or folder"):
        find(tmp_path, "nothing.pt")


def test_a_folder_without_checkpoints(tmp_path):
    with pytest.raises(UserError, match="holds no checkpoint"):
        find(tmp_path, str(run(tmp_path, "2026-01-01_00-00-00", "best", "x")))


# -- JSON --------------------------------------------------------------------------------------------------------------


def test_json_round_trip(tmp_path):
    content = {"x": [1, "ä"], "curves": [[1.5, None], [-2e-7, True]], "none": [], "text": "[\n 1,\n 2]"}
    run_folder.write_json(tmp_path / "new" / "a.json", content)
    assert run_folder.read_json(tmp_path / "new" / "a.json") == content
    assert "\n    [1.5, null],\n    [-2e-07, true]\n" in (tmp_path / "new" / "a.json").read_text()
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.json"]


def test_json_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for place in (tmp_path / "file" / "a.json", tmp_path / "folder"):
        with pytest.raises(UserError, match="cannot be written.*choose another place"):
            run_folder.write_json(place, {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff\xfe"])
def test_json_that_cannot_be_read(tmp_path, content):
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match="a.json: cannot be read"):
        run_folder.read_json(tmp_path / "a.json")
