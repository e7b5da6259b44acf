#!/usr/bin/env bash
# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause
#
# Isaac Lab's launcher for this project: runs scripts and tests in a Python that has Isaac Lab 3.0, and makes that
# Python on first use. Bad input and anything the user has to mend end with one clear message and exit code 2.

set -euo pipefail

root="$(CDPATH='' cd -P -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd)"
venv="$root/.venv"
# One file per finished installation (base and extras) holding the fingerprint that it was made from.
stamps="$venv/.cgrpo"
extras=(baselines compare dev gpu isaacsim)
log="$stamps/install.log"
pip_options=(--disable-pip-version-check --no-input)

usage() {
    cat <<'TEXT'
Usage: ./isaaclab.sh OPTION ...

  -p, --python SCRIPT [ARGS]    run a script (also: -p -m MODULE, -p -c CODE, or -p alone for a prompt)
  -t, --test [PYTEST ARGS]      run the tests; the slow ones only with: -t -m slow
  -i, --install [EXTRA ...]     install now; extras: baselines (skrl: SAC, TD3, TRPO), compare (arch, Optuna), gpu (cuML),
                                isaacsim (PhysX), dev (tests, lint)
  -h, --help                    show this text
  COMMAND [ARGS]                Isaac Lab's own commands: train, play, list_envs, ...

The Python is, in this order: an active environment with Isaac Lab 3.0, the one of the checkout in ISAACLAB_PATH,
or .venv in this folder, which the first call makes with Python 3.12 (a download of 3 GB, 8 GB on disk).
TEXT
}

say() { printf '[isaaclab.sh] %s\n' "$*" >&2; }

die() {
    say "$@"
    exit 2
}

# ---- which Python ----

has_isaaclab() { # PYTHON: an installed Isaac Lab 3.0
    [[ -x $1 ]] && "$1" -c '
import sys
from importlib.metadata import version
sys.exit(not version("isaaclab").startswith("3.0"))' 2>/dev/null
}

missing_modules() { # PYTHON MODULE...: those that it cannot import
    "$1" -c '
import sys
from importlib.util import find_spec
print(*(name for name in sys.argv[1:] if find_spec(name) is None))' "${@:2}" 2>/dev/null
}

