#!/usr/bin/env bash
# Judges the migrations of a checkout; in a pull request only those that its base does not have.
# The checkout may be a stranger's: nothing of it is run, and git is asked about one repository only.
set -euo pipefail

# The checkout's root: the nearest folder above that holds .git as a folder (no pull request can
# bring that name). A submodule has a file there: its refs are whatever the pull request says.
checkout() {
  local place=$PWD file=
  while :; do
    if [[ -d $place/.git ]]; then
      printf '%s\n' "$place"
      return
    fi
    [[ -z $file && -f $place/.git ]] && file=$place
    [[ $place == / || -z $place ]] && break
    place=${place%/*}
    place=${place:-/}
  done
  [[ -n $file ]] && printf '%s\n' "$file"
}

# The programs of PATH that do not lie in the checkout.
outside() {
  local root entry real kept=
  root=$(cd "$1" && pwd -P)
  local IFS=:
  set -f
  for entry in $PATH; do
    [[ $entry == /* ]] && real=$(cd "$entry" 2>/dev/null && pwd -P) || continue
    case $real/ in
      "$root"/*) ;;
      *) kept=${kept:+$kept:}$entry ;;
    esac
  done
  set +f
  printf '%s\n' "$kept"
}

# Git on that repository, without anything that its files could start. The checkout's own
# configuration holds the login of actions/checkout, so that origin can be asked.
plain_git() {
  local name
  (
    for name in "${!GIT_@}"; do unset "$name"; done
    cd /
    GIT_TERMINAL_PROMPT=0 GIT_NO_LAZY_FETCH=1 GIT_NO_REPLACE_OBJECTS=1 \
      GIT_ALLOW_PROTOCOL=https:http:ssh:file git --no-pager \
      -c safe.bareRepository=explicit -c core.fsmonitor=false -c core.hooksPath=/dev/null \
      -c core.attributesFile=/dev/null -c core.commitGraph=false -c gc.auto=0 \
      -c maintenance.auto=false -c submodule.recurse=false -c fetch.recurseSubmodules=false \
      -c remote.origin.uploadpack=git-upload-pack --git-dir="$root/.git" --work-tree="$root" "$@"
  )
}

root=$(checkout || true)
if [[ -n $root ]]; then
  PATH=$(outside "$root")
  export PATH
fi

base=${PREFLIGHT_BASE:-}
if [[ -z $base && -n ${GITHUB_BASE_REF:-} ]]; then
  if [[ -z $root ]]; then
    echo "preflight lint: $PWD lies in no git checkout; set base: none to judge every file." >&2
    exit 2
  fi
  # A checkout has one commit only: its base is fetched, and only its tree is needed.
  plain_git fetch --quiet --depth=1 --no-tags --no-recurse-submodules \
    origin "refs/heads/$GITHUB_BASE_REF"
  base=$(plain_git rev-parse --verify --end-of-options "FETCH_HEAD^{commit}")
fi

arguments=("--format=${PREFLIGHT_FORMAT:-github}")
if [[ -n $base && $base != none ]]; then
  arguments+=("--base=$base")
fi
arguments+=(--)
while IFS= read -r path; do
  case $path in
    "") ;;
    /*) arguments+=("$path") ;;
    *) arguments+=("./$path") ;;  # a name that begins with a dash is no option
  esac
done <<<"${PREFLIGHT_PATHS:-}"

if [[ -n ${PREFLIGHT_OUTPUT:-} ]]; then
  if [[ -L $PREFLIGHT_OUTPUT ]]; then
    echo "preflight lint: $PREFLIGHT_OUTPUT is a link; the findings are not written through it." >&2
    exit 2
  fi
  "${PREFLIGHT:-preflight}" lint "${arguments[@]}" >"$PREFLIGHT_OUTPUT"
else
  "${PREFLIGHT:-preflight}" lint "${arguments[@]}"
fi
