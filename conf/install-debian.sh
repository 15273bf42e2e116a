#!/bin/sh
# Install the Debian packages of the list that are missing. 'make debian' calls it.
set -eu

list=$1
if ! command -v dpkg-query >/dev/null; then
    echo "debian: this is no Debian; have the equivalents of $list installed" >&2
    exit 0
fi

packages=$(sed 's/#.*//' "$list")
# shellcheck disable=SC2086
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status};' $packages 2>/dev/null || true)
missing=
for package in $packages; do
    case ";$installed" in
        *";$package installed;"*) ;;
        *) missing="$missing $package" ;;
    esac
done

# The demo guest image is made of packages that are fetched and never installed: apt must know them.
lists=there
apt-cache show linux-image-cloud-amd64 >/dev/null 2>&1 || lists=
[ -n "$missing" ] || [ -z "$lists" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "debian: missing:${missing:- the package lists}" >&2
    echo "debian: as root, run: apt-get update${missing:+ && apt-get install -y --no-install-recommends$missing}" >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive
. "$(dirname "$0")/progress.sh"

# Services of the packages are not wanted: the cloud starts what it needs, under its own folders.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod +x "$policy"
    trap 'rm -f "$progress_log" "$policy"' EXIT
fi

progress "debian: reading the package lists" apt-get update -q
[ -n "$missing" ] || exit 0
echo "debian: missing:$missing"
# shellcheck disable=SC2086
progress "debian: downloading and installing" apt-get install -q -y --no-install-recommends $missing