checkout_python() { # the Python of the Isaac Lab checkout in ISAACLAB_PATH
    # The packages of a checkout carry version numbers of their own; its VERSION file holds the release.
    [[ -r $ISAACLAB_PATH/VERSION && $(<"$ISAACLAB_PATH/VERSION") == 3.0* ]] || return 1
    local candidate
    for candidate in "$ISAACLAB_PATH"/{.venv/bin/python,env_isaaclab/bin/python,_isaac_sim/python.sh}; do
        if [[ -x $candidate && -z $(missing_modules "$candidate" isaaclab || echo isaaclab) ]]; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

select_python() { # sets python
    local environment
    for environment in "${VIRTUAL_ENV:-}" "${CONDA_PREFIX:-}"; do
        if [[ -n $environment && ! $environment -ef $venv ]] && has_isaaclab "$environment/bin/python"; then
            python="$environment/bin/python"
            return
        fi
    done
    if [[ -n ${ISAACLAB_PATH:-} ]]; then
        if python="$(checkout_python)"; then return; fi
        say "ISAACLAB_PATH=$ISAACLAB_PATH has no environment with Isaac Lab 3.0; using $venv instead."
    fi
    python="$venv/bin/python"
}

find_python312() {
    local check='import ensurepip, sys, venv; sys.exit(sys.version_info[:2] != (3, 12))' candidate
    if [[ -n ${PYTHON:-} ]]; then
        "$PYTHON" -c "$check" >/dev/null 2>&1 || die "PYTHON=$PYTHON is not a working Python 3.12 with venv."
        printf '%s\n' "$PYTHON"
        return
    fi
    # Running it is the only proof: a pyenv shim exists for versions that are not active, and Debian splits venv off.
    for candidate in python3.12 python3 "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3.12*/bin/python3.12; do
        if "$candidate" -c "$check" >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            return
        fi
    done
}

# ---- our own environment ----

fingerprint() { # of all that an installation depends on; the folder too, because an editable one points to it
    {
        printf '%s\n' "$root"
        cat -- "$root"/requirements*.txt "$root/pyproject.toml" "$root/source/cgrpo_lab/__init__.py"
    } | sha256sum
}

is_fresh() { # FINGERPRINT EXTRA...: these and everything installed earlier match the requirements
    [[ -x $venv/bin/python && -e $stamps/base ]] || return 1
    local stamp
    for stamp in base "${@:2}"; do
        [[ -e $stamps/$stamp ]] || return 1
    done
    for stamp in base "${extras[@]}"; do
        [[ ! -e $stamps/$stamp || $(<"$stamps/$stamp") == "$1" ]] || return 1
    done
}

check_system() { # what the lock files are for
    local system
    system="$(uname -s)"
    [[ $system == Linux ]] || die "Cannot install on $system: the locked packages are for Linux. Use Docker" \
        "('docker compose build'), or activate an environment with Isaac Lab 3.0."
}

ensure_venv() { # EXTRA...: make or mend .venv where needed
    check_system
    local wanted
    wanted="$(fingerprint)"
    if is_fresh "$wanted" "$@"; then return; fi
    if [[ -e $venv && ! -d $stamps ]]; then
        die "$venv was not made by isaaclab.sh. Activate it if it has Isaac Lab 3.0, else move it away."
    fi
    [[ -w $root ]] || die "Cannot install: $root is not writable. Copy the project to a folder of yours."
    exec 9>"$venv.lock"
    if ! flock --nonblock 9; then
        say "Another installation is running; waiting for it."
        flock 9
    fi
    trap 'say "Interrupted. The next call repairs the installation."; exit 130' INT TERM
    is_fresh "$wanted" "$@" || install_venv "$wanted" "$@"
    trap - INT TERM
    exec 9>&-
}

install_venv() { # FINGERPRINT EXTRA...
    local wanted="$1" stamp
    shift
    # Without the base stamp an installation was cut short, and pip does not notice half-written packages.
    if [[ ! -e $stamps/base || ! -x $venv/bin/python ]]; then make_venv; fi
    : >"$log"
    pip_options+=(--no-compile) # imports do it, for the sixth of the code that is needed
    install_stamped base "$wanted"
    for stamp in "${extras[@]}"; do
        if [[ -e $stamps/$stamp || " $* " == *" $stamp "* ]]; then install_stamped "$stamp" "$wanted"; fi
    done
    if has_nvidia_gpu && [[ ! -e $stamps/gpu ]]; then
        (install_stamped gpu "$wanted") || say "Going on without cuML; './isaaclab.sh -i gpu' tries again."
    fi
    if [[ -n ${PYTHONDONTWRITEBYTECODE:-} ]]; then compile_bytecode; fi
    say "Installed after $SECONDS s."
}

make_venv() {
    local base_python
    base_python="$(find_python312)" || exit 2
    if [[ -z $base_python ]] && ! command -v uv >/dev/null; then
        die "No Python 3.12 with venv was found (tried PYTHON, python3.12, python3, pyenv, uv). Install one, e.g." \
            "'sudo apt-get install python3.12-venv', 'pyenv install 3.12' or uv, or set PYTHON to its path."
    fi
    say "First use: installing Isaac Lab 3.0 into $venv (some minutes; a download of 3 GB, 8 GB on disk)."
    rm -rf -- "$venv"
    mkdir -p -- "$stamps"
    if [[ -n $base_python ]]; then
        logged "$base_python" -m venv "$venv" || explain_failure
    else
        logged uv venv --python 3.12 --seed --allow-existing "$venv" || explain_failure
    fi
    # It takes a fifth of pip's time; where it is not to be had, pip does the work.
    command -v uv >/dev/null || logged "$python" -m pip install "${pip_options[@]}" uv || true
}

install_stamped() { # EXTRA FINGERPRINT
    local extra="$1" stamp="$stamps/$1" before=""
    if [[ -e $stamp ]]; then
        before="$(<"$stamp")"
        [[ $before != "$2" ]] || return 0
        say "Requirements have changed: updating '$extra' in $venv."
    elif [[ $extra != base ]]; then
        say "Installing the extra '$extra'."
    fi
    rm -f -- "$stamp"
    if ! install_requirements "$extra"; then
        # A refused update (no network, say) has changed nothing yet; only an interrupted one leaves no stamp.
        [[ -z $before ]] || printf '%s\n' "$before" >"$stamp"
        explain_failure "$extra"
    fi
    printf '%s\n' "$2" >"$stamp"
}

install_requirements() { # EXTRA
    case "$1" in
        base)
            pip_install -r "$root/requirements.txt" &&
                pip_install --no-deps --no-build-isolation -e "$root"
            ;;
        isaacsim) pip_install -e "${root}[isaacsim]" ;;
        *) pip_install -r "$root/requirements-$1.txt" -c "$root/requirements.txt" ;;
    esac
}

