#!/bin/sh
# install.sh BUILD PREFIX COMPILER...   installs without root, moves the prefix, and uses what is there as a stranger would
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=$1
prefix=$2
shift 2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
unset STILLROOM_SCHEMA_PATH STILLROOM_RECIPE_PATH STILLROOM_PLUGIN_PATH LD_LIBRARY_PATH

passed=0 failed=0
ok() { # NAME CONDITION...
    name=$1
    shift
    if "$@" >"$scratch/out" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "failed: $name"
        head -5 "$scratch/out" | sed 's/^/    /'
    fi
}

ok 'it installs into a folder of its own' meson install -C "$build" --no-rebuild --strip --destdir "$scratch/stage"
moved="$scratch/a moved prefix"
mv "$scratch/stage$prefix" "$moved"
program=$moved/bin/stillroom
cd "$scratch"

ok 'the moved program runs' "$program" --version
ok 'it takes its own library, not one of the build' \
    sh -c 'ldd "$1" | grep "libstillroom.so" | grep -q -F "$2"' - "$program" "$moved"
ok 'it finds its schemas' "$program" stages
ok 'it finds its recipes' "$program" recipes ls
ok 'it checks an installed recipe' "$program" check "$moved/share/stillroom/recipes/tiny.yaml"
ok 'nothing installed names the source or the build folder' sh -c '! find "$1" -type f -exec grep -l -F -e "$2/" -e "$3/" {} + | grep .' - \
    "$moved" "$root" "$build"
for file in bash-completion/completions/stillroom zsh/site-functions/_stillroom fish/vendor_completions.d/stillroom.fish; do
    ok "share/$file is there" test -s "$moved/share/$file"
done
ok 'the manual page is one' grep -q '^\.TH' "$moved/share/man/man1/stillroom.1"

PKG_CONFIG_PATH=$(dirname "$(find "$moved" -name stillroom.pc)")
export PKG_CONFIG_PATH
ok 'pkg-config accepts it' pkg-config --validate stillroom
folder_of() { pkg-config --variable="$1" stillroom | sed 's/\\//g'; } # blanks come escaped
ok 'plugindir is a folder of the moved prefix' test -d "$(folder_of plugindir)"
ok 'schemadir holds the schemas' test -f "$(folder_of schemadir)/recipe.schema.json"
cat >outside.cpp <<'END'
#include <engine/base/error.h>

#include <cstdio>

int main() {
    try {
        throw stillroom::Error({}, "caught by its type").exit_code(stillroom::kExitPolicy);
    } catch (const stillroom::Error& error) {
        return std::puts(error.what()) >= 0 && error.exit_code() == 10 ? 0 : 1;
    }
}
END
flags=$(pkg-config --cflags --libs stillroom)
ok 'a program from outside builds against it' sh -c 'flags=$1; shift; eval "$* -std=c++20 outside.cpp -o outside $flags"' - "$flags" "$@"
LD_LIBRARY_PATH=$(dirname "$(find "$moved" -name 'libstillroom.so')")
export LD_LIBRARY_PATH
ok 'and runs' ./outside
unset LD_LIBRARY_PATH
lm=$(find "$moved" -name 'libstillroom_lm.so')
if [ -n "$lm" ]; then
    ok 'libstillroom_lm.so finds all it needs' sh -c '! ldd "$1" | grep "not found"' - "$lm"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
