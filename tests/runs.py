#!/usr/bin/env python3
"""What `run`, `resume`, `do`, `verify`, `diff` and `runs` promise, with toy stages: runs.py PROGRAM TOY [PART_OF_NAME]

Each function below is a promise, in a folder of its own with a store of its own. Nothing here measures time.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

SIMPLE = """\
recipe: simple
params: {words: some words}
stages:
  words: {use: toy.write, text: "${params.words}"}
  upper: {use: toy.upper, text: words}
  both: {use: toy.join, texts: [words, upper]}
outputs: {text: both}
"""
INNER = """\
recipe: inner
params: {words: ???}
inputs: {before: report}
stages:
  student: {use: toy.upper, text: before}
  tell: {use: toy.write, text: "${params.words}"}
  out: {use: toy.join, texts: [student, tell]}
outputs: {text: out, report: student}
"""
OUTER = """\
recipe: outer
stages:
  base: {use: toy.write, text: hello}
  first: {use: ./inner.yaml, before: base, words: one}
  second: {use: ./inner.yaml, before: base, words: one}
outputs: {text: second.text}
"""
FAILS = """\
recipe: fails
params: {how: error, code: 1}
stages:
  bad: {use: toy.fail, how: "${params.how}", code: "${params.code}"}
  below: {use: toy.upper, text: bad}
  apart: {use: toy.sleep, seconds: 0}
