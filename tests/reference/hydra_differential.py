#!/usr/bin/env python3
"""Compares the override grammar with Hydra, and interpolation with OmegaConf, over generated texts.

Run by hand with an interpreter that has the peers, hydra-core==1.3.8 (overrides) and
omegaconf==2.4.0 (interpolation), and a build that has language_tool:

    python hydra_differential.py override      BUILD/tests/engine/recipe/language_tool
    python hydra_differential.py interpolation BUILD/tests/engine/recipe/language_tool

Every difference is either named by one of the reasons below, which are those of
tests/cases/language/deviations.txt, or printed; then the exit status is 1. What is printed becomes a
bug to fix or a line of the case files.
"""

import argparse
import collections
import json
import os
import random
import re
import subprocess
import sys
import warnings

CASES = os.path.join(os.path.dirname(__file__), "..", "cases", "language")
ERROR = {"error": True}


def case_inputs(name, field):
    with open(os.path.join(CASES, name), encoding="utf-8") as file:
        return [line.rstrip("\n").split(" | ")[field] for line in file if line.strip() and line[0] != "#"]


def ask(tool, mode, texts):
    lines = "".join(json.dumps(text, ensure_ascii=False) + "\n" for text in texts)
    done = subprocess.run([tool, mode], input=lines.encode(), stdout=subprocess.PIPE, check=True)
    answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert len(answers) == len(texts), (len(answers), len(texts))
    return answers


