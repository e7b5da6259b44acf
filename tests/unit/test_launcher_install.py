# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The launcher's own environment: made once, kept up to date, and mended after whatever cut its making short."""

import os
import signal
import time
from pathlib import Path

import pytest
from launcher_project import OFFLINE, UV, Project, write_program

RUN = ("-p", "-c", "print('ran')")
GPU_SEEN = "#!/usr/bin/env bash\necho 'GPU 0: NVIDIA H200 (UUID: GPU-0)'\n"
NO_DEVICE = "#!/usr/bin/env bash\necho 'No devices found.'\n"
DRIVER_BROKEN = "#!/usr/bin/env bash\necho 'NVIDIA-SMI has failed because it could not communicate'; exit 9\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A bare machine whose ``python3.12`` works."""
    project = Project(tmp_path)
    write_program(project.programs / "python3.12")
    return project


def wait_for_call(project: Project, text: str) -> None:
    """Wait until pip, venv or uv has been called with this text."""
    deadline = time.monotonic() + 20
    while not (project.calls_file.exists() and text in project.calls_file.read_text()):
        assert time.monotonic() < deadline, f"no call of {text}"
        time.sleep(0.02)


class TestFirstUse:
    def test_installs_the_lock_and_the_project_then_runs(self, project: Project):
        result = project.run(*RUN)
        assert result.stdout == "ran\n"
        venv, uv, lock, editable = project.calls()
        assert venv == "venv" and uv.endswith(" uv")
        assert lock.endswith(f"-r {project.root}/requirements.txt")
        assert "--no-deps" in editable and editable.endswith(f"-e {project.root}")
        assert "8 GB on disk" in result.stderr.splitlines()[0]

    @pytest.mark.parametrize(("forbidden", "compiled"), [("1", ["module"]), ("", [])])
    def test_packages_are_compiled_where_imports_may_not_and_a_broken_file_is_no_failure(
        self, project: Project, forbidden: str, compiled: list[str]
    ):
        site = '"$here/../lib/python3.12/site-packages"'
        unpack = f"mkdir -p {site}/tests; touch {site}/tests/test.py; "
        unpack += f"echo 'a = \"\\i\"' >{site}/module.py; echo 'print x' >{site}/python2.py"
        result = project.run(*RUN, PIP=unpack, PYTHONDONTWRITEBYTECODE=forbidden)
        assert result.stdout == "ran\n" and len(result.stderr.splitlines()) == 2
        assert [path.name.split(".")[0] for path in project.root.glob(".venv/lib/**/*.pyc")] == compiled
        assert "--no-compile" in project.calls()[2]

    def test_second_use_starts_at_once(self, project: Project):
        project.run(*RUN)
        project.calls()
        result = project.run(*RUN, PIP=OFFLINE)
        assert (result.stdout, result.stderr, project.calls()) == ("ran\n", "", [])

    def test_needs_no_home(self, project: Project):
        del project.environment["HOME"]
        assert project.run(*RUN).stdout == "ran\n"

    def test_a_system_without_locked_packages_is_sent_to_docker(self, project: Project):
        write_program(project.programs / "uname", "#!/bin/sh\necho Darwin\n")
        for tool in ("flock", "sha256sum"):
            write_program(project.programs / tool, f"#!/bin/sh\necho '{tool}: command not found' >&2; exit 127\n")
        result = project.run(*RUN)
        assert result.returncode == 2
        (line,) = result.stderr.splitlines()
        assert "Cannot install on Darwin" in line and "Use Docker" in line
        assert project.calls() == [] and not (project.root / ".venv").exists()

    def test_an_environment_with_isaac_lab_may_be_on_any_system(self, project: Project, tmp_path: Path):
        write_program(project.programs / "uname", "#!/bin/sh\necho Darwin\n")
        active = project.add_environment(tmp_path / "env")
        assert project.run(*RUN, VIRTUAL_ENV=str(active)).stdout == "ran\n"

    def test_two_at_once_install_once(self, project: Project):
        first = project.start(*RUN, PIP="sleep 0.5")
        wait_for_call(project, "pip")
        second = project.start(*RUN, PIP="sleep 0.5")
        outputs = [process.communicate(timeout=60) for process in (first, second)]
        assert [stdout for stdout, _ in outputs] == ["ran\n", "ran\n"]
        assert "Another installation is running" in outputs[1][1]
        assert project.calls().count("venv") == 1

    def test_an_environment_of_the_users_own_is_left_alone(self, project: Project):
        (project.root / ".venv").mkdir()
        (project.root / ".venv/mine").touch()
        result = project.run(*RUN)
        assert result.returncode == 2 and "was not made by isaaclab.sh" in result.stderr
        assert (project.root / ".venv/mine").exists() and project.calls() == []


