#!/usr/bin/env bash
# Judges the migrations of a checkout; in a pull request only those that its base does not have.
set -euo pipefail

base=${PREFLIGHT_BASE:-}
if [[ -z $base && -n ${GITHUB_BASE_REF:-} ]]; then
  # A checkout has one commit only: its base is fetched, and only its tree is needed.
  git fetch --quiet --depth=1 origin "refs/heads/$GITHUB_BASE_REF"
  base=$(git rev-parse FETCH_HEAD)
fi

arguments=(--format "${PREFLIGHT_FORMAT:-github}")
if [[ -n $base && $base != none ]]; then
  arguments+=(--base "$base")
fi
while IFS= read -r path; do
  case $path in
    "") ;;
    /*) arguments+=("$path") ;;
    *) arguments+=("./$path") ;;  # a name that begins with a dash is no option
  esac
done <<<"${PREFLIGHT_PATHS:-}"

if [[ -n ${PREFLIGHT_OUTPUT:-} ]]; then
  "${PREFLIGHT:-preflight}" lint "${arguments[@]}" >"$PREFLIGHT_OUTPUT"
else
  "${PREFLIGHT:-preflight}" lint "${arguments[@]}"
fi
