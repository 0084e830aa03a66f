#!/bin/sh
# symbols.sh LIBRARY...   what a shared library of ours exports lies in our namespace, a plugin one symbol; that one and libstillroom.so
# need no torch
set -eu
passed=0 failed=0
expect_empty() { # NAME FOUND
    if [ -z "$2" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'failed: %s\n%s\n' "$1" "$2"
    fi
}
for library; do
    name=$(basename "$library")
    needed=$(readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
    case $name in
    *_compute.so) # a plugin's second half
        expect_empty "$name exports something else than what its first half calls" \
            "$(nm -D --defined-only --format=posix "$library" | grep -v '^stillroom_[a-z_]* T ' || :)"
        continue
        ;;
    esac
    if [ "${name#lib}" = "$name" ]; then # a plugin
        expect_empty "$name exports something else than its one symbol" \
            "$(nm -D --defined-only --format=posix "$library" | grep -v '^stillroom_plugin T ' || :)"
        expect_empty "$name does not export stillroom_plugin" \
            "$(nm -D --defined-only "$library" | grep -q ' T stillroom_plugin$' || echo 'no such symbol')"
        expect_empty "$name, which every worker opens, loads LibTorch: what computes lies in a second half" \
            "$(printf '%s\n' "$needed" | grep -E '^lib(torch|c10|stillroom_lm)' || :)"
        continue
    fi
    exported=$(nm -DC --defined-only --format=posix "$library" | sed 's/ [A-Za-z] [0-9a-f]* *[0-9a-f]*$//')
    expect_empty "$name exports names of others" \
        "$(printf '%s\n' "$exported" | grep -v -E '^((typeinfo( name)?|vtable|guard variable|VTT) for )?stillroom::' || :)"
    expect_empty "$name exports nothing" "$([ -n "$exported" ] || echo 'no symbol')"
    case $name in
    libstillroom.so*)
        expect_empty "$name needs more than fmt, PCRE2, libcrypto and the compiler's libraries" \
            "$(printf '%s\n' "$needed" | grep -v -E '^lib(fmt|pcre2-8|crypto|stdc\+\+|gcc_s|m|c)\.so|^ld-linux' || :)"
        ;;
    esac
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
