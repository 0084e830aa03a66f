#!/bin/sh
# lint.sh BUILD [FILE...]   runs clang-tidy over the torch-free part with what BUILD/compile_commands.json says
set -eu
cd "$(dirname -- "$0")/.."
build=$1
shift
command -v clang-tidy >/dev/null || {
    echo "skipped: no clang-tidy"
    exit 77
}
if [ $# -eq 0 ]; then
    # shellcheck disable=SC2046 # no name of ours holds a blank
    set -- $(find engine -name '*.cpp' | sort)
fi
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p "$build"
