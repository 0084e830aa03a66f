"""Rows K, N and P by a real training: what the other files show of toys, shown of the stage that loses most when it is interrupted. The
state's writer alone is struck at every call by tests/plugins/lm/train."""

import os
import re
import shutil
import signal
import subprocess
import time

from harness import Skipped, check, finish, one_line_error, row, wait_until, workers
from limits import grown
from starters import AS_ROOT, check_nothing_runs, mpirun, torchrun
from trainings import LAYOUTS, STEPS, check_goes_on, gap, healed, log_of, need_training, states, tensors, training, whole

NEAR = 1e-4  # of the weights after a training in another layout, by the length of each tensor
SLOW = ("--allow-inject", "--inject", "healed:1:slow-io")  # a tenth of a second a step
TWO = {"ranks": 2, "parallel": "{pipeline: 2}"}  # two writers of one state: rank 1's files end in 00002


def inject(fault):
    return "--allow-inject", "--inject", f"healed:{fault}"


def wait_for_step(place, process, steps):
    wait_until(lambda: process.poll() is not None or log_of(place).count('"step ') >= steps, 60, f"{steps} steps")


@row("K1", seconds=600)
def a_training_is_killed_at_calls_of_its_writer(bench):
    few = {"steps": 6}
    expected, _ = whole(bench, **few)
    with bench.place() as place:
        result = place.run("run", training(place, **few), fault="any:0:kill", argv="--job", path="checkpoints").expect(0)
        calls = place.counted()
    check(calls > 60, f"only {calls} calls of the writer were seen")
    for number in bench.sample(calls, 3 * result.seconds, 15):
        with bench.trying(), bench.place() as place:
            recipe = training(place, **few)
            place.run("run", recipe, fault=f"any:{number}:kill", argv="--job", path="checkpoints").expect(7)
            check_goes_on(place, recipe, expected, f"killed at call {number} of {calls} ({place.struck()})")
    bench.settle()


@row("K1", seconds=300)
def a_training_is_killed_at_steps(bench):
    expected, _ = whole(bench)
    for step in range(2, STEPS + 1) if bench.exhaustive else (3, 14):
        with bench.place() as place:
            recipe = training(place)
            place.run("run", recipe, *inject(f"{step}:sigkill")).expect(7)
            check_goes_on(place, recipe, expected, f"killed at step {step}")


@row("K3", seconds=600)
def a_training_whose_disk_is_full_loses_no_step(bench):
    few = {"steps": 6}
    expected, _ = whole(bench, **few)
    for turn, (call, error) in enumerate((("write", "ENOSPC"), ("fsync", "EIO"), ("rename", "EDQUOT"), ("open", "ENOSPC"))):
        with bench.place() as place:
            result = place.run("run", training(place, **few), fault=f"{call}:0:{error}", argv="--job", path="checkpoints").expect(0)
            calls = place.counted()
        for number in bench.sample(calls, 3 * result.seconds, 3, least=1, turn=turn + 1):
            with bench.trying(), bench.place() as place:
                recipe = training(place, **few)
                failed = place.run("run", recipe, fault=f"{call}:{number}+:{error}", argv="--job", path="checkpoints")
                what = f"{error} from {call} {number} of {calls} on ({place.struck()})"
                check(failed.code == 4 and str(place.store) in failed.err, f"{what}: {failed}")
                check(error == "EIO" or " free" in failed.err, f"{what}: what is free is not said: {failed}")
                check_goes_on(place, recipe, expected, what)
    bench.settle()


@row("K3")
def a_training_on_a_small_disk_goes_on_when_there_is_room(bench):
    """No fault on purpose: a file system that is full after some states, and larger the next time."""
    need_training(bench)
    unshare = bench.need("unshare")
    expected, _ = whole(bench)
    script = (
        'mount -t tmpfs -o size=1200k tmpfs "$1" && shift && '
        '{ "$@"; echo "code $?"; mount -o remount,size=64m "$STILLROOM_STORE"; "$@"; echo "code $?"; cp -r "$STILLROOM_STORE" "$HOME/kept"; }'
    )
    with bench.place() as place:
        recipe = training(place, checkpoint="{every: 1, keep: -1}")
        place.store.mkdir()
        words = [unshare, "-rm", "sh", "-c", script, "sh", place.store, bench.program, "run", recipe]
        words, how = list(map(str, words)), {"env": place.environment(), "cwd": place.work}
        done = subprocess.run(words, capture_output=True, text=True, timeout=110, check=False, **how)
        if "mount:" in done.stderr or "unshare" in done.stderr:
            raise Skipped(f"nothing can be mounted here: {done.stderr.strip()}")
        codes = re.findall("^code ([0-9]+)$", done.stdout, re.M)
        check(codes == ["4", "0"], f"{codes}: {done.stderr}")
        check("No space left on device" in done.stderr and " free" in done.stderr, done.stderr)
        check("going on after step" in log_of(place), f"nothing was saved before the disk was full: {done.stderr}")
        place.store = place.home / "kept"
        check(healed(place) == expected, "other weights came out")


