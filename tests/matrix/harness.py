"""What the rows of the fault matrix share: a place with a store and run folders, the program with faults preloaded, and an
independent look at what is in the store. Standard library only.

A row is a function with @row("K1"): it takes a Bench, raises Failed (or any AssertionError) when a promise is broken, Skipped with a
reason where this machine cannot show it. C1 ... C14 are the promises of the contract (spec/reliability.md).
"""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROWS = {}
CHUNK = 8 << 20
KEY = re.compile(r"^[0-9a-f]{64}$")
ERROR_LINE = re.compile(r"\berror: ")


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def row(name, seconds=120):
    """`seconds`: after which the row is stopped; a hang, not a budget."""

    def add(function):
        function.seconds = seconds
        ROWS.setdefault(name, []).append(function)
        return function

    return add


def check(condition, what):
    if not condition:
        raise Failed(what)


class Result:
    def __init__(self, words, code, out, err, seconds):
        self.words, self.code, self.out, self.err, self.seconds = words, code, out, err, seconds

    def __str__(self):
        return f"{' '.join(map(str, self.words))}\n  exit {self.code} after {self.seconds:.1f} s\n  out: {self.out[-1500:]}\n  err: {self.err[-3000:]}"

    def expect(self, *codes):
        if self.code not in codes:
            raise Failed(f"exit {self.code}, not {' or '.join(map(str, codes))}: {self}")
        return self

    def says(self, *parts):
        for part in parts:
            check(part in self.err, f"stderr does not say '{part}': {self}")
        return self


def scratch():
    """Memory where there is some: the rows sync thousands of times, and what a disk adds is waiting."""
    memory = "/dev/shm"
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 1 << 30:
        return memory
    return None


class Bench:
    """What a row gets: the program, and how long it may take."""

    def __init__(self, program, plugins, shim, cases, source):
        self.program, self.plugins, self.shim, self.cases, self.source = program, plugins, shim, cases, source
        self.exhaustive = os.environ.get("STILLROOM_EXHAUSTIVE") == "1"
        self.part, self.parts = map(int, os.environ.get("STILLROOM_PART", "1/1").split("/"))
        self.notes, self.failures = [], []

    def note(self, text):
        self.notes.append(text)

    @contextlib.contextmanager
    def place(self, suffix="", base=None):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="stillroom-matrix-", suffix=suffix, dir=base or scratch())).resolve()
        try:
            yield Place(self, folder)
        except BaseException:
            if os.environ.get("STILLROOM_KEEP"):
                print(f"kept: {folder}", flush=True)
                folder = None
            raise
        finally:
            if folder:
                remove(folder)

    def need(self, tool):
        found = shutil.which(tool)
        if not found:
            raise Skipped(f"there is no {tool} here")
        return found

    @contextlib.contextmanager
    def trying(self):
        """A long loop shows all that breaks, not the first alone: `with bench.trying():` around each turn, settle() at its end."""
        try:
            yield
        except Failed as failure:
            self.failures.append(str(failure))
            if len(self.failures) == 10:
                self.settle()

    def settle(self):
        failures, self.failures = self.failures, []
        check(not failures, f"{len(failures)} broken promises\n" + "\n".join(failures))

    def sample(self, most, seconds_each, budget, least=3, turn=0):
        """Which N of 1 ... most to try: all of them, or as many as the budget of seconds allows, evenly spread; `turn` shifts them."""
        if self.exhaustive:
            return list(range(self.part, most + 1, self.parts))
        tries = min(most, max(least, int(budget / max(seconds_each, 0.05))))
        stride = most / tries
        shift = turn * 0.382 % 1  # so that turns fall between each other
        return sorted({min(most, int((i + shift) * stride) + 1) for i in range(tries)})


