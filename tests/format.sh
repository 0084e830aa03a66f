#!/bin/sh
# format.sh         names the files that clang-format 14 would change; 77 (skipped) without clang-format
# format.sh write   changes them
set -eu
cd "$(dirname -- "$0")/.."
for clang_format in clang-format-14 clang-format none; do
    if command -v "$clang_format" >/dev/null; then break; fi
done
if [ "$clang_format" = none ]; then
    echo "skipped: no clang-format"
    exit 77
fi
list() { find engine plugins tests examples \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' \) 2>/dev/null | sort; }
if [ "${1-}" = write ]; then
    list | xargs "$clang_format" -i
    exit
fi
passed=0 failed=0
for file in $(list); do
    if "$clang_format" --dry-run --Werror "$file" 2>/dev/null; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "failed: $file differs from what clang-format writes; ninja -C build format"
        "$clang_format" "$file" | diff -u "$file" - | head -20
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