def flip(file):
    data = bytearray(file.read_bytes())
    data[-5] ^= 64
    file.chmod(0o644)
    file.write_bytes(data)


def cut(file):
    os.truncate(file, file.stat().st_size - 1)


def largest(folder):
    return max(folder.glob("*.safetensors"), key=lambda each: each.stat().st_size)


@row("K7", seconds=300)
def a_damaged_state_is_passed_over_and_named_or_refused(bench):
    expected, _ = whole(bench)
    damages = {
        "a bit": (lambda newest: flip(largest(newest)), 5),
        "a cut file": (lambda newest: cut(largest(newest)), 5),
        "a lost shard": (lambda newest: next(newest.glob("model-*.safetensors")).unlink(), 5),
        "an empty latest": (lambda newest: os.truncate(newest.parent.parent / "latest", 0), 6),
        "a latest that leads nowhere": (lambda newest: (newest.parent.parent / "latest").write_text("step-00000099\n"), 6),
        "garbage as latest": (lambda newest: (newest.parent.parent / "latest").write_bytes(bytes(range(256))), 6),
    }
    for name, (damage, step) in damages.items():
        with bench.trying(), bench.place() as place:
            recipe = training(place)
            place.run("run", recipe, "stages.healed.stop.step=6").expect(75)
            newest = states(place)[-1]
            check(newest.name == "step-00000006", newest.name)
            for path in (newest.parent.parent, newest, *newest.iterdir(), newest.parent.parent / "latest"):
                path.chmod(0o755 if path.is_dir() else 0o644)
            damage(newest)
            run = next(place.work.glob("runs/*/latest")).resolve()
            strict = one_line_error(place.run("resume", run, "--strict"))
            check(strict.code == 9 and f"it goes on from step {step}" in strict.err, f"{name}: {strict}")
            check_goes_on(place, recipe, expected, name)
            said = "latest" if "latest" in name else newest.name
            check(f"going on after step {step}" in log_of(place) and f"{said}" in log_of(place), f"{name}: {log_of(place)[-2000:]}")
    bench.settle()


def stopped_by(bench, number, expected, **settings):
    with bench.place() as place:
        recipe = training(place, **settings)
        process = place.start("run", recipe, *SLOW)
        wait_for_step(place, process, 5)
        process.send_signal(number)
        finish(process, ["run", signal.Signals(number).name], time.monotonic(), 60).expect(75).says("checkpoint saved")
        check_nothing_runs(place)
        check(states(place), "nothing was saved")
        check_goes_on(place, recipe, expected, signal.Signals(number).name)


@row("K10")
def sigterm_in_the_middle_of_a_training_saves(bench):
    """Where no state was due for long."""
    seldom = {"checkpoint": "{every: 1000}"}
    stopped_by(bench, signal.SIGTERM, whole(bench)[0], **seldom)
    stopped_by(bench, signal.SIGTERM, whole(bench, **TWO)[0], **seldom, **TWO)


@row("K10")
def sigterm_while_a_training_validates_does_not_wait_for_its_end(bench):
    """What was learnt before is saved, and the validation is made when the training goes on."""
    expected, _ = whole(bench)
    with bench.place() as place:
        place.run("run", training(place, stop="{step: 6}")).expect(75)
        process = place.start("run", training(place, eval="{batches: 100000, every: 7}"))
        wait_until(lambda: f'"step 7 of {STEPS}"' in log_of(place), 60, "the step before a validation of minutes")
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        finish(process, ["run"], time.monotonic(), 60).expect(75).says("checkpoint saved")
        check("validation after step 7:" not in log_of(place), "it waited")
        check(states(place)[-1].name == "step-00000007", f"{states(place)}")
        check_goes_on(place, training(place, eval="{batches: 1, every: 7}"), expected, "stopped within a validation")
        check("validation after step 7:" in log_of(place), log_of(place)[-3000:])


