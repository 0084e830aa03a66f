#!/bin/sh
# The launcher, over a small tree and with stand-ins for apt-get, pip, meson and ninja on PATH: no network, no compiler, seconds.
# What stops it half way is done for real: signals, a failing download, a full disk.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
unset STILLROOM_TORCH STILLROOM_BUILD STILLROOM_SETUP
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tree="$scratch/a tree"
fakes=$scratch/fakes
calls=$scratch/calls
real_python=$(python3 -c 'import sys; print(sys.executable)')
export scratch calls root real_python
export XDG_CACHE_HOME="$scratch/a cache"
export PATH="$fakes:$PATH"
store="$XDG_CACHE_HOME/stillroom/libtorch-2.11.0-cp312-x86_64"
mkdir -p "$fakes"

fake() {
    { echo '#!/bin/sh' && cat; } >"$fakes/$1"
    chmod +x "$fakes/$1"
}
# Says that it was called, then waits to be killed where the test asks for that.
cat >"$scratch/called" <<'END'
called() {
    echo "$*" >>"$calls"
    if [ "${HANG-}" = "$1" ]; then
        touch "$scratch/hangs"
        sleep 60
    fi
}
END
fake apt-get <<'END'
. "$scratch/called"
called apt-get "$@"
END
fake dpkg-query <<'END'
case " ${MISSING-} " in *" $4 "*) exit 1 ;; esac
echo installed
END
fake id <<'END'
echo "${USER_ID-0}"
END
fake sudo <<'END'
exit 1
END
fake df <<'END'
printf 'Filesystem 1024-blocks Used Available\nx 1 1 %s\n' "${FREE_KILOBYTES-9000000}"
END
fake ldd <<'END'
[ -z "${NO_TOOLKIT-}" ] || [ -d "${1%/torch/lib/*}/nvidia" ] || echo 'libcudart.so.13 => not found'
END
fake python3 <<'END'
. "$scratch/called"
if [ "${1-} ${2-}" != '-m pip' ]; then exec "$real_python" "$@"; fi
[ "$3" != --version ] || exit 0
for last; do
    [ "${previous-}" != --dest ] || folder=$last
    previous=$last
done
called pip "$last"
[ "${PIP-}" != fails ] || exit 1
"$real_python" - "$folder/x.whl" "$last" <<'PYTHON'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    if sys.argv[2].startswith("torch"):
        for name in "lib/libtorch_cpu.so", "lib/libc10.so", "include/ATen/core/Tensor.h", "nn/layer.py":
            wheel.writestr("torch/" + name, name)
    else:
        wheel.writestr("nvidia/cu13/lib/" + sys.argv[2], "a library")
PYTHON
END
# The pins are those of the real wheels; a stand-in has the right one unless the test says it was cut.
fake sha256sum <<'END'
if [ "${PIP-}" = cut ]; then echo "0000  $1"; exit; fi
wheel=$(sed -n '$s/^pip //p' "$calls")
sed -n "s/.*=\"\(.*\)\"/\1/p" "$root/plugins/torch.sh" | sed "s/\$release/2.11.0/" | awk -v name="$wheel" '$1 == name { print $2 "  x" }'
END
fake meson <<'END'
. "$scratch/called"
if [ "$1" = setup ]; then mkdir -p "$2/meson-private"; fi
called meson "$@"
[ "${MESON-}" != fails ] || exit 1
if [ "$1" = setup ]; then touch "$2/build.ninja"; fi
END
fake ninja <<'END'
. "$scratch/called"
mkdir -p "$2/engine"
called ninja "$5"
echo "a line of progress"
[ "${NINJA-}" != fails ] || exit 1
printf '#!/bin/sh\nprintf "%%s|" program %s "$@"\n' "$(cat "$scratch/version")" >"$2/engine/stillroom"
chmod +x "$2/engine/stillroom"
END

passed=0 failed=0
ok() { # NAME CONDITION...
    name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "failed: $name"
        echo "    exit ${code-}, out '${out-}', calls '$(was_called)'"
        sed 's/^/    /' "$scratch/err"
    fi
}
was_called() { cut -d' ' -f1 "$calls" 2>/dev/null | uniq | tr '\n' ' '; }
says() { grep -q -F -- "$1" "$scratch/err"; }
unfinished() { find "$XDG_CACHE_HOME" -name '.libtorch-unfinished*' 2>/dev/null | grep -q .; }
not() { ! "$@"; }

