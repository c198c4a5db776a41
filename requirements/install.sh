#!/bin/sh
# Installs the lock into .venv; `make setup` calls it when .venv/installed is older than a lock file or pyproject.toml.
# .venv/installed is written last, so an interrupted installation never counts as one: it starts anew.
set -eu
cd "$(dirname "$0")/.."
python=${1:-python3} venv=.venv
done_mark=$venv/installed

fail() { echo "setup: $*" >&2; exit 1; }
install() { "$venv/bin/python" -m pip --disable-pip-version-check install $quiet --no-deps "$@"; }
locked() { install --require-hashes --no-build-isolation --use-pep517 -r "requirements/$1.txt"; }
quiet=--quiet
[ -t 1 ] && quiet=

found=$("$python" -c 'import sys; print("%d.%d.%d at %s" % (sys.version_info[:3] + (sys.executable,)))' 2>/dev/null) ||
  fail "no Python under the name '$python'; expected 3.11 or newer. Name one: make setup PYTHON=python3.12"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "'$python' is Python $found; expected 3.11 or newer. Name another: make setup PYTHON=python3.12"

lock=$(cat requirements/*.txt | sha256sum)
if [ "$(cat "$done_mark" 2>/dev/null)" != "$lock" ]; then
  echo "setup: installing the locked packages into $venv, Python $found (some minutes)"
  rm -f "$done_mark"
  "$python" -m venv --clear "$venv" ||
    fail "'$python -m venv' failed; expected a Python with venv and ensurepip. On Debian: apt install python3-venv"
  locked build
  # pip finds the CPU build only where its own settings name a folder or index that has it.
  command -v nvidia-smi >/dev/null || locked cpu 2>/dev/null ||
    echo "setup: pip finds no CPU build of PyTorch for this Python; its default build comes"
  locked lock
  if ! error=$("$venv/bin/python" -c 'import torch' 2>&1); then
    echo "$error" | grep -qE 'lib(cu|nv|nccl)' || fail "torch does not import: $error"
    echo "setup: PyTorch's default build loads the CUDA libraries; installing them (gigabytes)"
    locked cuda
    "$venv/bin/python" -c 'import torch' || fail "torch does not import with the CUDA libraries beside it"
  fi
fi
install --no-build-isolation --editable .
echo "$lock" > "$done_mark.new" && mv "$done_mark.new" "$done_mark"
echo "setup: $venv is ready"