@row("K11")
def sigusr1_and_sigint_save_a_training(bench):
    expected, _ = whole(bench)
    for number in (signal.SIGUSR1, signal.SIGINT):
        stopped_by(bench, number, expected)


@row("K17", seconds=400)
def many_steps_of_training_take_no_more(bench):
    """The worker's memory, descriptors and threads, and what lies in its folder."""
    steps = 10000 if bench.exhaustive else 2000
    with bench.place() as place:
        seldom = {"checkpoint": f"{{every: {steps // 40}, keep: 2}}", "eval": f"{{batches: 1, every: {steps // 20}}}", "log": "{every: 50}"}
        recipe = training(place, steps=steps, **seldom)
        process = place.start("run", recipe, "--quiet")
        memory, files, threads, kept = [], [], [], []
        while process.poll() is None:
            for worker in workers(process.pid).values():
                try:
                    status = (text := open(f"/proc/{worker}/status", encoding="ascii")).read()
                    text.close()
                    if states(place):
                        memory.append(int(re.search(r"VmRSS:\s+(\d+)", status)[1]))
                        threads.append(int(re.search(r"Threads:\s+(\d+)", status)[1]))
                        files.append(len(os.listdir(f"/proc/{worker}/fd")))
                        kept.append(len(states(place)))
                except (OSError, TypeError):
                    pass
            time.sleep(0.1)
        finish(process, ["run"], time.monotonic(), 30).expect(0)
        check(grown(memory) < 1.05, f"memory grows: {memory[:: max(1, len(memory) // 10)]}")
        check(max(files) - min(files) < 10 and max(threads) - min(threads) < 4, f"{files[-10:]} descriptors, {threads[-10:]} threads")
        check(max(kept) <= 3, f"{max(kept)} states at once, 2 are kept")
        place.check_clean()
        bench.note(f"{steps} steps, {memory[len(memory) // 10]} to {memory[-1]} KiB")


def finite(place):
    """No state holds a number that is none."""
    for state in states(place):
        for file in state.glob("model-*.safetensors"):
            data = file.read_bytes()
            size = int.from_bytes(data[:8], "little")
            values = memoryview(data[8 + size :]).cast("f")
            check(all(value == value and abs(value) != float("inf") for value in values), f"C9: {file}")


@row("N1")
def a_rate_that_is_too_large_stops_at_the_first_bad_step(bench):
    with bench.place() as place:
        recipe = training(place, optimizer="{lr: 1e30, clip: null}", eval="{batches: 0}")
        result = place.run("run", recipe).expect(6)
        result.says("is not finite", "samples ", "the last save is kept", "largest weights: ")
        check(states(place), "no state is left")
        finite(place)


@row("N2", seconds=300)
def a_gradient_that_is_no_number_on_one_rank_is_left_out_by_all(bench):
    """And the weights are those of a training that was told to leave that step out."""
    for name, layout in LAYOUTS.items():
        two = {"ranks": 2, "parallel": layout}
        told, _ = whole(bench, **two, skip_steps="[5]")
        for fault in ("nan-grad:1", "nan-loss") if name == "data" else ("nan-grad:1",):
            with bench.trying(), bench.place() as place:
                result = place.run("run", training(place, on_nonfinite="skip", **two), *inject(f"4:{fault}")).expect(0)
                what = "the gradient" if "grad" in fault else "the loss"
                result.says(f"step 5: {what} is not finite (samples 16 to 19): the step is left out")
                check(healed(place) == told, f"{name}, {fault}: other weights than those of skip_steps: [5]")
                check(re.search(r"skipped 1 \| nan 1 ", log_of(place)), f"{name}, {fault}: not counted: {log_of(place)[-800:]}")
    bench.settle()


