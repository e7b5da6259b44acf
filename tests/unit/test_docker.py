# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The headless image: what its files promise, and its steps as the user that they run as."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "docker/Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())
COMPOSE_GPU = yaml.safe_load((ROOT / "docker/compose.gpu.yaml").read_text())


def reserves_gpu(service: dict) -> bool:
    """Tell whether Docker would refuse to start this service without a GPU."""
    return "nvidia" in yaml.safe_dump(service.get("deploy", {}))


def test_the_launcher_is_the_only_installer_of_python_packages():
    assert re.search(r"^\s*\./isaaclab\.sh -i ", DOCKERFILE, re.MULTILINE)
    assert "pip install" not in DOCKERFILE


def test_nothing_runs_as_root():
    users = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)
    assert users[-1] == "1000:1000"
    assert "./isaaclab.sh" not in DOCKERFILE[: DOCKERFILE.index("USER 1000:1000")].split("USER 0")[1]


@pytest.mark.parametrize("service", COMPOSE["services"])
def test_every_mount_point_is_made_for_the_user_beforehand(service: str):
    mount_points = [volume.split(":")[1] for volume in COMPOSE["services"][service]["volumes"]]
    assert len(mount_points) == len(COMPOSE["volumes"]) == 3
    made = re.search(r"install --directory --owner=cgrpo --group=cgrpo((?: *\\?\n? +/home/\S+)+)", DOCKERFILE)[
        1
    ].split()
    assert set(mount_points) <= set(made)


def test_the_image_is_for_the_platform_of_the_lock_files_wherever_it_is_built():
    assert {service["platform"] for service in COMPOSE["services"].values()} == {"linux/amd64"}


def test_the_gpu_is_reserved_only_where_it_is_asked_for():
    assert not reserves_gpu(COMPOSE["services"]["train"]) and not reserves_gpu(COMPOSE["services"]["lab"])
    assert all(reserves_gpu(COMPOSE_GPU["services"][name]) for name in ("train", "lab"))
    assert COMPOSE["services"]["train-physx"]["profiles"] == ["isaacsim"]


def test_compose_is_found_from_the_root_of_the_repository():
    settings = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / ".env").read_text(), re.MULTILINE))
    assert (ROOT / settings["COMPOSE_FILE"]).is_file()


@pytest.mark.parametrize("source", re.findall(r"^COPY (?:--\S+ )*(.+) \S+$", DOCKERFILE, re.MULTILINE))
def test_what_the_image_copies_exists(source: str):
    assert all(list(ROOT.glob(pattern)) for pattern in source.split() if pattern != ".")


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_the_steps_of_the_image_as_uid_1000_with_an_empty_home():
    """Install and train as the image does; takes some minutes and 8 GB.

    ``CGRPO_TEST_PYTHON`` names a Python 3.12 that other users can run, where the system has none.
    """
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    home, project = folder / "home", folder / "home/cgrpo_lab"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(project)], check=True)
    subprocess.run(["chown", "--recursive", "1000:1000", str(home)], check=True)
    environment = {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    if python := os.environ.get("CGRPO_TEST_PYTHON"):
        environment["PYTHON"] = python
    # Behind a mirror pip needs its settings, which another user would not see.
    environment |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}

    def launch(*arguments: str) -> str:
        command = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "./isaaclab.sh", *arguments]
        result = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=1500)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout + result.stderr

    try:
        assert "Ready:" in launch("-i")
        launch("-p", "scripts/train.py", "--task", "Franka-Reach-CGRPO", "--num_envs", "16", "--max_iterations", "2")
        (exported,) = project.glob("logs/rsl_rl/*/*/exported/policy.onnx")
        assert exported.stat().st_uid == 1000
    finally:
        shutil.rmtree(folder)
