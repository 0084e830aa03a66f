"""Whoever starts ranks: mpirun, torchrun, two hosts, Slurm. Real ones where they are, and what they hand to the program where not.

The rows L are our own: spec/usage.md, section 9.
"""

import contextlib
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import time

from harness import Skipped, check, command_line, finish, row, wait_until

LINES = "rank 0 of 3\nrank 1 of 3\nrank 2 of 3\n"
AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1"}


def three_ranks(place):
    """Stages of one, three and two ranks: not every rank has work all the time."""
    return place.recipe(
        {
            "text": "use: toy.write, text: hello",
            "all": "use: toy.ranks, ranks: 3",
            "two": "use: toy.count, text: all, steps: 2, ranks: 2",
            "loud": "use: toy.upper, text: text",
        }
    )


def long_recipe(place, ranks=3):
    return place.recipe({"long": f"use: toy.count, steps: 300, step_seconds: 0.05, ranks: {ranks}"}, "long.yaml")


def check_three_ranks(place, result):
    result.expect(0).says("4 stages run")
    check(place.text("all") == LINES, f"the ranks wrote {place.text('all')!r}")
    check(result.err.count("finished ") == 1, f"only rank 0 prints: {result}")
    check(not (place.work / "runs/.agents").exists(), "the folder in which the ranks met is still there")
    check_nothing_runs(place)


def processes_of(place):
    """Whatever runs the program on this place's files."""
    found = {}
    for name in os.listdir("/proc"):
        words = command_line(name) if name.isdigit() else []
        if str(place.bench.program) in words[:2] and any(str(place.folder) in word for word in words):
            found[int(name)] = words
    return found


def check_nothing_runs(place):
    wait_until(lambda: not processes_of(place), 60, f"nothing of {place.folder} runs any more: {processes_of(place)}")


def wait_for_steps(place, ranks=3, steps=3):
    """Every rank of stage `long` has done some steps."""

    def done():
        logs = list(place.work.glob("**/logs/long/rank-*.log"))
        return len(logs) >= ranks and all(log.read_text(errors="replace").count('"step ') >= steps for log in logs)

    wait_until(done, 60, f"{ranks} ranks at work on 'long'")


def mpirun(bench, ranks=3):
    return [bench.need("mpirun"), "-n", ranks]


@row("L1")
def mpirun_starts_the_engine_and_its_agents(bench):
    with bench.place() as place:
        result = place.run("run", three_ranks(place), through=mpirun(bench), **AS_ROOT).says("launcher: mpi, rank 0 of 3")
        check_three_ranks(place, result)
        place.run("run", three_ranks(place), through=mpirun(bench), **AS_ROOT).expect(0).says("0 stages run, 4 cached")


@row("L1")
def every_rank_ends_with_the_code_of_the_run(bench):
    with bench.place() as place:
        recipe = place.recipe({"bad": "use: toy.fail, how: nan, rank: 2, ranks: 3"})
        place.run("run", recipe, through=mpirun(bench), **AS_ROOT).expect(6).says("the loss is not a number")
        check_nothing_runs(place)
        check(not place.keys(), "a failed stage was published")


@row("L1")
def sigusr1_to_mpirun_saves_on_every_rank(bench):
    with bench.place() as place:
        process = place.start("run", long_recipe(place), through=mpirun(bench), **AS_ROOT)
        wait_for_steps(place)
        process.send_signal(signal.SIGUSR1)
        finish(process, ["mpirun"], time.monotonic(), 60).expect(75)
        check_nothing_runs(place)
        check(not place.keys(), "a stopped stage was published")


@row("L2")
def a_launch_by_mpi_starts_mpirun_for_each_stage_of_several_ranks(bench):
    bench.need("mpirun")
    with bench.place() as place:
        check_three_ranks(place, place.run("run", three_ranks(place), "launch=mpi", **AS_ROOT).says("launch   mpi"))
        process = place.start("run", long_recipe(place), "launch=mpi", **AS_ROOT)
        wait_for_steps(place)
        process.send_signal(signal.SIGTERM)
        finish(process, ["run", "launch=mpi"], time.monotonic(), 60).expect(75).says("stopped by SIGTERM")
        check_nothing_runs(place)
        bad = place.recipe({"bad": "use: toy.fail, how: kill, rank: 1, ranks: 3"})
        place.run("run", bad, "launch=mpi", **AS_ROOT).expect(7).says("rank 1 of stage 'bad'")
        check_nothing_runs(place)