class TestRepair:
    @pytest.mark.parametrize("step", ["requirements.txt", "--no-deps"])
    def test_a_killed_installation_is_started_afresh(self, project: Project, step: str):
        process = project.start(*RUN, PIP=f'[[ "$*" != *{step}* ]] || sleep 60')
        wait_for_call(project, step)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=10)
        (project.root / ".venv/half-written").touch()
        project.calls()
        assert project.run(*RUN).stdout == "ran\n"
        assert project.calls()[0] == "venv"
        assert not (project.root / ".venv/half-written").exists()

    def test_a_killed_update_is_started_afresh(self, project: Project):
        project.run(*RUN)
        project.calls()
        lock = project.root / "requirements.txt"
        before = lock.read_text()
        lock.write_text("# newer\n")
        process = project.start(*RUN, PIP="sleep 60")
        wait_for_call(project, "requirements.txt")
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=10)
        project.calls()
        lock.write_text(before)
        assert project.run(*RUN).stdout == "ran\n"
        assert project.calls()[0] == "venv"

    def test_ctrl_c_says_that_the_next_call_repairs(self, project: Project):
        process = project.start(*RUN, PIP="sleep 60")
        wait_for_call(project, "pip")
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=10)
        assert (process.returncode, stdout) == (130, "")
        assert "The next call repairs" in stderr
        assert project.run(*RUN).stdout == "ran\n"

    def test_a_failed_installation_shows_why_and_is_repeated(self, project: Project):
        result = project.run(*RUN, PIP="echo 'ERROR: no matching wheel'; exit 1")
        assert result.returncode == 2 and result.stdout == ""
        assert "ERROR: no matching wheel" in result.stderr
        assert project.run(*RUN).stdout == "ran\n"

    def test_an_environment_whose_python_has_gone_is_made_again(self, project: Project):
        project.run(*RUN)
        project.python.unlink()
        project.python.symlink_to("/nonexistent/python3.12")
        assert project.run(*RUN).stdout == "ran\n"

    def test_offline_is_said_plainly(self, project: Project):
        result = project.run(*RUN, PIP=OFFLINE)
        assert result.returncode == 2
        assert "No network" in result.stderr
        assert "Errno" not in result.stderr and len(result.stderr.splitlines()) == 2


class TestUpdate:
    CHANGED = ["requirements.txt", "requirements-dev.txt", "pyproject.toml", "source/cgrpo_lab/__init__.py"]

    @pytest.mark.parametrize("name", CHANGED)
    def test_changed_requirements_are_installed_in_place(self, project: Project, name: str):
        project.run(*RUN)
        project.calls()
        with open(project.root / name, "a") as file:
            file.write("# changed\n")
        result = project.run(*RUN)
        assert result.stdout == "ran\n" and "Requirements have changed" in result.stderr
        calls = project.calls()
        assert len(calls) == 2 and "venv" not in calls

    def test_extras_are_updated_with_the_base(self, project: Project):
        project.run("-i", "dev")
        project.calls()
        (project.root / "requirements-dev.txt").write_text("# newer\n")
        project.run(*RUN)
        assert any("requirements-dev.txt" in call for call in project.calls())

    def test_an_update_that_fails_offline_does_not_cost_the_environment(self, project: Project):
        project.run(*RUN)
        lock = project.root / "requirements.txt"
        before = lock.read_text()
        lock.write_text("# newer\n")
        assert "No network" in project.run(*RUN, PIP=OFFLINE).stderr
        lock.write_text(before)
        project.calls()
        assert project.run(*RUN).stdout == "ran\n"
        assert project.calls() == []

    def test_a_moved_project_installs_itself_again(self, project: Project):
        project.run(*RUN)
        project.calls()
        project.root = project.root.rename(project.root.parent / "elsewhere")
        assert project.run(*RUN).stdout == "ran\n"
        assert any(call.endswith(f"-e {project.root}") for call in project.calls())