launch() { # VARIABLE=VALUE... -- ARGUMENT...
    : >"$calls"
    code=0
    settings=''
    while [ "$1" != -- ]; do
        settings="$settings $1"
        shift
    done
    shift
    # shellcheck disable=SC2086 # words
    out=$(env $settings "$tree/stillroom" "$@" 2>"$scratch/err") || code=$?
}
# Starts it as a terminal would, in a process group of its own, and signals the group once it hangs in the program named.
launch_and_kill() { # SIGNAL PROGRAM
    : >"$calls"
    rm -f "$scratch/hangs"
    HANG=$2 env --default-signal=INT setsid "$tree/stillroom" 2>"$scratch/err" >/dev/null &
    pid=$!
    waited=0
    while [ ! -e "$scratch/hangs" ] && [ $waited -lt 200 ]; do
        sleep 0.1
        waited=$((waited + 1))
    done
    kill -s "$1" -- "-$pid"
    code=0
    wait "$pid" 2>/dev/null || code=$?
}
fresh_tree() {
    rm -rf "$tree" "$XDG_CACHE_HOME"
    mkdir -p "$tree/engine/base" "$tree/plugins"
    cp "$root/stillroom" "$tree/"
    cp "$root/plugins/torch.sh" "$tree/plugins/"
    touch "$tree/meson.build" "$tree/meson_options.txt" "$tree/engine/base/a.cpp"
    echo 1 >"$scratch/version"
}
# Kernels stamp files with a clock that ticks every few milliseconds.
edit() {
    sleep 0.02
    touch "$1"
}

fresh_tree
launch -- check 'a b' ''
ok 'a fresh checkout is fetched for, configured, built and run' [ "$(was_called)" = 'pip meson ninja ' ]
ok 'only the program writes to stdout, and gets its arguments whole' [ "$out" = 'program|1|check|a b||' ]
ok 'only lib/ and include/ are unpacked' [ "$(cd "$store/torch" && echo *)" = 'include lib' ]
launch -- check
ok 'once built nothing but the program is started' [ "$(was_called)$out" = 'program|1|check|' ]
echo 2 >"$scratch/version"
edit "$tree/engine/base/a.cpp"
launch -- check
ok 'an edited source is built before the program runs' [ "$(was_called)$out" = 'ninja program|2|check|' ]
edit "$tree/engine/base/b.cpp"
launch -- check
ok 'a new source is seen' [ "$(was_called)" = 'ninja ' ]
sleep 0.02
rm "$tree/engine/base/b.cpp"
launch -- check
ok 'a removed source is seen' [ "$(was_called)" = 'ninja ' ]
edit "$tree/engine/base/a.cpp"
launch NINJA=fails -- check
ok 'a failed build ends with 70 and runs no stale program' [ "$code$out" = 70 ]
launch -- check
ok 'the build is taken up again after a failure' [ "$(was_called)$code" = 'ninja 0' ]
launch -- test nonsense
ok 'an unknown suite is refused' [ "$code" = 2 ]
rm -rf "$store"
launch -- check
ok 'a LibTorch that went away is fetched again' [ "$(was_called)$code" = 'pip ninja 0' ]
ln -sf "$tree/stillroom" "$scratch/link"
launch -- check
ok 'the fast path holds through a symbolic link' [ "$(cd / && "$scratch/link" x)" = 'program|2|x|' ]
# By the processor's time, which other work does not stretch: what our children have taken, user and system.
milliseconds() { sed -n '2s/[ms]/ /gp' "$1" | awk '{ printf "%d", 1000 * (60 * ($1 + $3) + $2 + $4) }'; }
times >"$scratch/before"
for _ in 1 2 3 4 5 6 7 8 9 10; do
    "$tree/stillroom" >/dev/null
done
times >"$scratch/after"
each=$((($(milliseconds "$scratch/after") - $(milliseconds "$scratch/before")) / 10))
ok "once built it adds at most 30 ms ($each ms)" [ $each -le 30 ]

fresh_tree
launch MISSING=libfmt-dev -- check
ok 'root installs what is missing, with one call' [ "$(grep -c apt-get "$calls")" -le 2 ]
ok 'the call is printed first' says 'apt-get install -y --no-install-recommends libfmt-dev'
fresh_tree
launch MISSING=libfmt-dev USER_ID=1000 -- check
ok 'without root nothing is done and the exit is 4' [ "$(was_called)$code" = 4 ]
ok 'without root the line to run is printed' says 'as root: apt-get install -y --no-install-recommends libfmt-dev'

launch PIP=fails -- check
ok 'a download that fails ends with 5' [ "$code$out" = 5 ]
ok 'and leaves nothing' not unfinished
launch PIP=cut -- check
ok 'a wheel with another digest ends with 9' [ "$code$out" = 9 ]
ok 'and is not kept' [ ! -e "$store/torch" ]
launch FREE_KILOBYTES=1000000 -- check
ok 'too small a disk is told before the download' [ "$(was_called)$code" = 4 ]
ok 'with what is needed and what is there' says 'needs 1800 MB free'
launch_and_kill INT pip
ok 'Ctrl-C in the download ends at once' [ "$code" -eq 130 ]
ok 'and leaves no half' not unfinished
launch_and_kill KILL pip
ok 'a killed download is never taken for a LibTorch' [ ! -e "$store/torch" ]
launch -- check
ok 'the next start fetches again, and clears what was left' [ "$code$(was_called)" = '0pip meson ninja ' ]
ok 'nothing unfinished remains' not unfinished

