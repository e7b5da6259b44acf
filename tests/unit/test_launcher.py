# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The launcher as an ordinary user on a bare machine sees it: options, scripts, tests and which Python runs."""

import signal
from pathlib import Path

import pytest
from launcher_project import FAILING_SHIM, NEEDED_MODULES, UV, Project, write_program

WHO = "import sys; print(sys.argv[0], *map(repr, sys.argv[1:]), sep='\\n')"
WHERE = "import os, sys; print(*sys.path[:3], os.environ.get('GIT_PYTHON_REFRESH'), sep='\\n')"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A bare machine whose ``python3.12`` works."""
    project = Project(tmp_path)
    write_program(project.programs / "python3.12")
    return project


def interpreter(project: Project, **environment: str) -> str:
    """Return what the launcher's Python imports from: each stand-in adds its own site folder at the end."""
    result = project.run("-p", "-c", "import os; print(os.environ['PYTHONPATH'])", **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout


class TestOptions:
    @pytest.mark.parametrize("arguments", [["-h"], ["--help"], []])
    def test_help_needs_no_python(self, project: Project, arguments: list[str]):
        result = project.run(*arguments)
        assert result.returncode == 0
        assert result.stdout.startswith("Usage: ./isaaclab.sh")
        assert project.calls() == []

    @pytest.mark.parametrize(
        ("arguments", "named"), [(["--frobnicate"], "--frobnicate"), (["-i", "gpu", "cheese"], "cheese")]
    )
    def test_what_is_unknown_is_named(self, project: Project, arguments: list[str], named: str):
        result = project.run(*arguments)
        assert result.returncode == 2
        assert len(result.stderr.splitlines()) == 1 and named in result.stderr
        assert project.calls() == []

    def test_a_missing_script_is_named_before_anything_is_installed(self, project: Project):
        result = project.run("-p", "scripts/trian.py")
        assert result.returncode == 2
        assert result.stderr == "[isaaclab.sh] No such script: scripts/trian.py\n"
        assert project.calls() == []


class TestScripts:
    def test_arguments_arrive_as_given(self, project: Project):
        given = ["--task", "two words", "env.x='a b'", "*", "", "$HOME", "-p"]
        result = project.run("-p", project.script(WHO), *given)
        assert result.stdout.splitlines()[1:] == [repr(argument) for argument in given]

    def test_exit_code_passes(self, project: Project):
        assert project.run("-p", project.script("raise SystemExit(7)")).returncode == 7

    def test_signals_reach_the_script_itself(self, project: Project):
        project.run("-i")
        script = project.script("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
        process = project.start("-p", script)
        assert int(process.stdout.readline()) == process.pid
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
        assert process.returncode in (-signal.SIGINT, 130)

    def test_a_script_is_found_from_any_folder(self, project: Project, tmp_path: Path):
        result = project.run("-p", project.script(WHO), cwd=tmp_path)
        assert result.stdout.splitlines()[0] == f"{project.root}/scripts/hello.py"

    def test_a_script_of_the_current_folder_goes_first(self, project: Project, tmp_path: Path):
        project.script(WHO)
        (tmp_path / "scripts").mkdir()
        (tmp_path / "scripts/hello.py").write_text("print('mine')")
        assert project.run("-p", "scripts/hello.py", cwd=tmp_path).stdout == "mine\n"

    def test_the_launcher_may_be_a_link(self, project: Project, tmp_path: Path):
        link = tmp_path / "lab"
        link.symlink_to(project.launcher)
        project.script("print('here')")
        project.root, original = tmp_path, project.root
        link.rename(tmp_path / "isaaclab.sh")
        assert project.run("-p", "scripts/hello.py").stdout == "here\n"
        assert (original / ".venv").is_dir()

    def test_modules_and_code_run_as_in_isaac_lab(self, project: Project):
        assert project.run("-p", "-c", "print(6 * 7)").stdout == "42\n"
        assert "usage" in project.run("-p", "-m", "json.tool", "-h").stdout

    def test_other_words_are_isaac_labs_own_commands(self, project: Project, tmp_path: Path):
        active = project.add_environment(tmp_path / "env")
        (active / "site/isaaclab.py").write_text("import sys; print(sys.argv[1:])")
        result = project.run("train", "--task", "X", VIRTUAL_ENV=str(active))
        assert result.stdout == "['train', '--task', 'X']\n"

    def test_this_checkout_is_imported_first(self, project: Project):
        result = project.run("-p", project.script(WHERE), PYTHONPATH="/elsewhere")
        assert result.stdout.splitlines()[1:3] == [f"{project.root}/source", f"{project.root}/tasks"]

    @pytest.mark.parametrize(("with_git", "value"), [(True, "None"), (False, "quiet")])
    def test_rsl_rl_is_told_when_git_is_missing(self, project: Project, with_git: bool, value: str):
        if with_git:
            write_program(project.programs / "git")
        assert project.run("-p", project.script(WHERE)).stdout.splitlines()[3] == value


class TestTests:
    FAKE_PYTEST = "import os, sys; print(os.getcwd(), *map(repr, sys.argv[1:]), sep='\\n')"

    def test_slow_tests_are_left_out_and_arguments_added(self, project: Project, tmp_path: Path):
        project.script(self.FAKE_PYTEST, "source/pytest.py")
        result = project.run("-t", "tests/unit", "-k", "a or b", cwd=tmp_path)
        assert result.stdout.splitlines() == [
            str(project.root), "'-m'", "'not slow'", "'tests/unit'", "'-k'", "'a or b'",
        ]  # fmt: skip
        assert any("requirements-dev.txt" in call for call in project.calls())

    @pytest.mark.parametrize(("cores", "workers"), [(1, 1), (2, 2), (64, 4)])
    def test_all_tests_together_go_over_the_cores(self, project: Project, cores: int, workers: int):
        project.script(self.FAKE_PYTEST, "source/pytest.py")
        write_program(project.programs / "nproc", f"#!/bin/sh\necho {cores}\n")
        assert project.run("-t").stdout.splitlines()[1:] == [
            "'-m'", "'not slow'", "'-n'", f"'{workers}'", "'--dist'", "'loadfile'", "'--no-loadscope-reorder'",
        ]  # fmt: skip

    def test_a_foreign_environment_without_pytest_is_told_what_to_add(self, project: Project, tmp_path: Path):
        active = project.add_environment(tmp_path / "env", modules=[*NEEDED_MODULES, "pytest"])
        result = project.run("-t", VIRTUAL_ENV=str(active))
        assert result.returncode == 2
        assert "lacks: hypothesis" in result.stderr and "-i dev" in result.stderr


class TestWhichPython:
    @pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
    def test_an_active_environment_with_isaac_lab_3_0_goes_first(self, project: Project, tmp_path: Path, variable: str):
        active = project.add_environment(tmp_path / "env", "3.0.4")
        checkout = self.checkout(project, tmp_path / "IsaacLab")
        assert str(active) in interpreter(project, **{variable: str(active), "ISAACLAB_PATH": str(checkout)})
        assert project.calls() == []

    @pytest.mark.parametrize("version", [None, "2.3.0", "3.1.0"])
    def test_an_active_environment_without_it_does_not(self, project: Project, tmp_path: Path, version: str | None):
        active = project.add_environment(tmp_path / "env", version)
        assert f"{project.root}/.venv" in interpreter(project, VIRTUAL_ENV=str(active))

    def test_what_an_active_environment_lacks_is_named(self, project: Project, tmp_path: Path):
        active = project.add_environment(tmp_path / "env", modules=NEEDED_MODULES[:-1])
        result = project.run("-p", "-c", "", VIRTUAL_ENV=str(active))
        assert result.returncode == 2
        assert "lacks: sklearn. './isaaclab.sh -i' adds them" in result.stderr

    @pytest.mark.parametrize(("extras", "ending"), [((), ""), (("gpu", "dev"), "[gpu,dev]")])
    def test_installing_into_an_active_environment_leaves_its_versions_to_pip(
        self, project: Project, tmp_path: Path, extras: tuple[str, ...], ending: str
    ):
        active = project.add_environment(tmp_path / "env")
        result = project.run("-i", *extras, VIRTUAL_ENV=str(active))
        assert result.returncode == 0, result.stderr
        (call,) = project.calls()
        assert call.endswith(f"-e {project.root}{ending}")
        assert not (project.root / ".venv").exists()

    @staticmethod
    def checkout(project: Project, folder: Path, release: str = "3.0.0", place: str = ".venv/bin/python") -> Path:
        """Make an Isaac Lab checkout whose packages have version numbers of their own."""
        environment = project.add_environment(folder / "env", "5.4.3")
        (folder / "VERSION").write_text(f"{release}\n")
        (folder / place).parent.mkdir(parents=True)
        write_program(folder / place, f'#!/usr/bin/env bash\nexec "{environment}/bin/python" "$@"\n')
        return folder

    @pytest.mark.parametrize("place", [".venv/bin/python", "env_isaaclab/bin/python", "_isaac_sim/python.sh"])
    def test_a_checkout_of_isaac_lab_goes_second(self, project: Project, tmp_path: Path, place: str):
        checkout = self.checkout(project, tmp_path / "IsaacLab", place=place)
        assert str(checkout) in interpreter(project, ISAACLAB_PATH=str(checkout))
        assert project.calls() == []

    def test_an_unsuitable_checkout_is_said_and_passed_over(self, project: Project, tmp_path: Path):
        checkout = self.checkout(project, tmp_path / "IsaacLab", release="2.3.2")
        result = project.run("-p", "-c", "", ISAACLAB_PATH=str(checkout))
        assert result.returncode == 0
        assert f"ISAACLAB_PATH={checkout} has no environment with Isaac Lab 3.0" in result.stderr
        assert project.python.exists()


class TestFindingPython312:
    def test_a_pyenv_shim_that_fails_is_passed_over(self, tmp_path: Path):
        project = Project(tmp_path)
        write_program(project.programs / "python3.12", FAILING_SHIM)
        write_program(project.home / ".pyenv/versions/3.12.1/bin/python3.12")
        assert project.run("-p", "-c", "print(1)").stdout == "1\n"

    def test_pyenv_may_live_elsewhere(self, tmp_path: Path):
        project = Project(tmp_path)
        write_program(tmp_path / "py env/versions/3.12.1/bin/python3.12")
        assert project.run("-p", "-c", "print(1)", PYENV_ROOT=str(tmp_path / "py env")).stdout == "1\n"

    def test_a_python3_of_another_version_is_passed_over(self, tmp_path: Path):
        project = Project(tmp_path)
        write_program(project.programs / "python3", "#!/usr/bin/env bash\nexit 1\n")
        assert project.run("-p", "-c", "").returncode == 2

    def test_the_users_choice_goes_first(self, project: Project, tmp_path: Path):
        chosen = write_program(tmp_path / "chosen", "NOT BASH\n")
        result = project.run("-p", "-c", "", PYTHON=str(chosen))
        assert result.returncode == 2 and f"PYTHON={chosen} is not" in result.stderr
        write_program(project.programs / "python3.12", FAILING_SHIM)
        write_program(chosen)
        assert project.run("-p", "-c", "print(1)", PYTHON=str(chosen)).stdout == "1\n"

    def test_uv_brings_one_where_there_is_none(self, tmp_path: Path):
        project = Project(tmp_path)
        write_program(project.programs / "uv", UV)
        python_of_uv = write_program(tmp_path / "python_of_uv")
        result = project.run("-p", "-c", "print(1)", PYTHON_OF_UV=str(python_of_uv))
        assert result.stdout == "1\n", result.stderr
        calls = project.calls()
        assert calls[0].startswith("uv venv --python 3.12") and calls[1].startswith("uv pip install --python")

    def test_without_any_the_user_is_told_what_to_install(self, tmp_path: Path):
        project = Project(tmp_path)
        result = project.run("-p", "-c", "")
        assert result.returncode == 2
        assert len(result.stderr.splitlines()) == 1
        assert "python3.12-venv" in result.stderr and "PYTHON" in result.stderr
        assert not (project.root / ".venv").exists()
