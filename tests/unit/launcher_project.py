# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""A small copy of the project on a bare machine: what the launcher's tests run in.

The launcher, its requirement files and the interpreter's answers are real; only the work of ``venv``, ``pip`` and
``uv`` is played, each call noted in a file. Nothing of the real machine's ``PATH`` is visible but basic tools.
"""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# fmt: off
TOOLS = [
    "awk", "bash", "cat", "cp", "dirname", "env", "flock", "grep", "mkdir", "mktemp", "readlink", "rm", "sha256sum",
    "sleep", "tail", "tee", "uname",
]
# fmt: on

# A Python 3.12 without packages but those in its own site folder; $PIP is a shell command that plays pip's work, and
# $PIP_CONFIG what pip says of its settings. There is no uv to be had from pip but with $PIP.
PYTHON = f"""#!/usr/bin/env bash
here="$(dirname "$0")"
case "$1 ${{2:-}}" in
    "-m venv") echo "venv" >>"$CALLS"; mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; exit ;;
    "-m pip")
        [[ $3 != config ]] || {{ echo "${{PIP_CONFIG:-}}"; exit; }}
        echo "pip ${{*:3}}" >>"$CALLS"
        if [[ ${{@: -1}} == uv && ! -v PIP ]]; then exit 1; fi
        eval "${{PIP:-true}}"
        exit ;;
esac
PYTHONPATH="${{PYTHONPATH:-}}:$here/../site" exec {sys._base_executable!r} -S "$@"
"""
UV = """#!/usr/bin/env bash
echo "uv $*" >>"$CALLS"
if [[ $1 == venv ]]; then mkdir -p "${@: -1}/bin"; cp "$PYTHON_OF_UV" "${@: -1}/bin/python"; fi
"""
FAILING_SHIM = "#!/usr/bin/env bash\necho 'pyenv: python3.12: command not found' >&2\nexit 127\n"

OFFLINE = 'echo "Failed to establish a new connection: [Errno -3] Temporary failure in name resolution"; exit 1'
NEEDED_MODULES = ["gymnasium_robotics", "imageio_ffmpeg", "mujoco", "mujoco_usd_converter", "onnxruntime", "sklearn"]


def write_program(path: Path, text: str = PYTHON) -> Path:
    """Write an executable script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


class Project:
    """A checkout, a home and a ``PATH`` of its own under one folder."""

    def __init__(self, folder: Path):
        self.root = folder / "my projects" / "cgrpo lab"
        self.programs = folder / "programs"
        self.home = folder / "home"
        self.calls_file = folder / "calls"
        for name in ("isaaclab.sh", "pyproject.toml", "source/cgrpo_lab/__init__.py"):
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)
        extras = ("baselines", "compare", "dev", "gpu")
        for name in ("requirements.txt", *(f"requirements-{extra}.txt" for extra in extras)):
            (self.root / name).write_text(f"# stands for {name}\n")
        self.home.mkdir()
        for tool in TOOLS:
            write_program(folder / "tools" / tool, f'#!/bin/sh\nexec {shutil.which(tool)} "$@"\n')
        self.environment = {
            "PATH": f"{self.programs}:{folder / 'tools'}",
            "HOME": str(self.home),
            "CALLS": str(self.calls_file),
        }

    @property
    def launcher(self) -> Path:
        """Path of the launcher."""
        return self.root / "isaaclab.sh"

    @property
    def python(self) -> Path:
        """Python of the project's own environment."""
        return self.root / ".venv/bin/python"

    def script(self, text: str, name: str = "scripts/hello.py") -> str:
        """Write a script into the project and return its path relative to the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return name

    def add_environment(
        self, folder: Path, isaaclab: str | None = "3.0.0", modules: list[str] = NEEDED_MODULES
    ) -> Path:
        """Make an environment that has this version of Isaac Lab and these modules, and return its folder."""
        write_program(folder / "bin/python")
        site = folder / "site"
        site.mkdir()
        for module in modules:
            (site / f"{module}.py").touch()
        if isaaclab is not None:
            (site / "isaaclab.py").write_text("print('isaaclab')")
            (site / f"isaaclab-{isaaclab}.dist-info").mkdir()
            (site / f"isaaclab-{isaaclab}.dist-info/METADATA").write_text(f"Name: isaaclab\nVersion: {isaaclab}\n")
        return folder

    def start(self, *arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.Popen:
        """Start the launcher as a user would, in its own process group."""
        return subprocess.Popen(
            [str(self.launcher), *arguments],
            cwd=cwd or self.root,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # A test run in the background ignores SIGINT, and its children would too.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, *arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess:
        """Run the launcher to its end."""
        process = self.start(*arguments, cwd=cwd, **environment)
        stdout, stderr = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def calls(self) -> list[str]:
        """Return and forget the calls of venv, pip and uv since the last time."""
        if not self.calls_file.exists():
            return []
        calls = self.calls_file.read_text().splitlines()
        self.calls_file.unlink()
        return calls
