#!/bin/sh
# Install healthsvc from this folder alone, without any network: sh install.sh [TARGET]
# Every file is checked against SHA256SUMS, and every package against the hash in requirements.lock.
set -eu
umask 022 # the service's user reads what root installs, however strict root's own mask is
here=$(cd "$(dirname "$0")" && pwd)
target=${1:-/opt/healthsvc/venv}
python=${PYTHON:-python3.11}
cd "$here"
sha256sum --check --quiet SHA256SUMS || { echo "the wheelhouse was changed on its way; copy it again" >&2; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "healthsvc needs Python 3.11: PYTHON=/path/to/python3.11 sh install.sh" >&2; exit 1; }
home=$("$python" -c 'import sys; print(sys.base_prefix)')
case $home in /root/* | /home/*) echo "note: this Python lies in $home, where a service of another user cannot read it (the systemd units hide homes); for a service name one of the system: PYTHON=/usr/bin/python3.11 sh install.sh" >&2 ;; esac
test -e "$target/bin/python" || "$python" -m venv "$target"
"$target/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-index --find-links "$here/wheels" \
  --require-hashes --no-deps -r requirements.lock
"$target/bin/python" -m compileall -q "$("$target/bin/python" -c 'import healthsvc, os; print(os.path.dirname(healthsvc.__file__))')"
"$target/bin/healthsvc" plan warm
echo "installed healthsvc $("$target/bin/healthsvc" version) into $target"
at=$target
while at=$(dirname "$at") && test "$at" != / && test "$at" != .; do
  case $(stat -c %A "$at") in
    *[xt]) ;;
    *) echo "note: $at lets no other user in, so a service of another user cannot start from it: chmod o+x $at" >&2 ;;
  esac
done