@row("N2")
def a_gradient_that_is_no_number_on_one_rank_stops_all(bench):
    two = {"ranks": 2, "parallel": LAYOUTS["data"]}
    with bench.place() as place:
        recipe = training(place, **two)
        place.run("run", recipe, *inject("4:nan-grad:1")).expect(6).says("step 5: the gradient is not finite", "gradients that are not finite: ")
        check(states(place)[-1].name == "step-00000004", f"{states(place)}")
        finite(place)
        check_goes_on(place, recipe, whole(bench, **two)[0], "stopped for its gradient")


@row("N8")
def the_same_seed_gives_the_same_bits_and_another_number_of_threads_nearly(bench):
    one, values = whole(bench)
    again, _ = whole(bench)
    check(one == again, "the same training twice gives other bits")
    other, _ = whole(bench, seed=5)
    check(one != other, "the seed decides nothing")
    with bench.place() as place:
        place.run("run", training(place), "launch.cores=1").expect(0)
        check(gap(tensors(place), values) < NEAR, f"one thread is {gap(tensors(place), values)} away")


@row("N8", seconds=300)
def a_training_stopped_after_any_step_comes_to_the_same_bits(bench):
    expected, _ = whole(bench)
    for step in range(1, STEPS) if bench.exhaustive else (1, 7, 20):
        with bench.trying(), bench.place() as place:
            recipe = training(place)
            place.run("run", recipe, f"stages.healed.stop.step={step}").expect(75)
            check_goes_on(place, recipe, expected, f"stopped after step {step}")
            check(f"going on after step {step} of {STEPS}" in log_of(place), log_of(place)[-800:])
    bench.settle()


@row("P1")
def a_rank_of_a_training_killed_in_a_step_is_named(bench):
    with bench.place() as place:
        recipe = training(place, ranks=2, parallel="{tensor: 2}")
        place.run("run", recipe, "launch.timeout=30", *inject("4:sigkill:1")).expect(7).says("rank 1")
        check_nothing_runs(place)
        check_goes_on(place, recipe, whole(bench, ranks=2, parallel="{tensor: 2}")[0], "a rank was killed")


@row("P1")
def a_rank_of_a_training_killed_while_it_saves_leaves_whole_states(bench):
    with bench.place() as place:
        recipe = training(place, **TWO)
        place.run("run", recipe, "launch.timeout=30", fault="write:5:kill", argv="--job", path="optimizer-00002").expect(7).says("rank 1")
        check(place.struck(), "nobody was killed")
        check_nothing_runs(place)
        check_goes_on(place, recipe, whole(bench, **TWO)[0], "killed in a write")


@row("P1")
def a_rank_of_a_training_killed_while_it_validates_is_named(bench):
    with bench.place() as place:
        recipe = training(place, ranks=2, parallel="{data: 2}", eval="{batches: 20000, every: 1000}")
        process = place.start("run", recipe, "launch.timeout=30")
        wait_until(lambda: len(workers(process.pid)) == 2 and list(place.store.glob("work/*/**/decided.json")), 60, "two workers")
        time.sleep(1.5)
        os.kill(workers(process.pid)[1], signal.SIGKILL)
        finish(process, ["run"], time.monotonic(), 90).expect(7).says("rank 1")
        check(not states(place), "a state of nothing")
        check_nothing_runs(place)


@row("P2")
def a_rank_of_a_training_that_stands_still_is_named(bench):
    with bench.place() as place:
        place.run("run", training(place, ranks=2, parallel="{data: 2}"), "launch.timeout=12", *inject("4:sigstop:1")).expect(7).says("rank 1")
        check_nothing_runs(place)


@row("P9")
def a_disk_full_for_one_rank_of_a_training_fails_the_save_everywhere(bench):
    with bench.place() as place:
        recipe = training(place, **TWO)
        result = place.run("run", recipe, fault="open:4+:ENOSPC", argv="--job", path="optimizer-00002").expect(4)
        result.says("optimizer-00002", "No space left on device")
        check([state.name for state in states(place)] == ["step-00000001", "step-00000002", "step-00000003"], f"{states(place)}")
        check_nothing_runs(place)
        check_goes_on(place, recipe, whole(bench, **TWO)[0], "one rank's disk was full")