def mutated(text, alphabet, rng):
    """One to three small edits."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(text))
        kind = rng.random()
        if kind < 0.4:
            text = text[:at] + rng.choice(alphabet) + text[at:]
        elif kind < 0.7:
            text = text[:at] + text[at + 1 :]
        else:
            end = min(len(text), at + rng.randint(1, 4))
            text = text[:at] + text[at:end] + text[at:]
    return text


# ---------------------------------------------------------------- overrides

KEYS = ["a", "a.b", "a.0.b", "db", "db@p", "db@", "a/b", "a/b@c.d", "+a", "++a", "~a", "$a", "a-b", "a_1"]
VALUE_TOKENS = (
    "a b x1 foo-bar 1 0 -1 01 1_000 1.5 .5 1. 1e3 6e9 inf nan true FALSE null ${b} ${a.b:1,2} $ : / \\ - + . % * @ ? |"
).split() + [" ", "  ", "\t", ",", ",", "[", "]", "{", "}", "(", ")", "'", '"', "'x'", '"y z"', "\\,", "\\(", "\\\\", "\\ ", "\\'",
             "choice(", "range(", "interval(", "glob(", "tag(", "sort(", "shuffle(", "int(", "float(", "bool(", "str(",
             "=", "reverse=true", "step=", "~", "#", "é", "{x: 1}", "[1,2]", "start=", "exclude="]


def random_override(rng):
    key = rng.choice(KEYS)
    if rng.random() < 0.04:
        return key
    if rng.random() < 0.6:
        return key + "=" + "".join(rng.choice(VALUE_TOKENS) for _ in range(rng.randint(0, 8)))
    return key + "=" + structured(rng, 0)


def structured(rng, depth):
    """A text that is likely to be accepted."""
    kind = rng.random()
    inner = lambda: structured(rng, depth + 1)  # noqa: E731
    blank = lambda: rng.choice(["", "", "", " "])  # noqa: E731
    if depth > 2 or kind < 0.45:
        return rng.choice(["a", "b c", "1", "-2", "3.5", "1e3", "true", "null", "'q'", '"d q"', "${b}", "x:y", "a\\,b", "inf", "01", "x/y",
                           "''", "0.1", "-7", "1_0", "'7'", "\\\\", "C:\\d", "\\ s", "nan", "a b  c"])
    if kind < 0.6:
        return "[" + ("," + blank()).join(inner() for _ in range(rng.randint(0, 3))) + blank() + "]"
    if kind < 0.7:
        return "{" + ",".join(rng.choice("xyz") + ":" + blank() + inner() for _ in range(rng.randint(0, 3))) + "}"
    if kind < 0.8 and depth == 0:
        return ",".join(inner() for _ in range(rng.randint(2, 3)))
    name = rng.choice(["choice", "range", "interval", "glob", "tag", "sort", "shuffle", "int", "float", "bool", "str", "int", "str"])
    arguments = [inner() for _ in range(rng.randint(0, 3))]
    if name in ("range", "interval"):
        arguments = [rng.choice(["0", "1", "5", "0.5", "-2", "10"]) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.1:
        arguments.append(rng.choice(["reverse=true", "step=2", "start=1", "exclude=x", "value=1", "sweep=choice(1,2)", "list=[2,1]"]))
    return name + "(" + ("," + blank()).join(arguments) + ")"


class NestedSweep(Exception):
    pass


def hydra_value(value):
    from hydra.core.override_parser import types

    if isinstance(value, types.QuotedString):
        return {"quoted": value.text}
    if isinstance(value, (types.Sweep, types.Glob)):
        raise NestedSweep
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return {"float": str(value)}
    if isinstance(value, list):
        return [hydra_value(item) for item in value]
    if isinstance(value, dict):
        return {str(key): hydra_value(item) for key, item in value.items()}
    return value


def hydra_override(parser, text):
    from hydra.core.override_parser import types

    try:
        parsed = parser.parse_override(text)
    except Exception:  # noqa: BLE001: any refusal is a refusal
        return ERROR
    kinds = {types.OverrideType.CHANGE: 0, types.OverrideType.ADD: 1, types.OverrideType.FORCE_ADD: 2, types.OverrideType.DEL: 3}
    out = {"kind": kinds[parsed.type], "key": parsed.key_or_group}
    if parsed.package is not None:
        out["package"] = parsed.package
    value = parsed._value
    try:
        if isinstance(value, types.ChoiceSweep):
            out.update(sweep="choice", values=[hydra_value(item) for item in value.list], tags=sorted(value.tags))
        elif isinstance(value, types.RangeSweep):
            numbers = []
            for number in value.range():
                numbers.append(hydra_value(number))
                if len(numbers) > 10000:
                    return ERROR
            out.update(sweep="range", values=numbers, tags=sorted(value.tags))
        elif isinstance(value, types.IntervalSweep):
            out.update(sweep="interval", values=[hydra_value(value.start), hydra_value(value.end)], tags=sorted(value.tags))
        elif isinstance(value, types.Glob):
            out.update(sweep="glob", values=value.include + value.exclude, tags=[])
        elif parsed.value_type is not None:
            out["value"] = hydra_value(value)
    except NestedSweep:
        return ERROR
    except Exception:  # noqa: BLE001: step 0 raises while iterating
        return ERROR
    return out


MORE_CHARACTERS = "=~#;&!<>^é"


def loose(value):
    """What is not compared: quotes (functions drop them), keys of maps, the spelling of floats."""
    if isinstance(value, dict):
        if set(value) == {"quoted"}:
            return value["quoted"]
        if set(value) == {"float"}:
            return round(float(value["float"]), 9) if "n" not in value["float"] else value["float"]
        return ["map"] + [loose(item) for item in value.values()]
    return [loose(item) for item in value] if isinstance(value, list) else value


def reason_override(text, theirs, ours, parser):
    accepted, wanted = "error" not in ours, "error" not in theirs
    key, _, value = text.partition("=")
    if accepted and not wanted:
        if re.match(r"^[+~]*[^=]*(\+|\^|-|:)$", key):
            return "operators"
        if "[" in key:
            return "a[0] in keys"
        if re.match(r"^[+~]*/", key):
            return "leading / of a group"
        if re.search(r"(logrange|zip|extend_list)\s*\(", value):
            return "functions of Stillroom"
        if re.search(r"[{,]\s*(['\"])", value):
            return "quoted keys of maps"
        if "${" in value:
            return "matched braces"
        for characters in (MORE_CHARACTERS, MORE_CHARACTERS.replace("=", "")):  # '=' may name an argument
            plainer = value.translate(str.maketrans(characters, "_" * len(characters)))
            if plainer != value and "error" not in hydra_override(parser, key + "=" + plainer):
                return "more characters without quotes"
        return None
    if wanted and not accepted:
        message = ours["error"]
        for part, reason in [
            ("a key must stand before", "empty keys"), ("a key must follow", "empty keys"), ("glob takes patterns", "patterns that are numbers"), ("'@' cannot stand in a key", "empty keys"), ("stands twice", "equal keys of a map"),
            ("this range is empty", "empty ranges"), ("more than 10000 values", "long ranges"), ("needs something to reorder", "empty shuffles"),
            ("below its start", "reversed intervals"), ("must be a number, not 'true'", "booleans as numbers"),
            ("must be a number, not 'FALSE'", "booleans as numbers"), ("does not fit in 64 bits", "64-bit integers"),
            ("finite number of at most", "infinite bounds"), ("have no order", "nan has no order"), ("'-=' takes a list", "keys that end in -"),
            ("a sweep cannot be one value of another", "nested sweeps"), ("a sweep cannot stand inside", "nested sweeps"),
            ("'${' that opens here is never closed", "matched braces"), ("sort cannot take null", "null in functions"),
        ]:
            if part in message:
                return reason
        return None
    if key.endswith("-") and ours["kind"] == 6:
        return "keys that end in -"
    if "shuffle(" in text:
        return "order of shuffles, shuffled scalars"
    if "sort(" in text and "range(" in text and "reverse" in text:
        return "1.3.8 reverses ranges wrongly"
    def without_tags(outcome):
        return {**outcome, "values": loose(outcome.get("values")), "value": loose(outcome.get("value")), "tags": sorted(outcome.get("tags", []))}
    if without_tags(theirs) == without_tags(ours):
        return "keys of maps are text, quotes of arguments" if theirs != ours else None
    if ours.get("sweep") == theirs.get("sweep") == "range" and "float" in str(theirs):
        return "exact ranges"
    if ours.get("sweep") == theirs.get("sweep") and len(theirs.get("tags", [])) < len(ours.get("tags", [])):
        return "equal labels"
    return None


def run_override(tool, count, seed):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parser = OverridesParser.create()
    rng = random.Random(seed)
    seeds = case_inputs("parser.txt", 1)
    alphabet = [token for token in VALUE_TOKENS if len(token) < 5]
    texts = list(seeds)
    while len(texts) < count:
        texts.append(random_override(rng) if rng.random() < 0.7 else mutated(rng.choice(seeds), alphabet, rng))
    answers = ask(tool, "override", texts)
    return compare(texts, answers, lambda text: hydra_override(parser, text), lambda *found: reason_override(*found, parser))


# ---------------------------------------------------------------- interpolation

BASE = {
    "a": 1, "b": "B", "n": None, "m": "???", "fl": 1.5, "tr": True, "l": [1, 2], "k": "t.x", "kk": "x", "d": {"p": 1}, "com": "1,2", "name": "f",
    "t": {"x": 5, "y": {"z": [1, 2, {"q": "Q"}]}}, "r": "${t}", "s": "x${b}",
}
TEXT_TOKENS = (
    "a b n m l t.x t k kk r s . .. [ ] [0] .0 : , f f: oc.select: oc.decode: oc.dict.keys: mk: 1 1.5 true null ' \" \\ \\\\ \\, \\' [1,2] {p:1} x $ "
    "${ ${ ${ } } } ${b} ${a} ${t.x} ${l[0]} ${f:1} ${..b} - + / @ ! # é ( ="
).split() + [" ", "  ", "${t.${kk}}", "${${k}}", "${r.x}", "'x y'", "${f:'q'}", "${oc.select:a,1}", "${f:[a,b],{c: 1}}"]


def random_text(rng):
    if rng.random() < 0.4:
        return "".join(rng.choice(TEXT_TOKENS) for _ in range(rng.randint(1, 7)))
    return "".join(piece(rng, 0) for _ in range(rng.randint(1, 3)))


def piece(rng, depth):
    kind = rng.random()
    if depth > 2 or kind < 0.25:
        return rng.choice(["x", " y ", "\\", "\\\\", "$", "a:b", "${a}", "${b}", "${t.x}", "'", "\\${b}"])
    if kind < 0.5:
        return "${" + rng.choice(["a", "t.x", "l[1]", "t.y.z.2.q", "r.y.z[0]", "s", "t.${kk}", "${k}", "nope", "b.c", "l.7", ".b", "..b", "n.x"]) + "}"
    return "${" + rng.choice(["f:", "f:", "f:", " f : ", "oc.select:", "oc.decode:", "${name}:"]) + ",".join(argument(rng, depth) for _ in range(rng.randint(0, 3))) + "}"


def argument(rng, depth):
    kind = rng.random()
    if kind < 0.5:
        return rng.choice(["1", "x", " a b ", "1e3", "true", "null", "01", "", "t.x", "a", "m", "'q'", "\"d ${b}\"", "'\\${b}'", "'it\\'s'", "x:y",
                           "\\,", "\\\\", "a\\b", "'\\\\'", "-1", "1_0", "x$y", " ", "@", "é", "${n}"])
    if kind < 0.6:
        return "[" + ",".join(argument(rng, depth + 1) for _ in range(rng.randint(0, 3))) + "]" if depth < 3 else "1"
    if kind < 0.7:
        return "{" + ",".join(rng.choice("xyz") + ": " + argument(rng, depth + 1) for _ in range(rng.randint(0, 2))) + "}" if depth < 3 else "2"
    return piece(rng, depth + 1)


def omegaconf_plain(value):
    from omegaconf import DictConfig, ListConfig, OmegaConf

    if isinstance(value, (DictConfig, ListConfig)):
        value = OmegaConf.to_container(value, resolve=True)
    if isinstance(value, float):
        return {"float": str(value)}
    if isinstance(value, list):
        return [omegaconf_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): omegaconf_plain(item) for key, item in value.items()}
    return value


def omegaconf_value(text):
    from omegaconf import OmegaConf

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = OmegaConf.create({**BASE, "v": text}).v
            return {"value": omegaconf_plain(value)}
    except Exception:  # noqa: BLE001: any refusal is a refusal
        return ERROR


def python_spelling(text):
    """Python's words and floats inside a text as JSON spells them."""
    text = re.sub(r"True|False|None", lambda found: {"True": "true", "False": "false", "None": "null"}[found.group()], text)
    return text.replace(".0", "")