class TestExtras:
    @pytest.mark.parametrize(
        ("nvidia_smi", "installed"), [(GPU_SEEN, True), (NO_DEVICE, False), (DRIVER_BROKEN, False)]
    )
    def test_cuml_comes_with_a_working_gpu(self, project: Project, nvidia_smi: str, installed: bool):
        write_program(project.programs / "nvidia-smi", nvidia_smi)
        assert project.run(*RUN).stdout == "ran\n"
        assert any("requirements-gpu.txt" in call for call in project.calls()) == installed

    def test_without_cuml_the_rest_goes_on_and_says_so(self, project: Project):
        write_program(project.programs / "nvidia-smi", GPU_SEEN)
        result = project.run(*RUN, PIP='[[ "$*" != *gpu* ]]')
        assert result.stdout == "ran\n"
        assert "Going on without cuML; './isaaclab.sh -i gpu' tries again." in result.stderr

    @pytest.mark.parametrize("extra", ["baselines", "compare", "gpu"])
    def test_an_extra_can_be_asked_for_later(self, project: Project, extra: str):
        project.run(*RUN)
        project.calls()
        assert project.run("-i", extra).returncode == 0
        (call,) = project.calls()
        assert call.endswith(f"-r {project.root}/requirements-{extra}.txt -c {project.root}/requirements.txt")

    def test_tests_come_with_the_baselines_they_test(self, project: Project):
        project.run("-t", "--version")
        assert {"requirements-baselines.txt", "requirements-dev.txt"} <= {
            Path(word).name for call in project.calls() for word in call.split()
        }

    def test_a_gpu_that_came_later_is_seen_by_the_next_installation(self, project: Project):
        project.run(*RUN)
        project.calls()
        write_program(project.programs / "nvidia-smi", GPU_SEEN)
        assert project.run("-i").returncode == 0
        assert any("requirements-gpu.txt" in call for call in project.calls())

    def test_isaac_sim_without_nvidias_index_says_where_it_is_named(self, project: Project):
        result = project.run("-i", "isaacsim", PIP='[[ "$*" != *isaacsim* ]]')
        assert result.returncode == 2 and "PIP_EXTRA_INDEX_URL" in result.stderr


class TestUv:
    CONFIG = "\n".join(
        [
            ":env:.index-url='https://mirror.example/env'",
            ":env:.timeout='60'",
            "download.find-links='/not/for/install'",
            "global.extra-index-url='https://a.example https://b.example'",
            "global.find-links='\\n/wheels\\n/more_wheels'",
            "global.index-url='https://mirror.example/global'",
            "install.cert='/of/install.pem'",
            "install.index-url='https://mirror.example/install'",
            "install.proxy='http://proxy.example:3128'",
        ]
    )
    SHOW_SETTINGS = UV + '\nenv | grep -E "^(UV_|SSL_|ALL_PROXY)" >"$SETTINGS" || true\n'

    def settings(self, project: Project, tmp_path: Path, **environment: str) -> dict[str, str]:
        """Install by a uv on the path, and return what it was told in its environment."""
        write_program(project.programs / "uv", self.SHOW_SETTINGS)
        file = tmp_path / "settings"
        result = project.run(*RUN, SETTINGS=str(file), PIP="exit 1", **environment)
        assert result.stdout == "ran\n", result.stderr
        return dict(line.split("=", 1) for line in file.read_text().splitlines())

    def test_it_comes_from_pip_and_installs_the_rest_with_a_cache_that_goes_with_it(
        self, project: Project, tmp_path: Path
    ):
        uv = write_program(tmp_path / "uv", self.SHOW_SETTINGS)
        file = tmp_path / "settings"
        result = project.run(*RUN, PIP=f'cp "{uv}" "$here/uv"', SETTINGS=str(file))
        assert result.stdout == "ran\n", result.stderr
        venv, pip, *calls = project.calls()
        assert pip.endswith(" uv")
        assert [call.startswith(f"uv pip install --python {project.python} ") for call in calls] == [True, True]
        assert f"UV_CACHE_DIR={project.root}/.venv/uv-cache" in file.read_text().splitlines()

    def test_what_it_fails_at_is_left_to_pip(self, project: Project):
        write_program(project.programs / "uv", UV + "exit 1\n")
        assert project.run(*RUN).stdout == "ran\n"
        assert [call.split()[0] for call in project.calls()] == ["venv", "uv", "pip", "uv", "pip"]

    def test_it_follows_pips_settings(self, project: Project, tmp_path: Path):
        assert self.settings(project, tmp_path, PIP_CONFIG=self.CONFIG) == {
            "UV_DEFAULT_INDEX": "https://mirror.example/env",
            "UV_INDEX": "https://a.example https://b.example",
            "UV_INDEX_STRATEGY": "unsafe-best-match",
            "UV_FIND_LINKS": "/wheels,/more_wheels",
            "SSL_CERT_FILE": "/of/install.pem",
            "ALL_PROXY": "http://proxy.example:3128",
        }

    def test_its_own_settings_come_first(self, project: Project, tmp_path: Path):
        own = {"UV_DEFAULT_INDEX": "https://mine.example", "SSL_CERT_FILE": "/mine.pem"}
        assert own.items() <= self.settings(project, tmp_path, PIP_CONFIG=self.CONFIG, **own).items()
