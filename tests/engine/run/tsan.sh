#!/bin/sh
# Runs a program built with ThreadSanitizer: it dies where the system places memory at random beyond what it knows.
set -eu
without_chance="setarch $(uname -m) -R"
$without_chance true 2>/dev/null || without_chance=
if ! $without_chance "$1" --count >/dev/null 2>&1; then
    echo "ThreadSanitizer does not start here: $($without_chance "$1" --count 2>&1 | head -1)"
    exit 77
fi
TSAN_OPTIONS="halt_on_error=1 ${TSAN_OPTIONS-}" exec $without_chance "$1"