@row("P12")
def a_device_that_fails_in_a_step_is_named_and_nothing_goes_on_elsewhere(bench):
    expected, _ = whole(bench)
    for fault, code, words in (("no-device", 7, "device cpu failed: CUDA error"), ("no-memory", 4, "out of memory on this machine")):
        with bench.place() as place:
            recipe = training(place)
            place.run("run", recipe, *inject(f"4:{fault}")).expect(code).says(words)
            check_nothing_runs(place)
            check_goes_on(place, recipe, expected, fault)
    with bench.place() as place:
        recipe = training(place, ranks=2, parallel="{tensor: 2}")
        place.run("run", recipe, "launch.timeout=10", *inject("4:no-device:1")).expect(7).says("rank 1", "device cpu failed")
        check_nothing_runs(place)


@row("P11")
def four_ranks_stop_then_two_and_one_goes_on(bench):
    _, expected = whole(bench)
    with bench.place() as place:
        place.run("run", training(place, ranks=4, parallel="{tensor: 2, pipeline: 2}", stop="{step: 4}")).expect(75)
        place.run("run", training(place, ranks=2, parallel="{data: 2}", stop="{step: 8}")).expect(75)
        check("going on after step 4 of" in log_of(place), log_of(place)[-800:])
        place.run("run", training(place)).expect(0)
        check("going on after step 8 of" in log_of(place), log_of(place)[-800:])
        check(gap(tensors(place), expected) < NEAR, f"{gap(tensors(place), expected)} away")


WHOLE = """recipe: whole
stages:
  teacher: {use: checkpoint.init, family: llama, hidden: 64, layers: 4, heads: 4, kv_heads: 2, ffn: 128, vocab: 256, dtype: fp32, std: 0.1, seed: 3}
  corpus: {use: data.mock, vocabulary: 256, documents: 80, max_length: 60}
  student: {use: prune.minitron, model: teacher, calibration: corpus, shape: {num_layers: 3, ffn_hidden_size: 96}, samples: 8, sequence: 32,
    allow_short: true, divisors: {ffn_hidden_size: 32}}
  healed: {use: train.distill, teacher: teacher, student: student, data: corpus, steps: 12, sequence: 32, global_batch: 4, precision: fp32,
    schedule: {warmup: 2}, optimizer: {lr: 1e-3}, checkpoint: {every: 2}, eval: {every: 6, batches: 1}, log: {every: 1}, RANKS}
  score: {use: evaluate.perplexity, model: healed, data: corpus, length: 32, dtype: fp32}
  export: {use: checkpoint.export, model: healed, to: out/model}
outputs: {model: healed}
"""


@row("L7", seconds=400)
def the_whole_recipe_is_killed_under_every_starter_and_finishes_with_the_same_weights(bench):
    """Load, prune, distill, measure, export: on one core, on two ranks, under mpirun and torchrun."""
    need_training(bench)

    def run(place, ranks, *words, through=(), code=0):
        recipe = place.work / "whole.yaml"
        recipe.write_text(WHOLE.replace("RANKS", ranks), encoding="utf-8")
        return place.run("run", recipe, "launch.timeout=60", *words, through=through, **AS_ROOT).expect(*([code] if isinstance(code, int) else code))

    starters = {"one core": ("ranks: 1", ["launch.cores=1"], ()), "two ranks": ("ranks: 2, parallel: {tensor: 2}", [], ())}
    for name, find in (("mpirun", mpirun), ("torchrun", torchrun)):
        try:
            through = find(bench, 2)
            starters[name] = (starters["two ranks"][0], [], through)
        except Skipped as reason:
            bench.note(f"not under {name}: {reason}")
    found = {}
    for name, (ranks, words, through) in starters.items():
        with bench.place() as place:
            run(place, ranks, *words, through=through)
            straight, found[name] = healed(place), tensors(place)
        with bench.place() as place:
            run(place, ranks, *words, *inject("7:sigkill:0"), through=through, code=(1, 7))
            check(states(place), f"{name}: nothing was saved before the kill")
            shutil.rmtree(place.work / "out", ignore_errors=True)
            run(place, ranks, *words, through=through)
            check("going on after step" in log_of(place), f"{name}: it began anew")
            check(healed(place) == straight, f"{name}: other weights than without the kill")
            check((place.work / "out/model/model.safetensors").exists(), f"{name}: nothing was exported")
            check_nothing_runs(place)
        check(gap(found[name], found["one core"]) < NEAR, f"{name} is {gap(found[name], found['one core'])} away from one core")
    bench.note(", ".join(starters))