def reason_interpolation(text, theirs, ours):
    accepted, wanted = "error" not in ours, "error" not in theirs
    if wanted and not accepted:
        for part, reason in [
            ("cannot stand inside a text", "maps and lists in text"), ("stands twice", "equal keys of a map"),
            ("'oc.select' takes", "types of arguments"), ("'oc.dict.keys' takes", "types of arguments"),
            ("oc.decode", "text that oc.decode would resolve"), ("does not spell a value", "text that oc.decode would resolve"),
            ("is no path of keys", "odd paths in oc.select"), ("is given", "arguments beyond those known"), ("is missing its", "arguments"),
            ("has too many", "arguments beyond those known"), ("'oc.dict.keys' takes the key", "types of arguments"),
        ]:
            if part in ours["error"]:
                return reason
        return None
    if wanted and accepted:
        mine, other = ours["value"], theirs["value"]
        if isinstance(mine, str) and isinstance(other, str) and python_spelling(mine) == python_spelling(other):
            return "JSON spelling inside text"
        if python_spelling(json.dumps(loose(mine))) == python_spelling(json.dumps(loose(other)).replace("True", "true")):
            return "keys of maps are text, JSON spelling"
        if "oc.decode" in text:
            return "text that oc.decode would resolve"
    if accepted and not wanted and "oc.select" in text:
        return "oc.select of what has no keys, or is odd"
    if accepted and not wanted and "oc.decode" in text:
        return "oc.decode reads more characters"
    return None