def torchrun(bench, ranks=3):
    for python in filter(None, (os.environ.get("STILLROOM_TEST_PYTHON"), sys.executable, shutil.which("python3"))):
        if subprocess.run([python, "-c", "import torch.distributed.run"], capture_output=True).returncode == 0:
            return [python, "-m", "torch.distributed.run", "--no-python", "--nproc-per-node", ranks, "--max-restarts=0"]
    raise Skipped("no Python here has torch (STILLROOM_TEST_PYTHON names another one)")


@row("L3")
def torchrun_starts_the_engine_and_its_agents(bench):
    words = [*torchrun(bench), "--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0"]
    with bench.place() as place:
        check_three_ranks(place, place.run("run", three_ranks(place), through=words).says("launcher: torchrun, rank 0 of 3"))
        bad = place.recipe({"bad": "use: toy.fail, how: nan, rank: 2, ranks: 3"})
        # torchrun itself ends with 1, and shows what the ranks wrote to its error files.
        place.run("run", bad, through=words).expect(1).says("the loss is not a number")
        check_nothing_runs(place)


class Hosts:
    """Hosts that share folders, and nothing else: namespaces of network, name and processes."""

    def __init__(self, bench, place):
        self.place = place
        self.unshare = [bench.need("unshare"), "--net", "--uts", "--pid", "--fork", "--kill-child"]
        if subprocess.run([*self.unshare, "true"], capture_output=True).returncode != 0:
            raise Skipped("namespaces need root")

    def start(self, rank, world, *words, first="true", **more):
        """`first` is done on that host before."""
        ranks = {"RANK": rank, "WORLD_SIZE": world, "LOCAL_RANK": 0, "MASTER_ADDR": "node01", "MASTER_PORT": 29500, "STILLROOM_JOB": "by hand"}
        inside = f"hostname node{rank + 1:02} && ip link set lo up && {first} && exec \"$@\""
        ranks = {name: str(value) for name, value in ranks.items()}
        return self.place.start(*words, through=[*self.unshare, "sh", "-c", inside, "sh"], **{**ranks, **more})


@row("L4")
def two_hosts_with_a_shared_folder_run_one_recipe(bench):
    with bench.place() as place:
        hosts = Hosts(bench, place)
        recipe = place.recipe({"all": "use: toy.ranks, ranks: 2", "after": "use: toy.count, text: all, steps: 1"})
        began = time.monotonic()
        started = [hosts.start(rank, 2, "run", recipe) for rank in range(2)]
        results = [finish(process, ["run", f"rank {rank}"], began, 60).expect(0) for rank, process in enumerate(started)]
        results[0].says("rank 0 of 2, node 0 of 2", "2 stages run")
        check(place.text("all") == "rank 0 of 2\nrank 1 of 2\n", place.text("all"))
        logs = sorted(place.work.glob("runs/r/2*/logs/all/rank-*.log"))
        check(["node01" in logs[0].read_text(), "node02" in logs[1].read_text()] == [True, True], "a log does not name its host")
        check(not results[1].out and not results[1].err, f"only rank 0 prints: {results[1]}")


@row("L4")
def a_host_that_dies_is_named(bench):
    with bench.place() as place:
        hosts = Hosts(bench, place)
        recipe = place.recipe({"bad": "use: toy.fail, how: kill, rank: 1, ranks: 2, seconds: 0.3"})
        began = time.monotonic()
        started = [hosts.start(rank, 2, "run", recipe) for rank in range(2)]
        results = [finish(process, ["run", f"rank {rank}"], began, 60).expect(7) for rank, process in enumerate(started)]
        results[0].says("rank 1 on node02 of stage 'bad' was killed with SIGKILL")
        check(not place.keys(), "a failed stage was published")


