#!/bin/sh
# start.sh PROGRAM   milliseconds of a whole process that says its version, and of one that does nothing, as the floor
set -eu
runs=200
each() {
    begin=$(date +%s%N)
    i=0
    while [ $i -lt $runs ]; do
        "$@" >/dev/null
        i=$((i + 1))
    done
    echo $((($(date +%s%N) - begin) / runs / 1000))
}
floor=$(each /bin/true)
ours=$(each "$1" --version)
echo "start: $ours us a process, of which $floor us are a process that does nothing"