compile_bytecode() { # of all packages, where imports may not write it and every process would compile them anew
    # Nobody imports the tests of packages, a quarter of it all; and some packages hold files that are not for this
    # Python.
    logged "$python" -W ignore -m compileall -qq -j 0 -x 'site-packages/.*/tests?/' "$venv/lib" || true
}

pip_install() { # ARGUMENTS of pip install: by uv, and by pip where uv fails
    local uv
    uv="$(command -v uv || echo "$venv/bin/uv")"
    if [[ -x $uv ]]; then
        if [[ ! -v uv_environment ]]; then
            mapfile -t uv_environment < <(uv_settings)
            # Beside the packages it can link to them instead of copying, and goes when they go.
            if [[ $uv == "$venv/bin/uv" ]]; then uv_environment+=("UV_CACHE_DIR=${UV_CACHE_DIR:-$venv/uv-cache}"); fi
        fi
        if logged env "${uv_environment[@]}" "$uv" pip install --python "$python" "$@"; then return; fi
    fi
    logged "$python" -m pip install "${pip_options[@]}" "$@"
}

uv_settings() { # NAME=VALUE for uv of what the user has set for pip: a mirror, a proxy, a folder of wheels
    "$python" -m pip config list 2>/dev/null | "$python" -c '
import ast, os, sys
names = {
    "index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX", "constraint": "UV_CONSTRAINT", "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE", "proxy": "ALL_PROXY",
}
# Files count least for pip, and its environment variables most. All its indexes are equal, unlike those of uv.
ranks = {"global": 0, "install": 1, ":env:": 2}
settings = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
lines = [line.strip().partition("=")[::2] for line in sys.stdin]
for key, value in sorted(lines, key=lambda line: ranks.get(line[0].rpartition(".")[0], 0)):
    section, _, option = key.rpartition(".")
    if section in ranks and option in names:
        separator = "," if option == "find-links" else " "
        settings[names[option]] = separator.join(ast.literal_eval(value).split())
print(*(f"{name}={value}" for name, value in settings.items() if name not in os.environ), sep="\n")
'
}

logged() { # COMMAND...: output to the log, its latest line on a terminal
    if [[ -t 2 ]]; then
        local status=0
        "$@" 2>&1 | tee -a -- "$log" | awk '{ printf "\r\033[K%.78s", $0; fflush() }' >&2 || status=$?
        printf '\r\033[K' >&2
        return "$status"
    fi
    "$@" >>"$log" 2>&1
}