"""
PROMISES = []


def promise(function):
    PROMISES.append(function)
    return function


class Answer:
    def __init__(self, code, text, errors):
        self.code, self.text, self.errors = code, text, errors
        self.json = json.loads(text) if text.startswith("{") else None

    @property
    def result(self):
        return self.json["result"]

    @property
    def messages(self):
        return [problem["message"] for problem in self.json["problems"]]

    def states(self):
        return {stage["name"]: stage["state"] for stage in self.result["stages"]}


class Bench:
    def __init__(self, program, toy, folder):
        self.program, self.toy, self.folder = program, toy, folder
        self.variables = dict(os.environ, STILLROOM_PLUGIN_PATH=str(toy), HOME=str(folder), NO_COLOR="1")
        for name in ("STILLROOM_STORE", "STILLROOM_RUN_ROOT", "SLURM_JOB_ID"):
            self.variables.pop(name, None)

    def write(self, name, text):
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def command(self, words):
        return [str(self.program), *words]

    def __call__(self, *words, code=0, at=None):
        ended = subprocess.run(
            self.command(words), cwd=at or self.folder, env=self.variables, capture_output=True, text=True, timeout=60
        )
        assert ended.returncode == code, f"{words}: exit {ended.returncode}\n{ended.stdout}{ended.stderr}"
        answer = Answer(ended.returncode, ended.stdout, ended.stderr)
        if "--json" in words:
            assert answer.json["exit"] == code and answer.json["ok"] == (code == 0), answer.json
        return answer

    def newest(self):
        return max((self.folder / "runs").glob("*/2*"), key=lambda run: (run.name, run.stat().st_mtime_ns))


def same(one, other):
    assert one == other, f"{one} is not {other}"


@promise
def only_runs_a_stage_and_what_it_needs(bench):
    bench.write("r.yaml", SIMPLE)
    same(bench("run", "r.yaml", "--only", "upper", "--json").states(), {"words": "run", "upper": "run"})
    same(bench("runs", "ls", "--json").result["runs"][0]["total"], 2)
    wrong = bench("run", "r.yaml", "--only", "uper", "--json", code=2)
    same(wrong.messages, ["there is no stage 'uper'"])
    same(wrong.json["problems"][0]["hint"], "did you mean 'upper'?")


@promise
def what_is_not_chosen_cannot_refuse(bench):
    bench.write("r.yaml", SIMPLE + "x-note: {}\n")
    late = "stages.both.use=toy.fail", "~stages.both.texts", "+stages.both.at=describe", "~outputs"
    bench("run", "r.yaml", *late, code=1)
    same(bench("run", "r.yaml", *late, "--only", "upper", "--json").states(), {"words": "run", "upper": "run"})


@promise
def from_takes_what_stands_before_from_the_store(bench):
    bench.write("r.yaml", SIMPLE)
    wrong = bench("run", "r.yaml", "--from", "upper", "--json", code=2)
    same(wrong.messages, ["'words' is not in the store, and --from leaves it out"])
    bench("run", "r.yaml", "--only", "words")
    same(bench("run", "r.yaml", "--from", "upper", "--json").states(), {"upper": "run", "both": "run"})


@promise
def names_of_sub_recipes_stand_for_their_stages(bench):
    bench.write("inner.yaml", INNER)
    bench.write("outer.yaml", OUTER)
    ran = bench("run", "outer.yaml", "--only", "first", "--json").states()
    same(sorted(ran), ["base", "first/out", "first/student", "first/tell"])
    forced = bench("run", "outer.yaml", "--only", "first", "--force", "first", "--json").states()
    same({name for name, state in forced.items() if state == "run"}, {"first/out", "first/student", "first/tell"})


@promise
def a_dry_run_is_the_plan(bench):
    bench.write("r.yaml", SIMPLE)
    plan, dry = bench("plan", "r.yaml", "--json"), bench("run", "r.yaml", "--dry-run", "--json")
    for answer in (plan, dry):
        answer.result["totals"].pop("machine")
    same(plan.result, dry.result)
    same(bench("run", "r.yaml", "--dry-run", "--only", "words", "--json").states(), {"words": "run"})
    assert not (bench.folder / "runs").exists()


@promise
def one_artifact_is_made_once_in_a_run(bench):
    bench.write("inner.yaml", INNER)
    bench.write("outer.yaml", OUTER)
    answer = bench("run", "outer.yaml", "--json", "--force", "first", "--force", "second")
    same(sum(state == "run" for state in answer.states().values()), 4)
    assert "process" not in answer.errors, answer.errors
    same(answer.result["outputs"]["text"]["type"], "report")


@promise
def what_a_stage_read_besides_counts(bench):
    bench.write("a.txt", "one "), bench.write("b.txt", "two")
    bench.write("r.yaml", "recipe: r\nstages:\n  both: {use: toy.read, file: ./a.txt, behind: b.txt}\n")
    same(bench("run", "r.yaml", "--json").states(), {"both": "run"})
    answer = bench("run", "r.yaml", "--json")
    same(answer.states(), {"both": "cached"})
    entry = pathlib.Path(answer.result["stages"][0]["outputs"]["report"]["path"])
    same((entry / "text.txt").read_text(), "one two")
    bench("store", "verify")
    bench.write("b.txt", "three")
    same(bench("run", "r.yaml", "--json").states(), {"both": "run"})
    bench.write("b.txt", "two")  # as it was: the first entry again
    last = bench("run", "r.yaml", "--json")
    same((pathlib.Path(last.result["stages"][0]["outputs"]["report"]["path"]) / "text.txt").read_text(), "one two")


@promise
def an_entry_says_what_made_it_and_why_names_what_changed(bench):
    bench.write("r.yaml", SIMPLE)
    first = bench("run", "r.yaml", "--json").result["outputs"]["text"]
    manifest = json.loads((pathlib.Path(first["path"]).parent / "manifest.json").read_text())
    log = (bench.newest() / "logs/both/rank-0000.log").read_text()
    opened = next(record for record in map(json.loads, log.splitlines()) if record["event"] == "plugin")
    same(manifest["plugin"], f"toy {opened['version']}")
    same(manifest["build"], opened["build"])
    bench("run", "r.yaml", "params.words=others", "--only", "words")
    text = bench("why", "r.yaml", "upper", "params.words=others").text
    assert "inputs.text: another report from words  " in text, text


@promise
def sub_recipes_are_reached_by_nested_names(bench):
    bench.write("inner.yaml", INNER)
    bench.write("outer.yaml", OUTER)
    bench("run", "outer.yaml")
    change = "stages.first.stages.student.at_most=99"
    planned = bench("plan", "outer.yaml", change, "--json").states()
    same({name for name, state in planned.items() if state != "cached"}, {"first/student", "first/out"})
    why = bench("why", "outer.yaml", "first/student", change, "--json").result
    same([one["field"] for one in why["changes"]], ["settings.at_most"])
    run = bench("runs", "show", "latest", "--json").result
    assert "first/tell" in [stage["name"] for stage in run["stages"]]
    bench("runs", "logs", "latest", "second/tell")
    assert (bench.newest() / "stages/first/out/stage.json").exists()


@promise
def force_is_content_once_the_run_has_made_it(bench):
    bench.write("r.yaml", FAILS)
    bench("run", "r.yaml", "--only", "apart")
    bench("run", "r.yaml", "--force", "apart", "--keep-going", "-q", code=1)
    again = bench("resume", "latest", "--json", code=1)
    same(again.states(), {"bad": "failed", "below": "skipped", "apart": "cached"})


@promise
def keep_going_skips_only_what_depends(bench):
    bench.write("r.yaml", FAILS)
    same(bench("run", "r.yaml", "--json", "launch.cores=1", code=1).states()["apart"], "skipped")
    same(bench("run", "r.yaml", "--json", "--keep-going", code=1).states()["apart"], "run")


@promise
def tries_are_counted_and_reported(bench):
    bench.write("r.yaml", "stages:\n  a: {use: toy.fail, until_try: 2, retry: 1}\n")
    answer = bench("run", "r.yaml", "--json")
    same(answer.states(), {"a": "run"})
    events = [json.loads(line) for line in (bench.newest() / "events.jsonl").read_text().splitlines()]
    same([event["try"] for event in events if event["event"] == "stage_began"], [1, 2])
    same([event["another_try"] for event in events if event["event"] == "stage_failed"], [True])


@promise
def failures_exit_by_their_kind(bench):
    bench.write("r.yaml", FAILS)
    for code in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 70):
        bench("run", "r.yaml", f"params.code={code}", "--json", "--only", "bad", code=code)
    for code in (11, 75, 99, 130, 255):
        bench("run", "r.yaml", f"params.code={code}", "--json", "--only", "bad", code=1)
    for how, code in (("gate", 8), ("nan", 6), ("throw", 70), ("exit", 70), ("abort", 70), ("kill", 7)):
        failed = bench("run", "r.yaml", f"params.how={how}", "--json", "--only", "bad", code=code)
        same(failed.states(), {"bad": "failed"})
        assert failed.json["problems"][0]["file"] == "r.yaml", failed.json["problems"]


@promise
def a_refused_result_is_refused_again(bench):
    bench.write("r.yaml", FAILS)
    bench("run", "r.yaml", "params.how=gate", "--only", "bad", code=8)
    again = bench("run", "r.yaml", "params.how=gate", "--only", "bad", "--json", code=8)
    assert "--force" in again.json["problems"][0]["hint"]


@promise
def never_cached_means_once_a_run(bench):
    bench.write("r.yaml", SIMPLE)
    never = "stages.words.cache=false"
    same(bench("run", "r.yaml", never, "--json").states(), {"words": "run", "upper": "run", "both": "run"})
    same(bench("run", "r.yaml", never, "--json").states(), {"words": "run", "upper": "cached", "both": "cached"})
    resumed = bench("resume", "latest", "--json")
    same(set(resumed.states().values()), {"cached"})
    assert "0 stages to run" in resumed.errors, resumed.errors
    why = bench("why", "r.yaml", "words", never, "--json").result
    same(why["changes"], [])


@promise
def a_stage_that_is_off_is_left_out(bench):
    bench.write("r.yaml", SIMPLE)
    wrong = bench("run", "r.yaml", "stages.upper.when=false", "--json", code=2)
    same(wrong.json["problems"][0]["code"], "R506")
    off = "stages.both.when=false", "~outputs"
    same(bench("run", "r.yaml", *off, "--json").states(), {"words": "run", "upper": "run"})


@promise
def a_changed_recipe_is_told_by_its_keys(bench):
    bench.write("r.yaml", SIMPLE)
    bench("run", "r.yaml")
    bench.write("r.yaml", SIMPLE.replace("some words", "other words"))
    refused = bench("resume", "latest", "--json", code=9)
    same(refused.messages, ["2 keys changed since this run began"])
    notes = [note["message"] for note in refused.json["problems"][0]["notes"]]
    same(notes, [f'{key}: "some words" -> "other words"' for key in ("params.words", "stages.words.text")])
    accepted = bench("resume", "latest", "--accept-changes", "--json")
    same(set(accepted.states().values()), {"run"})
    same(set(bench("resume", "latest", "--json").states().values()), {"cached"})


@promise
def a_run_folder_of_ones_own_is_gone_on_with(bench):
    bench.write("r.yaml", SIMPLE)
    bench("run", "r.yaml", "--run-dir", "mine")
    bench("run", "r.yaml", "--run-dir", "mine", "--resume", "never", code=2)
    bench("run", "r.yaml", "params.words=x", "--run-dir", "mine", code=9)
    forced = bench("run", "r.yaml", "--run-dir", "mine", "--force", "upper", "--json").states()
    same(forced, {"words": "cached", "upper": "run", "both": "cached"})
    changed = bench("run", "r.yaml", "params.words=x", "--run-dir", "mine", "--accept-changes", "--json")
    same(set(changed.states().values()), {"run"})
    same((bench.folder / "mine/overrides.txt").read_text(), "params.words=x\n")
    same(set(bench("resume", "mine", "--json").states().values()), {"cached"})


@promise
def a_run_is_found_by_path_id_and_latest(bench):
    bench.write("r.yaml", SIMPLE)
    bench("run", "r.yaml", "--store", "place/of/mine")
    run = bench.newest()
    elsewhere = bench.folder / "elsewhere"
    elsewhere.mkdir()
    for name in ("latest", run.name, run.name[:18], "simple/latest", str(run), f"runs/simple/{run.name}"):
        answer = bench("resume", name, "--json")
        same(answer.result["run"], str(run))
        same(set(answer.states().values()), {"cached"})  # in the store that the run was begun with
    same(bench("resume", str(run), "--json", at=elsewhere).result["run"], str(run))
    other = bench("resume", str(run), "--store", "other", "--json", at=elsewhere)
    same(set(other.states().values()), {"run"})
    assert (elsewhere / "other").is_dir()
    same(bench("resume", "nothing", "--json", code=2).messages, ["there is no run 'nothing' below runs"])


SWEEP = """\
recipe: sweep
params: {words: a, steps: 1}
sweep: {matrix: {params.words: [a, b], params.steps: [40, 41]}}
stages:
  base: {use: toy.write, text: base}
  words: {use: toy.write, text: "${params.words}"}
  both: {use: toy.join, texts: [base, words]}
  count: {use: toy.count, text: both, steps: "${params.steps}", step_seconds: 0.02}
