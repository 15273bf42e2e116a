#!/bin/sh
# Make the virtual environment with stackd (editable) and all extras this machine can have. 'make venv' calls it.
set -eu
. "$(dirname "$0")/progress.sh"

python=$1
venv=$2

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "venv: stackd needs Python 3.11 or newer; name it with 'make PYTHON=...'" >&2
    exit 1
}
if [ ! -x "$venv/bin/pip" ]; then
    rm -rf "$venv"
    progress "venv: making $venv with $("$python" --version)" "$python" -m venv "$venv" || {
        echo "venv: this python3 has no venv module; as root: apt-get install -y python3-venv" >&2
        exit 1
    }
fi

extras=test
# The binding is compiled: only where the C library's headers are.
if pkg-config --exists libvirt 2>/dev/null; then
    extras=$extras,libvirt
else
    echo "venv: no libvirt headers, so no libvirt driver (Debian package libvirt-dev)" >&2
fi

install() {
    progress "$1" "$venv/bin/pip" install --disable-pip-version-check --no-input "$2" "$3" "$4"
}
# Debian's own setuptools is too old for what says its licence in the new way.
install "venv: installing what builds packages" "setuptools>=77" wheel pip
install "venv: installing stackd[$extras]" --no-build-isolation --editable ".[$extras]"
