#!/usr/bin/env bash
# Checks that the tools which pip cannot install are here; names a missing one and the Debian package that has it.
# Usage: check_tools.sh [PYTHON]
set -euo pipefail

python="${1:-python3}"

missing() {
    echo "zeroskip needs $1, which is not on this machine: install the Debian package '$2' (apt-get install $2)." >&2
    exit 1
}

command -v "$python" > /dev/null || missing "Python 3.11 or newer" python3
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "zeroskip needs Python 3.11 or newer, and $python is $("$python" -V 2>&1):" \
        "install the Debian package 'python3.11' and run 'make setup PYTHON=python3.11'." >&2
    exit 1
}
"$python" -c 'import ensurepip, venv' 2> /dev/null || missing "Python's venv module" python3-venv
command -v g++ > /dev/null || missing "a C++17 compiler (g++)" g++
command -v make > /dev/null || missing "make" make
command -v perl > /dev/null || missing "perl (Verilator's launcher)" perl
