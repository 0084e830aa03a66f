#!/bin/sh
# readme.sh PROGRAM ROOT TOY   runs what the pages for newcomers tell them to type, and compares what they say comes back
set -eu
program=$(realpath "$1")
root=$(realpath "$2")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
unset STILLROOM_SCHEMA_PATH STILLROOM_RECIPE_PATH STILLROOM_PLUGIN_PATH FORCE_COLOR CLICOLOR_FORCE
mkdir "$scratch/bin" "$scratch/checkout"
ln -s "$program" "$scratch/bin/stillroom"
ln -s "$program" "$scratch/checkout/stillroom"
cp -r "$root/recipes" "$root/schemas" "$root/examples" "$scratch/checkout/" # a copy: whatever a line writes, it writes there
mkdir -p "$scratch/checkout/build/tests/plugins" "$scratch/home"
ln -s "$(realpath "$3")" "$scratch/checkout/build/tests/plugins/toy"
export HOME="$scratch/home"
PATH=$scratch/bin:$PATH
cd "$scratch/checkout"

passed=0 failed=0
ok() { # NAME CONDITION...
    name=$1
    shift
    if "$@" >"$scratch/out" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "failed: $name"
        sed 's/^/    /' "$scratch/out"
    fi
}

# The lines of the fenced blocks of one language; with a beginning, only of blocks whose first line has it.
blocks() { # FILE LANGUAGE [BEGINNING]
    awk -v open="\`\`\`$2" -v beginning="${3-}" '
        $0 == "```" { inside = 0 }
        inside && first { wanted = index($0, beginning) == 1; first = 0 }
        inside && wanted
        $0 == open { inside = 1; first = 1 }' "$1"
}

# The block with a run, a kill and a resume, as it stands but for the build.
blocks "$root/README.md" sh 'ninja ' | sed 1d >"$scratch/run.sh"
ok 'README.md runs, kills and resumes' sh -eu "$scratch/run.sh"
mv "$scratch/out" "$scratch/told"
ok 'the resumed stage goes on where it was' grep -q 'count (toy.count), going on with its saved work' "$scratch/told"
ok 'nobody is left behind' sh -c '! pgrep -f "worker --job $1"' - "$PWD/runs"

# What fetches a model is typed by tests/slow/real_model.py.
blocks "$root/README.md" sh './stillroom run examples/quickstart' >"$scratch/real"
ok 'README.md has a block with a real model' test -s "$scratch/real"
cat "$scratch/real" >>"$scratch/run.sh"

for page in README.md recipes/README.md; do
    blocks "$root/$page" sh >"$scratch/all"
    grep -v -x -F -f "$scratch/run.sh" "$scratch/all" | grep -E '^(\./)?stillroom ' >"$scratch/lines" || :
    ok "$page has lines to type" test -s "$scratch/lines"
    while read -r line; do
        ok "$page: $line" sh -c "$line" </dev/null
    done <"$scratch/lines"
done

# The example of errors is the recipe of the page with the lines that it shows in place of its own.
blocks "$root/README.md" yaml '# yaml-language-server' >student.yaml
ok 'the recipe of README.md has no mistake' stillroom check student.yaml
blocks "$root/README.md" text '$ ./stillroom' >"$scratch/example"
sed 1d "$scratch/example" >"$scratch/said"
sed -n 's/^ *\([0-9][0-9]*\) | \(.*\)/\1 \2/p' "$scratch/said" >"$scratch/shown"
awk 'NR == FNR { number = $1; sub(/^[0-9]+ /, ""); shown[number] = $0; next }
    { print FNR in shown ? shown[FNR] : $0 }' "$scratch/shown" student.yaml >"$scratch/wrong"
ok 'the lines shown with the errors are not those of the recipe' sh -c '! cmp -s "$1" student.yaml' - "$scratch/wrong"
mv "$scratch/wrong" student.yaml
code=0
sh -c "$(sed -n '1s/^\$ //p' "$scratch/example")" >"$scratch/answer" 2>&1 || code=$?
ok 'the errors of README.md end with 2' [ "$code" = 2 ]
ok 'the errors of README.md are those of the program' diff "$scratch/said" "$scratch/answer"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
