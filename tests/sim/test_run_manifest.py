# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Our run folders and Isaac Lab's own commands understand each other, and task names are the registered ones."""

from pathlib import Path

import pytest

from isaaclab_rl.entrypoints.common import resolve_checkpoint_selector, write_run_manifest

from cgrpo_app import launch, run_folder
from cgrpo_app.errors import UserError

TASK, AGENT = "Franka-Reach-CGRPO", "rsl_rl_cfg_entry_point"


def test_isaac_lab_finds_our_runs(tmp_path):
    folder = run_folder.create_run_folder(str(tmp_path), "experiment", "", task=TASK, entry_point=AGENT)
    (folder / "model_5.pt").write_text("")
    (folder / "model_10.pt").write_text("")
    found = resolve_checkpoint_selector(
        str(folder.parent),
        "latest",
        library="rsl_rl",
        task=TASK,
        checkpoint_pattern=r"model_.*\.pt",
        metadata={"agent": AGENT},
    )
    assert Path(found) == folder / "model_10.pt"


def test_we_find_isaac_lab_s_runs(tmp_path):
    folder = tmp_path / "rsl_rl" / "experiment" / "2026-01-01_00-00-00"
    write_run_manifest(str(folder), library="rsl_rl", task=f"cgrpo:{TASK}", metadata={"agent": AGENT})
    (folder / "model_5.pt").write_text("")
    found = run_folder.find_checkpoint(
        "latest", None, log_root=str(tmp_path), experiment="experiment", task=TASK, entry_point=AGENT
    )
    assert found == folder / "model_5.pt"


def test_task_names():
    assert TASK in launch.registered_tasks()
    assert launch.check_task(TASK) == TASK
    assert launch.check_task("Isaac-Reach-UR10") == "Isaac-Reach-UR10"
    with pytest.raises(UserError, match=f"--task Franka-Rech-CGRPO: is not registered; the nearest are {TASK}"):
        launch.check_task("Franka-Rech-CGRPO")