explain_failure() { # [EXTRA]
    local offline='NameResolution|NewConnection|ConnectTimeout|ConnectionRefused|Failed to establish|name resolution'
    offline+='|dns error|unreachable|Connection refused|client error \(Connect\)|ProxyError|Failed to fetch'
    if grep -qE "$offline" "$log"; then
        die "No network: the installation has to download packages. Connect, or point pip at a mirror or a folder of" \
            "wheels (PIP_INDEX_URL, PIP_FIND_LINKS), or activate an environment with Isaac Lab 3.0. Log: $log"
    fi
    tail -n 15 -- "$log" >&2
    if [[ ${1:-} == isaacsim ]]; then
        say "Isaac Sim's wheels come from NVIDIA's package index: name it in PIP_EXTRA_INDEX_URL, as Isaac Lab's" \
            "installation guide says."
    fi
    die "The installation failed; the next call starts it again. Log: $log"
}

has_nvidia_gpu() {
    local gpus
    gpus="$(nvidia-smi -L 2>/dev/null)" && [[ $gpus == GPU* ]]
}

# ---- commands ----

prepare() { # EXTRA...: a Python that can import the project and what it needs
    select_python
    if [[ $python == "$venv/bin/python" ]]; then
        ensure_venv "$@"
    else
        local missing modules=(gymnasium_robotics imageio_ffmpeg mujoco mujoco_usd_converter onnxruntime sklearn)
        if [[ " $* " == *" dev "* ]]; then modules+=(hypothesis pytest pytest_timeout xdist); fi
        if [[ " $* " == *" baselines "* ]]; then modules+=(skrl); fi
        if [[ " $* " == *" compare "* ]]; then modules+=(arch optuna); fi
        missing="$(missing_modules "$python" "${modules[@]}")"
        [[ -z $missing ]] || die "$python has Isaac Lab 3.0 but lacks: $missing. './isaaclab.sh -i${*:+ $*}' adds them."
    fi
    # This checkout's code comes first, whatever else is installed in the environment.
    export PYTHONPATH="$root/source:$root/tasks${PYTHONPATH:+:$PYTHONPATH}"
    # rsl_rl imports GitPython, which refuses to load without a git executable.
    command -v git >/dev/null || export GIT_PYTHON_REFRESH=quiet
}

run_python() {
    if [[ $# -gt 0 && $1 != -* ]]; then
        local script="$1"
        shift
        if [[ ! -e $script && -e $root/$script ]]; then script="$root/$script"; fi
        [[ -f $script ]] || die "No such script: $script"
        set -- "$script" "$@"
    fi
    prepare
    exec "$python" "$@"
}

test_workers() { # one process a core, but no more simulators than a shared GPU or 16 GiB hold
    local cores
    cores="$(nproc)"
    echo $((cores < 4 ? cores : 4))
}

run_tests() {
    prepare dev baselines compare
    cd -- "$root"
    # All of it goes over the cores, file by file; a selection stays in one process, where -s and --pdb work. The files
    # keep their order, as those with few tests, which would come last, are among the longest.
    if [[ $# -eq 0 ]]; then set -- -n "$(test_workers)" --dist loadfile --no-loadscope-reorder; fi
    exec "$python" -m pytest -m "not slow" "$@"
}

install() {
    local extra
    for extra in "$@"; do
        [[ " ${extras[*]} " == *" $extra "* ]] || die "Unknown extra '$extra'; there are: ${extras[*]}."
    done
    select_python
    if [[ $python == "$venv/bin/python" ]]; then
        if has_nvidia_gpu; then set -- "$@" gpu; fi
        ensure_venv "$@"
    else
        say "Installing this project into the environment of $python."
        local IFS=,
        log="$(mktemp)"
        pip_install -e "$root${*:+[$*]}" || explain_failure "$@"
        rm -f -- "$log"
    fi
    say "Ready: $python"
}

main() {
    case "${1:--h}" in
        -p | --python) run_python "${@:2}" ;;
        -t | --test) run_tests "${@:2}" ;;
        -i | --install) install "${@:2}" ;;
        -h | --help) usage ;;
        -*) die "Unknown option '$1'; './isaaclab.sh -h' lists them." ;;
        *)
            prepare
            exec "$python" -m isaaclab "$@"
            ;;
    esac
}

main "$@"