class Place:
    """A folder with a store, a home and recipes of its own."""

    def __init__(self, bench, folder):
        self.bench, self.folder = bench, folder
        self.store, self.home, self.work = folder / "store", folder / "home", folder / "work"
        self.log = folder / "fault.log"
        for each in (self.home, self.work):
            each.mkdir(exist_ok=True)

    def recipe(self, stages, name="r.yaml", outputs=None):
        lines = [f"recipe: {pathlib.Path(name).stem}", "stages:"]
        lines += [f"  {stage}: {{{settings}}}" for stage, settings in stages.items()]
        if outputs:
            lines.append(f"outputs: {{{outputs}}}")
        path = self.work / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def environment(self, fault=None, argv=None, path=None, **more):
        values = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "TERM": "dumb",
            "STILLROOM_STORE": str(self.store),
            "STILLROOM_PLUGIN_PATH": str(self.bench.plugins),
        }
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LD_LIBRARY_PATH", "STILLROOM_SCHEMA_PATH"):
            if name in os.environ:
                values[name] = os.environ[name]
        if fault or "FAULT_FLOCK" in more:
            values["LD_PRELOAD"] = str(self.bench.shim)
            values["FAULT_LOG"] = str(self.log)
        if fault:
            values["FAULT"] = fault
        if argv:
            values["FAULT_ARGV"] = argv
        if path:
            values["FAULT_PATH"] = path
        values.update(more)
        return {name: value for name, value in values.items() if value is not None}

    def start(self, *words, through=(), cwd=None, fault=None, argv=None, path=None, before=None, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more):
        """`through` are the words of whoever starts the program: mpirun, nohup, unshare."""
        return subprocess.Popen(
            [*map(str, through), self.bench.program, *map(str, words)],
            cwd=cwd or self.work,
            env=self.environment(fault, argv, path, **more),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=before,
        )

    def run(self, *words, timeout=90, **how):
        self.log.unlink(missing_ok=True)
        began = time.monotonic()
        process = self.start(*words, **how)
        return finish(process, words, began, timeout)

    def at_work(self):
        """Is a process of this place left? Its words name the folder."""
        return any(str(self.folder) in word for name in os.listdir("/proc") if name.isdigit() for word in command_line(int(name)))

    def struck(self):
        """What the shim says happened: the line, or nothing."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return next((line for line in lines if line.startswith("struck")), "")

    def counted(self):
        """How many calls the shim saw in the process that made the most."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines() if self.log.exists() else []
        return max((int(line.split()[1]) for line in lines if line.startswith("count")), default=0)

    # The store, read without the program's help.

    def keys(self):
        if not self.store.is_dir():
            return []
        return sorted(name for name in os.listdir(self.store) if KEY.match(name))

    def manifest(self, key):
        return json.loads((self.store / key / "manifest.json").read_text(encoding="utf-8"))

    def saved_states(self):
        """What toy.count keeps between tries, of each of them."""
        return (self.store / "work").rglob("state.json")

    def digests(self):
        """Digest of every output by stage and name."""
        found = {}
        for key in self.keys():
            manifest = self.manifest(key)
            for output in manifest_outputs(manifest):
                found[manifest["stage"], output["name"]] = output["digest"]
        return found

    def check_whole(self):
        """C1 and C3: what has a final name is complete, and holds what its manifest says."""
        for key in self.keys():
            folder = self.store / key
            try:
                manifest = self.manifest(key)
            except (OSError, ValueError) as error:
                raise Failed(f"C1: {folder} has its final name and no whole manifest: {error}") from None
            check(manifest["key"] == key, f"C1: {folder} says it is {manifest['key']}")
            listed = {"manifest.json"}
            for output in manifest_outputs(manifest):
                for file in output["files"]:
                    path = folder / output["name"] / file["path"]
                    listed.add(str(path.relative_to(folder)))
                    check(path.is_symlink() == file.get("link", False), f"C1: {path} is a link, or none, other than its manifest says")
                    if path.is_symlink():
                        continue  # whose contents are somebody else's to change
                    check(path.is_file(), f"C1: {path} is not there")
                    check(path.stat().st_size == int(file["size"]), f"C1: {path} is {path.stat().st_size} bytes, not {file['size']}")
                    check(file_digest(path) == file["digest"].removeprefix("sha256:"), f"C3: {path} has another digest than the manifest says")
            there = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
            check(there == listed, f"C1: {folder} holds {sorted(there ^ listed)} more or less than its manifest")

    def check_clean(self, what=""):
        """Nothing unfinished is left once all is done."""
        for name in ("work", "tmp"):
            left = [path for path in (self.store / name).rglob("*") if not path.is_dir()] if (self.store / name).is_dir() else []
            check(not left, f"{what}: left behind in the store: {', '.join(str(path.relative_to(self.store)) for path in left[:5])}")

    def events(self, run):
        lines = (pathlib.Path(run) / "events.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def text(self, stage):
        """What a stage's report says, from the newest entry of that name."""
        for key in self.keys():
            if self.manifest(key)["stage"] == stage:
                return (self.store / key / "report" / "text.txt").read_text(encoding="utf-8")
        raise Failed(f"the store has no entry of stage '{stage}'")


def manifest_outputs(manifest):
    outputs = manifest["outputs"]
    if isinstance(outputs, dict):
        outputs = [{"name": name, **output} for name, output in outputs.items()]
    for output in outputs:
        if isinstance(output["files"], dict):
            output["files"] = [{"path": path, **file} for path, file in output["files"].items()]
    return outputs


def file_digest(path):
    """SHA-256 over the SHA-256s of its 8 MiB chunks."""
    whole = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            whole.update(hashlib.sha256(chunk).digest())
    return whole.hexdigest()


def finish(process, words, began, timeout):
    """Waits for a process; one that hangs is killed with all its children, and that is a failure."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        end_group(process)
        out, err = process.communicate()
        result = Result(words, "none", decoded(out), decoded(err), time.monotonic() - began)
        raise Failed(f"it hangs: {result}") from None
    code = process.returncode
    return Result(words, 128 - code if code < 0 else code, decoded(out), decoded(err), time.monotonic() - began)


def decoded(data):
    return (data or b"").decode("utf-8", errors="replace")


def end_group(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"in vain for {seconds} s: {what}")
        time.sleep(0.01)


def children(pid):
    """Processes whose parent this is."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                text = pathlib.Path("/proc", name, "stat").read_text()
                if int(text.rpartition(")")[2].split()[1]) == pid:
                    found.append(int(name))
    return found


def command_line(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path("/proc", str(pid), "cmdline").read_bytes().decode(errors="replace").split("\0")
    return []


def state_of(pid):
    """As proc(5) has it: "T" of one that is stopped; "" where there is none."""
    with contextlib.suppress(OSError):
        return pathlib.Path("/proc", str(pid), "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    return ""


def workers(pid):
    """The stages' workers of an engine, by rank; those that only describe are none."""
    found = {}
    for child in children(pid):
        words = command_line(child)
        if "--job" in words:
            rank = int(words[words.index("--rank") + 1]) if "--rank" in words else 0
            found[rank] = child
    return found


def remove(folder):
    """Read-only folders too."""
    for path, folders, _ in os.walk(folder):
        for name in folders:
            with contextlib.suppress(OSError):
                if not os.path.islink(os.path.join(path, name)):
                    os.chmod(os.path.join(path, name), 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def one_line_error(result):
    """C8: a documented code, and a line that says what is wrong; no raw end of the program."""
    check(result.code in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 70, 75, 130, 143), f"C8: no documented exit code: {result}")
    check("terminate called" not in result.err, f"C8: a raw terminate: {result}")
    if result.code not in (0, 75, 130, 143):
        check(ERROR_LINE.search(result.err), f"C8: no error line: {result}")
    return result
