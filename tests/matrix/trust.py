"""Rows S: secrets, sockets, plugins that are none or no good, and control characters in what strangers wrote."""

import os
import pathlib
import re
import shutil
import subprocess
import threading
import time

from harness import Skipped, check, command_line, row

CANARY = "hf_CANARYcanary0123456789"
ESC = "\x1b[31m\x1b]0;title\x07\r\x9b31m"


@row("S1")
def a_token_never_leaves_the_environment(bench):
    with bench.place() as place:
        tokens = place.home / ".cache/huggingface"
        tokens.mkdir(parents=True)
        (tokens / "token").write_text(CANARY)
        secret = {"HF_TOKEN": CANARY, "HUGGING_FACE_HUB_TOKEN": CANARY}
        seen, ending = set(), threading.Event()

        def watch_arguments():
            while not ending.is_set():
                for name in os.listdir("/proc"):
                    if name.isdigit() and any(CANARY in word for word in command_line(name)):
                        seen.add(name)
                time.sleep(0.005)

        watcher = threading.Thread(target=watch_arguments)
        watcher.start()
        try:
            stages = {"one": "use: toy.count, steps: 3, step_seconds: 0.05, ranks: 2", "two": "use: toy.upper, text: one"}
            good = place.recipe({**stages, "two": "use: toy.count, text: one, steps: 1"}, "good.yaml")
            results = [place.run("run", good, "-vv", "--debug", **secret).expect(0), place.run("doctor", **secret)]
            for how in ("error", "throw", "segv", "abort", "exit", "refuse, at: describe"):
                results.append(place.run("run", place.recipe({"bad": f"use: toy.fail, how: {how}"}), "-vv", "--debug", **secret).expect(1, 2, 70))
            for allow in ([], ["--allow-env", "HF_TOKEN"]):
                asking = place.recipe({"one": "use: toy.write, text: '${oc.env:HF_TOKEN}'"}, "asking.yaml")
                results.append(place.run("run", asking, "-vv", *allow, **secret).expect(2, 10))
            for verb in (["compose", good], ["plan", good, "--json"], ["runs", "ls"], ["explain", good, "stages.one.steps"], ["launch", "slurm", "--print", good]):
                results.append(place.run(*verb, **secret).expect(0))
        finally:
            ending.set()
            watcher.join()
        check(not seen, "the token is an argument of a process")
        for result in results:
            check(CANARY not in result.out + result.err, f"the token is printed: {result}")
        for path in place.folder.rglob("*"):
            if path.is_file() and path != tokens / "token":
                check(CANARY.encode() not in path.read_bytes() and CANARY not in path.name, f"the token is in {path}")


@row("S7")
def offline_opens_no_socket(bench):
    strace = bench.need("strace")
    with bench.place() as place:
        trace = place.folder / "trace"
        recipe = place.recipe({"text": "use: toy.write, text: a", "loud": "use: toy.upper, text: text"})
        remote = place.work / "remote.yaml"
        remote.write_text(f"recipe: remote\nstages:\n  one: {{use: 'https://127.0.0.1:9/x.yaml#sha256={'0' * 64}'}}\n")
        through = [strace, "-f", "-qq", "-e", "trace=network", "-o", trace]
        for offline in ({"HF_HUB_OFFLINE": "1"}, {}):
            flag = [] if offline else ["--offline"]
            for words, codes in ((["run", recipe], (0,)), (["plan", recipe], (0,)), (["run", recipe], (0,)), (["plan", remote], (2, 5)), (["doctor"], (0, 1))):
                result = place.run(*words, *flag, through=through, **offline)
                if "strace: " in result.err and not trace.exists():
                    raise Skipped(f"strace does not work here: {result.err[:200]}")
                result.expect(*codes)
                check("AF_INET" not in trace.read_text(errors="replace"), f"{words} opens a socket: {trace.read_text(errors='replace')[-800:]}")