class Slurm:
    """A controller, one node and their authentication, in a folder of their own."""

    def __init__(self, bench, folder):
        if os.geteuid() != 0:
            raise Skipped("a Slurm of its own needs root")
        tools = {name: shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") for name in ("munged", "slurmctld", "slurmd", "srun", "sbatch")}
        if missing := sorted(name for name, path in tools.items() if not path):
            raise Skipped(f"there is no {', '.join(missing)} here")
        self.folder, self.tools, self.daemons = folder, tools, []
        for name in ("state", "spool", "munge"):
            (folder / name).mkdir(parents=True)
        for path in (folder.parent, folder, folder / "munge"):
            path.chmod(0o755)
        host = os.uname().nodename.split(".")[0]
        self.conf = folder / "slurm.conf"
        self.conf.write_text(
            f"""ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={17000 + os.getpid() % 1000}
SlurmdPort={18000 + os.getpid() % 1000}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
MpiDefault=none
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs=64 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES State=UP
"""
        )

    def __enter__(self):
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(32))
        key.chmod(0o600)
        munge = self.folder / "munge"
        files = [f"--{name}={munge / value}" for name, value in {"socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}.items()]
        try:
            self.daemon("munged", "--force", "--foreground", f"--key-file={key}", *files)
            wait_until((munge / "socket").exists, 30, "munged")
            self.daemon("slurmctld", "-D", "-c", "-f", self.conf)
            self.daemon("slurmd", "-D", "-f", self.conf)
            wait_until(lambda: " idle" in self.ask("sinfo", "--noheader"), 60, "a node that is idle")
        except BaseException as failure:
            self.__exit__()
            raise Skipped(f"a Slurm of its own does not start here: {failure}") from None
        return self

    def daemon(self, name, *words):
        with open(self.folder / f"{name}.out", "wb") as out:
            environment = {**os.environ, "SLURM_CONF": str(self.conf)}
            self.daemons.append(subprocess.Popen([self.tools[name], *map(str, words)], stdout=out, stderr=out, env=environment, start_new_session=True))

    def ask(self, *words):
        return subprocess.run(words, capture_output=True, text=True, env={**os.environ, "SLURM_CONF": str(self.conf)}).stdout

    def __exit__(self, *_):
        for process in reversed(self.daemons):
            with contextlib.suppress(subprocess.TimeoutExpired, ProcessLookupError):
                process.terminate()
                process.wait(10)
            process.kill()
            process.wait()


@row("L5", seconds=300)
def a_real_slurm_starts_ranks_and_requeues_what_was_stopped(bench):
    with bench.place() as place, Slurm(bench, place.folder / "slurm") as slurm:
        conf = {"SLURM_CONF": str(slurm.conf)}
        result = place.run("run", three_ranks(place), through=[slurm.tools["srun"], "--quiet", "-n", 3], **conf)
        check_three_ranks(place, result.says("launcher: slurm, rank 0 of 3"))
        check_three_ranks(place, place.run("run", three_ranks(place), "launch=slurm", "--store", place.folder / "second", **conf).says("launch   slurm"))
        bad = place.recipe({"bad": "use: toy.fail, how: kill, rank: 1, ranks: 3"})
        place.run("run", bad, "launch=slurm", **conf).expect(7).says("rank 1 of stage 'bad'")
        check_batch(place, lambda script: [slurm.tools["sbatch"], "--parsable", script], conf, lambda job: slurm.ask("scancel", "--batch", "--signal=USR1", job))


def check_batch(place, submit, environment, stop):
    """The script of `launch slurm --print`: USR1 saves, 75 requeues, the second time it goes on and ends."""
    recipe = place.recipe({"long": "use: toy.count, steps: 60, step_seconds: 0.05, ranks: 2"}, "long.yaml")
    script = place.work / "job.sh"
    script.write_text(place.run("launch", "slurm", "--print", recipe).expect(0).out)
    (place.work / "logs").mkdir()
    path = f"{pathlib.Path(place.bench.program).parent}:{os.environ['PATH']}"
    environment = place.environment(**{**environment, "PATH": path})
    job = subprocess.run([str(word) for word in submit(script)], cwd=place.work, env=environment, check=True, capture_output=True, text=True).stdout.strip()
    wait_for_steps(place, ranks=2)
    stop(job)
    out = place.work / "logs" / f"long-{job}.out"
    said = lambda: out.read_text(errors="replace") if out.exists() else ""  # noqa: E731
    wait_until(lambda: "stopped by SIGUSR1" in said(), 60, "the engine says that it was stopped")
    wait_until(lambda: "finished 1 stage run" in said(), 240, f"the requeued job goes on and ends")
    check(place.text("long").count("step ") == 60, place.text("long"))
    check("going on after step" in next(place.work.glob("runs/long/*/logs/long/rank-0000.log")).read_text(), "the second start began at the first step")
    check_nothing_runs(place)


FAKE_SRUN = """#!/usr/bin/env python3
# What srun does to a step, as far as the program can see it.
import os, signal, subprocess, sys
words = sys.argv[1:]
count = int(next(word.split("=")[1] for word in words if word.startswith("--ntasks=")))
at = next(i for i, word in enumerate(words) if not word.startswith("-"))
host = os.uname().nodename
facts = {"SLURM_NTASKS": count, "SLURM_STEP_NUM_TASKS": count, "SLURM_STEP_ID": 0, "SLURM_JOB_NODELIST": host, "SLURM_STEP_NODELIST": host,
         "SLURM_JOB_NUM_NODES": 1, "SLURM_STEP_NUM_NODES": 1, "SLURM_NODEID": 0, "SLURM_STEP_TASKS_PER_NODE": count}
ranks = []
def pass_on(number, frame):
    for rank in ranks:
        rank.send_signal(number)
for number in (signal.SIGUSR1, signal.SIGTERM):
    signal.signal(number, pass_on)
for rank in range(count):
    own = {**os.environ, **{k: str(v) for k, v in facts.items()}, "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)}
    ranks.append(subprocess.Popen(words[at:], env=own))
sys.exit(max(rank.wait() for rank in ranks))
"""

FAKE_SBATCH = """#!/usr/bin/env python3
# Runs the script as a batch job, in the background, and again when it asks for it.
import os, subprocess, sys
script, here = sys.argv[1], os.path.dirname(sys.argv[0])
print(4711, flush=True)
if os.fork():
    os._exit(0)
os.setsid()
for stream in (1, 2):
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
own = {**os.environ, "SLURM_JOB_ID": "4711", "SLURM_NTASKS": "2", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_JOB_NODELIST": os.uname().nodename,
       "SLURM_JOB_NUM_NODES": "1", "SLURM_NODEID": "0"}
for start in range(2):
    with open("logs/long-4711.out", "a") as out:
        job = subprocess.Popen(["bash", script], env={**own, "SLURM_RESTART_COUNT": str(start)}, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        open(here + "/pid", "w").write(str(job.pid))
        code = job.wait()
    open(here + "/codes", "a").write(f"{code}\\n")
    if not os.path.exists(here + "/requeued") or start:
        break
"""

FAKE_SCONTROL = """#!/bin/sh
echo "$@" >> "${0%/*}/requeued"
"""


@row("L6")
def the_script_of_launch_slurm_passes_signals_and_requeues(bench):
    with bench.place() as place:
        fakes = place.folder / "slurm"
        fakes.mkdir()
        for name, text in {"srun": FAKE_SRUN, "sbatch": FAKE_SBATCH, "scontrol": FAKE_SCONTROL}.items():
            (fakes / name).write_text(text)
            (fakes / name).chmod(0o755)
        os_path = os.environ["PATH"]
        try:
            os.environ["PATH"] = f"{fakes}:{os_path}"
            check_batch(place, lambda script: [fakes / "sbatch", script], {}, lambda _: os.kill(int((fakes / "pid").read_text()), signal.SIGUSR1))
        finally:
            os.environ["PATH"] = os_path
        wait_until(lambda: (fakes / "codes").read_text() == "75\n0\n", 60, "the batch script ends with 75, then with 0")
        check((fakes / "requeued").read_text() == "requeue 4711\n", "scontrol requeue JOB")
        check(shlex.split((place.work / "job.sh").read_text().splitlines()[2]), "a script")
