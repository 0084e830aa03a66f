#!/bin/sh
# plugin_example.sh BUILD PREFIX COMPILER...   builds examples/plugin against an installed and moved engine, as its README says
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=$1
prefix=$2
shift 2
CXX=$*
export CXX
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
unset STILLROOM_SCHEMA_PATH STILLROOM_RECIPE_PATH STILLROOM_PLUGIN_PATH LD_LIBRARY_PATH
HOME=$scratch/home
STILLROOM_STORE=$scratch/store
export HOME STILLROOM_STORE
mkdir "$HOME"

passed=0 failed=0
ok() { # NAME CONDITION...
    name=$1
    shift
    if "$@" >"$scratch/out" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "failed: $name"
        head -20 "$scratch/out" | sed 's/^/    /'
    fi
}
says() { # NAME TEXT: the last command's output holds it
    ok "$1" grep -q -F -e "$2" "$scratch/said"
}

ok 'the engine installs' meson install -C "$build" --no-rebuild --destdir "$scratch/stage"
moved=$scratch/moved
mv "$scratch/stage$prefix" "$moved"
program=$moved/bin/stillroom
PKG_CONFIG_PATH=$(dirname "$(find "$moved" -name stillroom.pc)")
export PKG_CONFIG_PATH
cp -R "$root/examples/plugin" "$scratch/plugin"
cd "$scratch/plugin"

ok 'the loader is not installed' sh -c '! find "$1" -name "loader.h" | grep .' - "$moved"
ok 'the example configures' meson setup build
ok 'the example builds' ninja -C build
ok 'the module stands beside its schema' test -f build/words.so -a -f build/stages/words.count.schema.json
nm -D --defined-only build/words.so | sed 's/.* //' >"$scratch/said" || :
ok 'it exports its one symbol' [ "$(cat "$scratch/said")" = stillroom_plugin ]

ok 'without the variable the stage is unknown' sh -c '! "$1" help words.count' - "$program"
STILLROOM_PLUGIN_PATH=$PWD/build
export STILLROOM_PLUGIN_PATH
"$program" stages >"$scratch/said" 2>&1 || :
says 'the stage is listed' 'words.count'
"$program" help words.count >"$scratch/said" 2>&1 || :
says 'its help is shown' 'shorter words do not count'
ok 'the recipe is checked' "$program" check recipe.yaml
"$program" check recipe.yaml stages.second.shortest=0 >"$scratch/said" 2>&1 || :
says 'its bounds hold' 'shortest'
ok 'the recipe runs' "$program" run recipe.yaml
"$program" run recipe.yaml >"$scratch/said" 2>&1 || :
says 'what it made is used again' '0 stages run'
"$program" do words.count --json file=first.txt >"$scratch/said" 2>&1 || :
says 'the stage runs by itself' '"ok": true'
chmod 0777 build
"$program" run recipe.yaml stages.second.shortest=9 >"$scratch/said" 2>&1 && code=0 || code=$?
ok 'what anybody may write is not opened' [ "$code" = 10 ]
chmod 0755 build

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