def run_interpolation(tool, count, seed):
    from omegaconf import OmegaConf

    warnings.simplefilter("ignore")
    OmegaConf.register_new_resolver("f", lambda *a: a[0] if len(a) == 1 else list(a))
    OmegaConf.register_new_resolver("mk", lambda: {"k": 1})
    rng = random.Random(seed)
    texts = [random_text(rng) for _ in range(count)]
    answers = ask(tool, "interpolation", [json.dumps({**BASE, "v": text}) for text in texts])
    return compare(texts, answers, omegaconf_value, reason_interpolation)


def compare(texts, answers, theirs_of, reason_of):
    reasons, unexplained, agreed, accepted = collections.Counter(), [], 0, 0
    for text, ours in zip(texts, answers):
        theirs = theirs_of(text)
        accepted += "error" not in ours
        same = ("error" in ours and "error" in theirs) or ours == theirs
        if same:
            agreed += 1
            continue
        reason = reason_of(text, theirs, ours)
        if reason:
            reasons[reason] += 1
        else:
            unexplained.append((text, theirs, ours))
    print(f"{len(texts)} texts, {accepted} accepted, {agreed} agree, {sum(reasons.values())} differ as listed, {len(unexplained)} unexplained")
    for reason, number in reasons.most_common():
        print(f"  {number:6} {reason}")
    shown = set()
    for text, theirs, ours in sorted(unexplained, key=lambda found: len(found[0])):
        if len(shown) == 40:
            break
        if text not in shown:
            shown.add(text)
            print(json.dumps(text, ensure_ascii=False), "\n    theirs", json.dumps(theirs), "\n    ours  ", json.dumps(ours, ensure_ascii=False))
    return 1 if unexplained else 0


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("mode", choices=["override", "interpolation"])
    arguments.add_argument("tool")
    arguments.add_argument("--count", type=int, default=25000)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    run = run_override if given.mode == "override" else run_interpolation
    sys.exit(run(given.tool, given.count, given.seed))


if __name__ == "__main__":
    main()