@row("S10")
def what_is_no_good_plugin_is_refused_by_name(bench):
    with bench.place() as place:
        recipe = place.recipe({"one": "use: toy.write, text: a"})

        def run(module, mode=0o755, **more):
            plugins = place.folder / "plugins"
            shutil.rmtree(plugins, ignore_errors=True)
            shutil.copytree(bench.plugins, plugins, ignore=shutil.ignore_patterns("*.so", "*.p"))
            module(plugins / "toy.so")
            if not (plugins / "toy.so").is_symlink():
                (plugins / "toy.so").chmod(mode)
            return place.run("run", recipe, STILLROOM_PLUGIN_PATH=str(plugins), **more)

        good = (bench.plugins / "toy.so").read_bytes()
        run(lambda file: file.write_bytes(good), 0o757).expect(10).says("toy.so", "everybody may write")
        run(lambda file: file.write_text("no module")).expect(10).says("toy.so")
        run(lambda file: file.write_bytes(good[:5000])).expect(10).says("toy.so")
        run(lambda file: file.mkdir()).expect(10, 2)
        if not shutil.which("cc"):
            raise Skipped("no compiler for modules with a wrong ABI and without the symbol")
        for text, words in (
            ("int other;", "stillroom_plugin"),
            ("struct { unsigned long abi; } t = {0x5371000000630102ul}; void* stillroom_plugin(void) { return &t; }", "engine"),
            ("struct { unsigned long abi; } t = {7}; void* stillroom_plugin(void) { return &t; }", "toy.so"),
            ("void* stillroom_plugin(void) { return 0; }", "toy.so"),
        ):
            (place.work / "m.c").write_text(text)
            subprocess.run(["cc", "-shared", "-fPIC", "-o", place.work / "m.so", place.work / "m.c"], check=True)
            run(lambda file: shutil.copy(place.work / "m.so", file)).expect(10).says("toy.so", words)
        (place.work / "m.c").write_text("void* stillroom_plugin(void) { *(volatile int*)0 = 1; return 0; }")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", place.work / "m.so", place.work / "m.c"], check=True)
        run(lambda file: shutil.copy(place.work / "m.so", file)).expect(70)
        check(not place.keys(), "published")


@row("S10")
def a_plugin_that_throws_or_crashes_takes_nothing_along(bench):
    with bench.place() as place:
        for how in ("throw", "segv", "abort"):
            stages = {"fine": "use: toy.write, text: a", "bad": f"use: toy.fail, text: fine, how: {how}"}
            place.run("run", place.recipe(stages)).expect(70).says("'bad'")
            check(len(place.keys()) == 1, "the stage before is kept")
            place.check_whole()


@row("S13")
def control_characters_are_escaped_wherever_they_are_shown(bench):
    with bench.place() as place:
        quoted = '"' + "".join(f"\\u{ord(char):04x}" for char in ESC + "evil") + '"'
        bad = place.recipe({"fine": f"use: toy.write, text: {quoted}", "bad": f"use: toy.fail, text: fine, message: {quoted}"})
        results = [place.run("run", bad, "-vv", "--log-every", "0").expect(1).says("evil")]
        odd = place.work / "odd.yaml"
        odd.write_text(f"recipe: {quoted}\nstages:\n  {quoted}: {{use: toy.write, text: {quoted}}}\n")
        results.append(place.run("run", odd))
        dead = place.recipe({"dead": f"use: toy.fail, how: refuse, at: describe, message: {quoted}"}, "dead.yaml")
        results.append(place.run("run", dead).expect(2, 1))
        for words in (["plan", bad], ["graph", bad], ["runs", "ls"], ["runs", "show", "r"], ["runs", "logs", "r"], ["store", "ls"], ["why", bad, "bad"], ["explain", bad, "stages.bad.message"]):
            results.append(place.run(*words))
        for result in results:
            one = re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", result.out + result.err)
            check(not one, f"{one and one[0]!r} is printed: {result.words} {result.out!r} {result.err!r}")
        for path in (place.work / "runs").rglob("*"):
            if path.is_file() and path.name not in ("recipe.yaml",):
                one = re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", path.read_bytes())
                check(not one, f"{one and one[0]!r} is in {pathlib.Path(path).relative_to(place.folder)}")