outputs: {report: count}
"""


@promise
def jobs_share_what_is_equal(bench):
    bench.write("r.yaml", SWEEP.replace("0.02", "0"))
    answer = bench("run", "r.yaml", "--json")
    jobs = answer.result["jobs"]
    same([job["overrides"] for job in jobs], [[f"params.words={a}", f"params.steps={n}"] for a in "ab" for n in (40, 41)])
    same(sum(stage["state"] == "run" for job in jobs for stage in job["stages"]), 1 + 2 + 2 + 4)
    same([stage["name"] for stage in jobs[0]["stages"]], ["base", "words", "both", "count"])
    planned = bench("plan", "r.yaml", "--json").result["jobs"]
    same([job["id"] for job in planned], [job["id"] for job in jobs])
    lines = [line for line in answer.errors.splitlines() if "params.words=b params.steps=41" in line]
    assert any(jobs[3]["id"] in line and "done" in line for line in lines), answer.errors
    assert all(job["outputs"]["report"]["type"] == "report" for job in jobs)


@promise
def a_sweep_without_jobs_is_a_mistake(bench):
    bench.write("r.yaml", SWEEP)
    wrong = bench("run", "r.yaml", "+sweep.exclude=[{params.words: a},{params.words: b}]", "--json", code=2)
    same(wrong.json["problems"][0]["code"], "R702")


@promise
def a_failed_job_stops_no_other_unless_asked(bench):
    bench.write("r.yaml", FAILS.replace("params:", "sweep: {matrix: {params.code: [3, 5]}}\nparams:"))
    one_by_one = "launch.cores=1", "--json"
    answer = bench("run", "r.yaml", *one_by_one, code=3)
    same([{s["name"]: s["state"] for s in job["stages"]}["bad"] for job in answer.result["jobs"]], ["failed", "failed"])
    fast = bench("run", "r.yaml", "--fail-fast", *one_by_one, code=3)
    same([{s["name"]: s["state"] for s in job["stages"]}["bad"] for job in fast.result["jobs"]], ["failed", "skipped"])


@promise
def a_killed_sweep_goes_on(bench):
    bench.write("r.yaml", SWEEP)
    began = subprocess.Popen(bench.command(["run", "r.yaml", "-q"]), cwd=bench.folder, env=bench.variables)
    deadline = time.monotonic() + 30
    while not list(bench.folder.glob("runs/sweep/2*/logs/*/count/rank-0000.log")) and time.monotonic() < deadline:
        time.sleep(0.02)
    began.send_signal(signal.SIGKILL)
    began.wait()
    resumed = bench("resume", "latest", "--json")
    states = [stage["state"] for job in resumed.result["jobs"] for stage in job["stages"]]
    assert states.count("cached") >= 3 and set(states) == {"cached", "run"}, states
    same(len({job["outputs"]["report"]["key"] for job in resumed.result["jobs"]}), 4)


@promise
def one_stage_needs_no_recipe(bench):
    first = bench("do", "toy.write", "text=hello there")
    second = bench("do", "toy.write", "text=hello there")  # from the store
    assert first.text.strip() == second.text.strip() == "hello there", (first.text, second.text)
    answer = bench("do", "toy.write", "text=hello there", "--json")
    same(answer.states(), {"stage": "cached"})
    same(sorted(answer.result["outputs"]["report"]), ["key", "path", "type"])
    bench.write("recipes/words/short.yaml", "text: from a group\n")
    grouped = bench("do", "toy.write", "/words=short", "text=${words.text}", "/launch=one-gpu")
    same(grouped.text.strip(), "from a group")
    same(bench("do", "toy.wrote", "--json", code=2).json["problems"][0]["hint"], "did you mean 'toy.write'?")


@promise
def a_lock_refuses_drift(bench):
    bench.write("r.yaml", SIMPLE)
    bench("lock", "r.yaml")
    bench("run", "r.yaml", "--locked")
    bench.write("r.yaml", SIMPLE.replace("some", "any"))
    same(bench("run", "r.yaml", "--locked", "--json", code=9).json["problems"][0]["code"], "R609")


@promise
def relative_paths_of_two_folders_are_two_sources(bench):
    for name in ("a", "b"):
        bench.write(f"{name}/src/text.txt", f"text of {name}")
        bench.write(f"{name}/src/report.json", '{"bytes": 9}')
        bench.write(f"{name}/r.yaml", "stages:\n  s: {use: toy.source, folder: ./src}\noutputs: {s: s}\n")
        run = bench("run", "r.yaml", "--json", "--store", str(bench.folder / "store"), at=bench.folder / name)
        same(run.states(), {"s": "run"})
        same(os.path.realpath(run.result["outputs"]["s"]["path"]), str(bench.folder / name / "src"))


@promise
def a_large_source_is_hashed_when_the_run_gets_there(bench):
    with open(bench.folder / "in.txt", "wb") as file:
        file.truncate(65 << 20)
    bench.write("r.yaml", "stages:\n  a: {use: toy.noop}\n  b: {use: toy.read, file: ./in.txt}\n  c: {use: toy.upper, text: b}\n")
    planned = bench("plan", "r.yaml", "--json").result["stages"]
    same([(one["state"], one["reason"]) for one in planned[1:]], [("blocked", "source not hashed yet"), ("blocked", "after b")])


def entries(bench):
    return bench("store", "ls", "--json").result["entries"]


@promise
def verify_finds_a_flipped_byte(bench):
    bench.write("r.yaml", SIMPLE + "x-more: {}\n")
    bench("run", "r.yaml", "+stages.out={use: toy.export, text: both, to: out.txt}")
    run = bench.newest()
    entry = pathlib.Path(bench("store", "path", next(e["key"] for e in entries(bench) if e["stage"] == "upper")).text.strip())
    for path in ("latest", run.name, str(run), str(entry), str(entry / "report"), "out.txt"):
        bench("verify", path)
    file = entry / "report/text.txt"
    file.chmod(0o644)
    text = file.read_bytes()
    file.write_bytes(bytes([text[0] ^ 1]) + text[1:])
    for path in ("latest", str(entry)):
        damaged = bench("verify", path, "--json", code=9)
        assert "report/text.txt" in damaged.messages[0], damaged.messages
    bench("verify", "out.txt")
    bench.write("out.txt", "mine")
    same(bench("verify", "out.txt", "--json", code=9).messages[0].split(": ")[1], "it is not what was written")
    bench("verify", "r.yaml", code=2)
    bench("verify", "no-such-run", code=2)


@promise
def verify_looks_at_sources_too(bench):
    bench.write("src/text.txt", "source")
    bench.write("src/report.json", '{"bytes": 6}')
    bench.write("r.yaml", "stages:\n  s: {use: toy.source, folder: ./src}\n  u: {use: toy.upper, text: s}\n")
    bench("run", "r.yaml")
    same(len(bench("verify", "latest", "--json").result["checked"]), 2)
    bench.write("src/text.txt", "sourcE")
    assert "text.txt" in bench("verify", "latest", "--json", code=9).messages[0]


@promise
def a_source_that_was_hashed_on_its_way_is_not_read_again(bench):
    bench.write("src/text.txt", "source")
    bench.write("src/report.json", '{"bytes": 6}')
    os.utime(bench.folder / "src/text.txt", (1, 1))
    time.sleep(0.1)  # a file that has only just changed is read all the same
    bench.write("r.yaml", f"stages:\n  s: {{use: toy.source, folder: ./src, claimed: {'a' * 64}}}\n")
    bench("run", "r.yaml")
    assert "text.txt" in bench("verify", "latest", "--json", code=9).messages[0]  # the claim was believed


@promise
def two_runs_are_compared_part_by_part(bench):
    bench.write("r.yaml", "stages:\n  w: {use: toy.write, text: a}\n  c: {use: toy.count, text: w, steps: 2}\n")
    runs = []
    for steps, text in ((2, "a"), (3, "b")):
        bench("run", "r.yaml", f"stages.c.steps={steps}", f"stages.w.text={text}")
        runs.append(bench.newest().name)
        time.sleep(1.1)  # ids are told apart by their second
    result = bench("diff", *runs, "--json").result
    same(result["versions"], [])
    same([one["key"] for one in result["recipe"]], ["stages.c.steps", "stages.w.text"])
    same([one["key"] for one in result["inputs"]], ["c.text"])
    same(result["metrics"], [{"key": "c.value", "a": 2, "b": 3}])
    same(bench("diff", runs[0], runs[0]).text, "")


@promise
def runs_are_completed_at_the_prompt(bench):
    bench.write("r.yaml", SIMPLE)
    bench("run", "r.yaml")
    run = bench.newest().name
    for verb in ("resume", "verify", "diff"):
        offered = bench("__complete", "zsh", verb, run[:4]).text.split("\n")
        assert f"{run} " in offered, (verb, offered)
    same(bench("__complete", "zsh", "resume", "lat").text, "latest \n")
    same(bench("__complete", "zsh", "runs", "logs", run, "u").text, "upper \n")


@promise
def answers_have_the_form_that_is_written_down(bench):
    bench.write("r.yaml", SIMPLE)
    envelope = ["stillroom", "command", "ok", "exit", "problems", "result"]
    stage = {"name", "use", "state", "reason", "key", "inputs", "outputs", "ranks", "memory_bytes", "disk_bytes", "seconds", "describe"}
    plan = bench("plan", "r.yaml", "--json")
    same(list(plan.json), envelope)
    assert stage <= set(plan.result["stages"][0]) and "totals" in plan.result
    same([one["describe"] is None for one in plan.result["stages"]], [False, False, False])
    ran = bench("run", "r.yaml", "--json")
    same(sorted(ran.result), ["outputs", "run", "stages"])
    same(sorted(ran.result["stages"][0]), ["name", "outputs", "reason", "seconds", "state"])
    same(bench("plan", "r.yaml", "--json").result["stages"][0]["describe"], None)
    entry = entries(bench)[0]
    same(sorted(entry), ["bytes", "created", "key", "pinned_by", "stage", "use", "used"])
    same(entry["pinned_by"], [str(bench.newest())])
    problem = bench("run", "r.yaml", "params.wrds=x", "--json", code=2).json["problems"][0]
    same(
        sorted(problem),
        sorted(["code", "severity", "message", "file", "line", "column", "end_line", "end_column", "key", "notes", "hint"]),
    )


def main():
    program, toy = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    failed = 0
    for function in PROMISES:
        if len(sys.argv) > 3 and sys.argv[3] not in function.__name__:
            continue
        with tempfile.TemporaryDirectory(prefix="stillroom-runs-") as scratch:
            folder = pathlib.Path(scratch).resolve()
            try:
                function(Bench(program, toy, folder))
            except (AssertionError, KeyError, subprocess.SubprocessError) as failure:
                failed += 1
                print(f"failed: {function.__name__}: {type(failure).__name__} {failure}\n", flush=True)
            subprocess.run(["chmod", "-R", "u+w", scratch], check=False)
    print(f"{len(PROMISES)} promises, {failed} broken")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
