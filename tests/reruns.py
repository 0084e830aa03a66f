#!/usr/bin/env python3
"""What runs again when X changes, with real stages and a real store: reruns.py PROGRAM TOY

A recipe is run once. Each row copies its folder and its store, changes one thing, and says which stages then run; all others must be
cached. `plan` must have known before: of what it called cached nothing runs, and of what it called RUN everything.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

RECIPE = """\
recipe: table
params: {text: hello}
stages:
  words: {use: toy.write, text: "${params.text}"}
  file: {use: toy.read, file: ./in.txt}
  variable: {use: toy.env, names: [A], env: {A: "1"}}
  source: {use: toy.source, folder: ./src}
  count: {use: toy.count, text: words, steps: 2}
  caps: {use: toy.upper, text: file}
  all: {use: toy.join, texts: [caps, count, variable, source]}
  order: {use: toy.noop, after: [words]}
  twice: {use: ./inner.yaml, text: words}
"""
INNER = """\
recipe: inner
params: {between: "-"}
inputs: {text: report}
stages:
  caps: {use: toy.upper, text: text}
  both: {use: toy.join, texts: [text, caps], between: "${params.between}"}
outputs: {text: both}
"""


def write(name, text):
    return lambda folder: (folder / name).write_text(text)


def replace(old, new, name="recipe.yaml"):
    def change(folder):
        file = folder / name
        text = file.read_text()
        assert old in text, old
        file.write_text(text.replace(old, new, 1))

    return change


def nothing(folder):
    pass


def touch(folder):
    os.utime(folder / "in.txt", (1, 1))
    os.utime(folder / "src/text.txt", (1, 1))


def reorder(folder):
    lines = RECIPE.splitlines(keepends=True)
    (folder / "recipe.yaml").write_text("".join(lines[:3] + lines[:2:-1]))


def large(folder):
    """Above what a plan reads in passing: nobody knows before the run."""
    with open(folder / "src/more.bin", "wb") as file:
        file.truncate(65 << 20)


def raise_version(folder):
    schema = folder / "toy/stages/toy.upper.schema.json"
    schema.write_text(schema.read_text().replace('"x-version": 1', '"x-version": 2'))


def rebuild(folder):
    with open(folder / "toy/toy.so", "ab") as file:
        file.write(b"another build of the same sources")


# what changes, how, further arguments, the stages that then run
ROWS = [
    ("nothing", nothing, [], ""),
    ("a setting", replace("steps: 2", "steps: 3"), [], "count all"),
    ("a setting, by an override", nothing, ["params.text=other"], "words count twice/caps twice/both"),
    ("a setting, so that the same comes out", nothing, ["stages.caps.at_most=100"], "caps"),
    ("a default spelled out", replace("text: file}", 'text: file, device: auto}'), [], ""),
    ("another spelling of a number", replace("steps: 2", "steps: 0x2"), [], ""),
    ("a comment", replace("stages:", "# hello\nstages:"), [], ""),
    ("the order of stages and of keys", reorder, [], ""),
    ("a stage's name", replace("  count: ", "  counted: "), ["stages.all.texts=[caps,counted,variable,source]"], ""),
    ("the recipe's name", replace("recipe: table", "recipe: other"), [], ""),
    ("a setting without influence (x-cache: ignore)", nothing, ["stages.count.step_seconds=0.01"], ""),
    ("x-version", raise_version, [], "caps twice/caps"),
    ("another build of the plugin", rebuild, [], ""),
    ("what a file holds", write("in.txt", "other text"), [], "file caps all"),
    ("only the time of files", touch, [], ""),
    ("where a file is", lambda folder: (folder / "in.txt").rename(folder / "moved.txt"), ["stages.file.file=moved.txt"], ""),
    ("a source file larger than what is hashed in passing", large, [], "source all"),
    ("what a source holds", write("src/text.txt", "changed"), [], "source all"),
    ("a variable of env", nothing, ["stages.variable.env.A=2"], "variable all"),
    ("a param that nothing uses", replace("params: {text: hello}", "params: {text: hello, unused: 1}"), ["-q"], ""),
    ("the launch", nothing, ["launch=one-gpu", "launch.cores=1"], ""),
    ("device", nothing, ["stages.count.device=cpu"], "count"),
    ("retry", nothing, ["stages.count.retry=2"], ""),
    ("an edge of after", nothing, ["stages.order.after=[count,all]"], ""),
    ("the order of inputs", nothing, ["stages.all.texts=[count,caps,variable,source]"], "all"),
    ("cache: false", nothing, ["stages.words.cache=false"], "words"),
    ("--force", nothing, ["--force", "words"], "words"),
    ("--force of a sub-recipe", nothing, ["--force", "twice"], "twice/caps twice/both"),
    ("when: false", nothing, ["stages.order.when=false"], ""),
    ("a param of a sub-recipe", nothing, ["stages.twice.between=+"], "twice/both"),
    ("a setting inside a sub-recipe", nothing, ["stages.twice.stages.caps.at_most=50"], "twice/caps"),
    ("the file of a sub-recipe", replace('"-"', '"*"', "inner.yaml"), [], "twice/both"),
    ("the same sub-recipe once more", replace("  order:", "  more: {use: ./inner.yaml, text: words}\n  order:"), [], ""),
    ("ranks", replace("{use: toy.noop,", "{use: toy.noop, ranks: 2,"), [], ""),
]


class Bench:
    def __init__(self, program, toy, scratch):
        self.program, self.toy, self.scratch = program, toy, scratch

    def prepare(self):
        folder = self.scratch / "work"
        (folder / "src").mkdir(parents=True)
        (folder / "toy").mkdir()
        shutil.copy(self.toy / "toy.so", folder / "toy")
        shutil.copytree(self.toy / "stages", folder / "toy/stages")
        write("recipe.yaml", RECIPE)(folder)
        write("inner.yaml", INNER)(folder)
        write("in.txt", "some text")(folder)
        write("src/text.txt", "source")(folder)
        write("src/report.json", '{"bytes": 6}')(folder)
        return folder

    def ask(self, folder, verb, arguments):
        variables = dict(os.environ, STILLROOM_PLUGIN_PATH=str(folder / "toy"), HOME=str(self.scratch))
        command = [self.program, verb, "recipe.yaml", "--json", "--store", str(folder / "store"), *arguments]
        ended = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=120)
        answer = json.loads(ended.stdout)
        assert ended.returncode == answer["exit"] == 0, answer["problems"]
        return {stage["name"]: stage["state"] for stage in answer["result"]["stages"]}


def remove(folder):
    subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)
    shutil.rmtree(folder)


def check_row(bench, saved, row):
    """In the same place again, since a source is known by where it is."""
    _, change, arguments, expected = row
    folder = bench.scratch / "work"
    shutil.copytree(saved, folder, symlinks=True)
    change(folder)
    plan_arguments = [word for word in arguments if word not in ("launch=one-gpu", "launch.cores=1")]
    if "--force" in arguments:
        planned = bench.ask(folder, "run", ["--dry-run", *arguments])
    else:
        planned = bench.ask(folder, "plan", plan_arguments)
    ended = bench.ask(folder, "run", arguments)
    remove(folder)
    ran = {name for name, state in ended.items() if state == "run"}
    wrong = []
    if ran != set(expected.split()):
        wrong.append(f"ran: {sorted(ran)}, expected: {sorted(expected.split())}")
    for name, state in planned.items():
        if state == "cached" and name in ran:
            wrong.append(f"the plan said that {name} is cached")
        if state == "run" and name not in ran:
            wrong.append(f"the plan said that {name} will run")
    return wrong


def main():
    program, toy = pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(sys.argv[2])
    failed = 0
    with tempfile.TemporaryDirectory(prefix="stillroom-reruns-") as scratch:
        bench = Bench(program, toy, pathlib.Path(scratch))
        base = bench.prepare()
        first = bench.ask(base, "run", [])
        assert set(first.values()) == {"run"}, first
        saved = base.rename(bench.scratch / "saved")
        for row in ROWS:
            for complaint in check_row(bench, saved, row):
                print(f"failed: {row[0]}: {complaint}")
                failed += 1
        remove(saved)
    print(f"{len(ROWS)} rows, {failed} complaints")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
