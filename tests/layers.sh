#!/bin/sh
# Who may include whom. Ranks both ends of every #include in engine/ and plugins/ and names each that points up; then plants
# includes that must be found, one by one, in a tree of its own.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

# Prints what is wrong in the tree at $1.
broken_layers() {
    (cd "$1" && find engine plugins -name '*.h' -o -name '*.cpp' -o -name '*.cu' | sort | xargs grep -H '^ *# *include') | awk '
    BEGIN {
        split("base plugin document schema recipe store plan run cli", row); for (i in row) engine[row[i]] = i
        split("hub config weights tokenizer modules parallel data tasks train", row); for (i in row) lm[row[i]] = i
        lm["kernels"] = 0  # seen by all, sees itself
        split("hub config weights tokenizer data kernels", row); for (i in row) torch_free[row[i]] = 1
    }
    function refuse(why) { print from ": " target ": " why }
    {
        from = $0; sub(/:.*/, "", from)
        target = $0; sub(/^[^:]*: *# *include */, "", target); sub(/[ \t].*/, "", target)
        path = target; gsub(/["<>]/, "", path)
        split(from "///", part, "/"); tree = part[1]; folder = part[2]; inner = part[3]
        split(path "///", part, "/"); tree_2 = part[1]; folder_2 = part[2]; inner_2 = part[3]
        in_lm = tree == "plugins" && folder == "lm"
    }
    tree == "engine" && !(folder in engine) || in_lm && !(inner in lm) { refuse("this folder has no rank"); next }
    target ~ /^<(torch|ATen|c10)\// {
        if (tree == "engine") refuse("the engine knows no tensor")
        else if (in_lm && inner in torch_free) refuse("lm/" inner " is free of torch")
        else if (from ~ /\.cu$/) refuse("CUDA code includes no torch header")
    }
    target ~ /^<yaml-cpp\// { refuse("YAML is read by engine/document") }
    target ~ /^<CLI\// && from !~ /^engine\/cli\// { refuse("only engine/cli reads a command line") }
    target !~ /^"/ { next }
    tree_2 == "engine" && inner_2 != "" {
        if (!(folder_2 in engine)) refuse("no such folder of the engine is ranked")
        else if (tree == "engine" && engine[folder_2] + 0 > engine[folder] + 0)
            refuse("engine/" folder " stands before engine/" folder_2)
        else if (tree == "plugins" && folder_2 != "base" && folder_2 != "plugin")
            refuse("plugins see engine/base and engine/plugin only")
        next
    }
    tree_2 == "plugins" && inner_2 != "" {
        if (tree == "engine") refuse("the engine knows no plugin")
        else if (folder_2 != "lm" && folder_2 != folder) refuse("plugins meet in artifacts, never in code")
        else if (folder_2 == "lm" && !(inner_2 in lm)) refuse("no such folder of lm is ranked")
        else if (in_lm && lm[inner_2] + 0 > lm[inner] + 0) refuse("lm/" inner " stands before lm/" inner_2)
        next
    }
    { refuse("an include is a path from the root") }'
}

passed=0 failed=0
expect() { # NAME CONDITION...
    name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "failed: $name"
    fi
}

found=$(broken_layers "$root")
[ -z "$found" ] || printf '%s\n' "$found"
expect 'every include of the tree points down' [ -z "$found" ]

# Two types of one name in one program are undefined behaviour that no compiler and no linker sees.
twice=$(find "$root/engine" -name '*.h' -exec grep -hoE '^(struct|class)( STILLROOM_API)? [A-Za-z]+( final)?( :.*)? \{' {} + |
    sed -E 's/^(struct|class)( STILLROOM_API)? ([A-Za-z]+).*/\3/' | sort | uniq -d)
[ -z "$twice" ] || printf 'two types have the name %s\n' $twice
expect 'every type of the engine has a name of its own' [ -z "$twice" ]

planted=$(mktemp -d)
trap 'rm -rf "$planted"' EXIT
mkdir -p "$planted/engine" "$planted/plugins"
plant() { # FILE INCLUDE RESULT(refused|allowed)
    mkdir -p "$planted/$(dirname "$1")"
    printf '#pragma once\n  #  include %s  // planted\n' "$2" >"$planted/$1"
    found=$(broken_layers "$planted")
    [ -n "$found" ] && result=refused || result=allowed
    expect "$1 with $2 is $3" [ "$result" = "$3" ]
    rm "$planted/$1"
}
plant engine/base/a.h '"engine/document/node.h"' refused
plant engine/recipe/a.cpp '"engine/cli/main.h"' refused
plant engine/recipe/a.cpp '"engine/schema/schema.h"' allowed
plant engine/base/a.h '"a.h"' refused
plant engine/base/a.h '"engine/unheard/a.h"' refused
plant engine/unheard/a.h '"engine/base/error.h"' refused
plant engine/plan/a.h '"plugins/lm/config/config.h"' refused
plant engine/plan/a.h '<ATen/core/Tensor.h>' refused
plant engine/plan/a.h '<CLI/CLI.hpp>' refused
plant engine/cli/a.cpp '<CLI/CLI.hpp>' allowed
plant plugins/prune/a.h '"plugins/train/loop.h"' refused
plant plugins/prune/a.h '"plugins/lm/train/loop.h"' allowed
plant plugins/prune/a.h '"engine/plugin/stage.h"' allowed
plant plugins/prune/a.h '"engine/recipe/recipe.h"' refused
plant plugins/lm/config/a.h '"plugins/lm/weights/table.h"' refused
plant plugins/lm/hub/a.h '"plugins/lm/config/model_config.h"' refused
plant plugins/lm/hub/a.h '<ATen/core/Tensor.h>' refused
plant plugins/lm/config/a.h '"plugins/lm/hub/zip.h"' allowed
plant plugins/lm/config/a.h '<torch/nn/module.h>' refused
plant plugins/lm/modules/a.h '<torch/nn/module.h>' allowed
plant plugins/lm/modules/a.h '"plugins/lm/kernels/accumulate.h"' allowed
plant plugins/lm/kernels/a.cu '"plugins/lm/modules/mlp.h"' refused
plant plugins/lm/kernels/a.cu '<c10/core/Device.h>' refused

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