fresh_tree
launch_and_kill INT meson
ok 'Ctrl-C while configuring ends at once' [ "$code" -eq 130 ]
launch -- check
ok 'a half configured folder is made anew' [ "$(was_called)$out" = 'meson ninja program|1|check|' ]
launch MESON=fails -- check
ok 'a good configuration is not made twice' [ "$code" = 0 ]
rm -rf "$tree/build"
launch MESON=fails -- check
ok 'a failed configuration ends with 4' [ "$code$out" = 4 ]
launch -- check
ok 'and is made anew' [ "$(was_called)$code" = 'meson ninja 0' ]
for signal in INT KILL; do
    echo "3$signal" >"$scratch/version"
    edit "$tree/engine/base/a.cpp"
    launch_and_kill $signal ninja
    ok "SIG$signal in the build is not taken for success" [ "$code" -ne 0 ]
    launch -- check
    ok "after SIG$signal the build goes on" [ "$(was_called)$out" = "ninja program|3$signal|check|" ]
done
rm -rf "$tree/build"
mkdir "$tree/build"
echo mine >"$tree/build/thesis.tex"
launch -- check
ok 'a folder named build that is not ours is left alone' [ "$code$(cat "$tree/build/thesis.tex")" = 4mine ]

fresh_tree
: >"$calls"
"$tree/stillroom" one >"$scratch/one" 2>/dev/null &
"$tree/stillroom" two >"$scratch/two" 2>"$scratch/err" &
wait
ok 'two at once: both run the program' [ "$(cat "$scratch/one" "$scratch/two")" = 'program|1|one|program|1|two|' ]
ok 'two at once: the work is done once' [ "$(grep -c . "$calls")" = 3 ]

fresh_tree
launch STILLROOM_TORCH=none -- check
ok 'none builds the engine alone' [ "$(was_called)" = 'meson ninja ' ]
ok 'none tells meson so' grep -q 'torch=disabled' "$calls"
launch -- check
ok 'asking for all of it again fetches LibTorch' [ "$(was_called)$code" = 'pip meson ninja 0' ]
fresh_tree
launch STILLROOM_TORCH=/nowhere -- check
ok 'a STILLROOM_TORCH without LibTorch is refused' [ "$(was_called)$code" = 2 ]
mkdir -p "$scratch/own/torch/lib" "$scratch/own/torch/include/ATen/core"
touch "$scratch/own/torch/lib/libtorch_cpu.so" "$scratch/own/torch/lib/libc10.so" "$scratch/own/torch/include/ATen/core/Tensor.h"
launch "STILLROOM_TORCH=$scratch/own/torch" -- check
ok 'a LibTorch that is named is taken' [ "$(was_called)$code" = 'meson ninja 0' ]
launch "STILLROOM_TORCH=$scratch/own" -- check
ok 'or the folder around it, without building again' [ "$(was_called)$code" = 0 ]
fresh_tree
touch "$scratch/own/torch/__init__.py"
echo "__version__ = '2.11.0+cpu'" >"$scratch/own/torch/version.py"
launch "PYTHONPATH=$scratch/own" -- check
ok 'a torch 2.11 installed as a Python package counts' [ "$(was_called)$code" = 'meson ninja 0' ]
fresh_tree
echo "__version__ = '2.6.0'" >"$scratch/own/torch/version.py"
launch "PYTHONPATH=$scratch/own" -- check
ok 'another torch does not' [ "$(was_called)$code" = 'pip meson ninja 0' ]
fresh_tree
launch NO_TOOLKIT=1 -- check
ok 'where no toolkit has them the CUDA libraries are added beside torch' [ "$(cd "$store/nvidia/cu13/lib" && echo *)" = \
    'nvidia-cuda-cupti==13.0.85 nvidia-cuda-runtime==13.0.96' ]

# A full disk, for real where one can be made.
mkdir "$scratch/small"
if mount -t tmpfs -o size=64k none "$scratch/small" 2>/dev/null; then
    fresh_tree
    launch "STILLROOM_BUILD=$scratch/small/build" STILLROOM_TORCH=none -- check
    head -c 100000 /dev/zero >"$scratch/small/full" 2>/dev/null || :
    echo 4 >"$scratch/version"
    edit "$tree/engine/base/a.cpp"
    launch "STILLROOM_BUILD=$scratch/small/build" STILLROOM_TORCH=none -- check
    ok 'on a full disk no stale program runs' [ "$code" -ne 0 ]
    rm "$scratch/small/full"
    launch "STILLROOM_BUILD=$scratch/small/build" STILLROOM_TORCH=none -- check
    ok 'once there is room the build goes on' [ "$out" = 'program|4|check|' ]
    umount "$scratch/small"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
