#!/usr/bin/env bash
# Opens our MAT-files of both versions with Octave and compares every value: `N passed, N failed`.
# Exit status 77, and a line that says so, where Octave is not installed.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")"
octave=$(command -v octave-cli || command -v octave || true)
if [ -z "$octave" ]; then
  echo "Octave is not installed"
  exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
deno run -A --quiet write.ts "$folder"
"$octave" --no-init-file --no-history --quiet check.m "$folder"
