#!/usr/bin/env python3
"""Compares composition with Hydra over generated recipes: defaults lists, packages, groups, overrides.

Run by hand with an interpreter that has hydra-core==1.3.8 (omegaconf==2.3.1) and a build:

    python hydra_composition.py BUILD/engine/stillroom --count 5000

Compared are acceptance, the value and the order of keys. Every difference is either named by one of
the reasons below, which are those of recipes.md (what deviates, what 1.3.8 does otherwise), or
printed with the files that show it; then the exit status is 1. What is printed becomes a bug to fix
or a line of the case files.
"""

import argparse
import collections
import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import warnings

# Groups and what may lie below them; none is a group of the installed library.
GROUPS = ["db", "opt", "srv", "db/eng", "opt/sch", "db/eng/mod"]
OPTIONS = ["a", "b", "c"]
ROOT_FILES = ["base", "more"]
PACKAGES = ["p", "p.q", "_here_", "_global_", "_global_.w", "db", "x", "srv", "w", "p", "_here_", "_global_"]
KEYS = ["x", "y", "z", "n", "m", "l", "k"]
SCALARS = ["1", "2", "7.5", "1e3", "text", "'1'", "null", "'???'", "'${x}'", "'${db.x}'", "true", "'a ${x} b'", "'${k}'"]
VALUES = ["[1, 2]", "[3]", "[{x: 1}]", "{}", "[]", "{x: 1}"]


def content(rng, depth=0):
    """Keys and values of a map, in any order."""
    pairs = []
    for key in rng.sample(KEYS, rng.randint(1, 3)):
        kind = rng.random()
        if key == "l" and kind < 0.85:  # keys that keep their kind make merges likely to succeed
            value = rng.choice(["[1, 2]", "[3]", "[{x: 1}, {x: 2}]"])
        elif key == "k" and kind < 0.85:
            value = flow(rng, depth + 1) if depth < 2 else "{x: 1}"
        elif depth < 2 and kind < 0.12:
            value = flow(rng, depth + 1)
        else:
            value = rng.choice(SCALARS if kind < 0.92 else VALUES)
        pairs.append((key, value))
    return pairs


def flow(rng, depth):
    return "{" + ", ".join(f"{key}: {value}" for key, value in content(rng, depth)) + "}"


class Tree:
    """The files of one recipe and the arguments given with it."""

    def __init__(self, rng):
        self.rng = rng
        self.files = {}
        chosen = rng.sample(GROUPS, rng.randint(1, 4))
        self.groups = sorted({"/".join(group.split("/")[: i + 1]) for group in chosen for i in range(len(group.split("/")))})
        self.options = {group: rng.sample(OPTIONS, rng.randint(1, 3)) for group in self.groups}
        self.root_files = rng.sample(ROOT_FILES, rng.randint(0, 2))
        self.placed = []
        self.below = {group: self.groups[i + 1 :] for i, group in enumerate(self.groups)}  # without cycles, mostly
        for group in self.groups:
            for option in self.options[group]:
                self.files[f"{group}/{option}.yaml"] = self.file(group, 0.3)
        for name in self.root_files:
            self.files[f"{name}.yaml"] = self.file("", 0.4)
        self.files["config.yaml"] = self.file("", 1.0, primary=True)
        self.arguments = [self.argument() for _ in range(rng.choice([0, 0, 1, 1, 1, 2, 3]))]

    def file(self, group, chance, primary=False):
        rng, lines = self.rng, []
        if not primary and rng.random() < 0.15:
            lines.append("# @package " + rng.choice(["_global_", "_global_", "_global_.h", "h", "h.i", "db"]))
        if rng.random() < chance:
            entries = [self.entry(group, primary) for _ in range(rng.choice([1, 1, 2, 3, 4] if primary else [1, 1, 2]))]
            entries = list(dict.fromkeys(entry for entry in entries if entry))
            for _ in range(rng.choices([0, 1, 2], [0.45, 0.53, 0.02])[0]):
                entries.insert(rng.randint(0, len(entries)), "_self_")
            for _ in range(rng.choice([0, 0, 1, 1, 2] if primary else [0] * 11 + [1])):
                at = len(entries) if rng.random() < 0.93 else rng.randint(0, len(entries))
                entries.insert(at, self.override(group))
            if entries:
                lines.append("defaults:")
                lines += ["  - " + entry for entry in entries]
        if rng.random() < 0.97:
            pairs = dict(content(rng))
            if rng.random() < 0.15:
                pairs.update([rng.choice([("db", "{x: 9, y: {z: 3}}"), ("p", "{q: {x: 8}}"), ("opt", "{sch: {x: 6}}"), ("srv", "null"),
                                          ("db", "5"), ("h", "{i: {x: 2}}")])])
            lines += [f"{key}: {value}" for key, value in pairs.items()]
        return "\n".join(lines or ["x: 1"]) + "\n"

    def option(self, group):
        rng = self.rng
        known = self.options.get(group, OPTIONS)
        kind = rng.random()
        if kind < 0.86:
            return rng.choice(known)
        if kind < 0.93:
            return "[" + ", ".join(rng.sample(known, rng.randint(0 if kind > 0.925 else 1, len(known)))) + "]"
        if kind < 0.95:
            return "null"
        if kind < 0.98:
            other = rng.choice(self.placed or self.groups)
            return rng.choice(['"${' + other + '}"'] * 5 + ['"${nope}"'])
        return rng.choice(["'???'", "nope"])

    def entry(self, group, primary):
        rng = self.rng
        prefix = "optional " if rng.random() < 0.08 else ""
        package = "@" + rng.choice(PACKAGES) if rng.random() < 0.2 else ""
        others = self.below.get(group, self.groups) if rng.random() < 0.97 else self.groups
        inner = [other for other in others if other.startswith(group + "/") or not group]
        if inner and rng.random() < 0.75:
            target = rng.choice(inner)
            name = target[len(group) + 1 :] if group else target
            if rng.random() < 0.1:
                name = "/" + target
        elif rng.random() < 0.5 and others:
            target = rng.choice(others)
            name = "/" + target
        else:  # a file by itself
            names = [f"/{other}/{rng.choice(self.options[other])}" for other in others]
            if group and rng.random() < 0.1:
                names += self.options[group]
            if primary:
                names += self.root_files * 3 + ["/" + file for file in self.root_files] + [name[1:] for name in names]
            return prefix + rng.choice(names) + package if names else None
        if target + package in self.placed and rng.random() < 0.8:
            return None
        if primary or rng.random() < 0.1:
            self.placed.append(target + package)
        line = f"{prefix}{name}{package}: {self.option(target)}"
        return line

    def override(self, group):
        rng = self.rng
        target = rng.choice(self.placed or self.groups)
        base = target.split("@")[0]
        name = target if not group and rng.random() < 0.5 else "/" + target
        return f"override {name}: {self.option(base)}"

    def path(self):
        """Of a key that is likely to exist."""
        rng = self.rng
        name = "config.yaml" if rng.random() < 0.5 else rng.choice(list(self.files))
        text = self.files[name]
        keys = re.findall(r"^(\w+): (?:\{(\w+))?", text, re.MULTILINE)
        if rng.random() < 0.85 and keys:
            folder = os.path.dirname(name)
            package = folder.split("/") if folder and not "@package" in text else []
            return [*package, *[key for key in rng.choice(keys) if key]][: rng.randint(1, 4)]
        path = [rng.choice([*KEYS, "db", "opt", "p", "h", "srv"])]
        while rng.random() < 0.45 and len(path) < 4:
            path.append(rng.choice([*KEYS, "0", "1", "q", "sch", "eng"]))
        return path

    def argument(self):
        rng = self.rng
        if rng.random() < 0.4:
            target = rng.choice([*self.placed, *self.placed, *self.groups])
            base = target.split("@")[0]
            if "@" not in target and rng.random() < 0.1:
                target += "@" + rng.choice(PACKAGES)
            value = self.option(base).strip("'\"").replace(" ", "")
            if rng.random() < 0.3:
                fresh = rng.choice(self.groups)
                return f"+{fresh}{rng.choice(['', '@new', '@p.new', '@_here_', '@_global_'])}={rng.choice(self.options[fresh])}"
            return rng.choice([f"{target}={value}"] * 12 + [f"+{target}={value}", f"~{target}", f"~{target}", f"~{target}={value}", f"++{target}={value}"])
        path = self.path()
        value = rng.choice(["1", "2", "2.5", "s", "'q'", "null", "true", "[4]", "[1,{x: 2}]", "{x: 3}", "{x: 1,w: 2}", "{}", "${y}", "???", "", "{y: {z: 4}}"])
        sign = rng.choice(["", "", "+", "++", "++", "++", "~"])
        if sign == "+" and rng.random() < 0.7:
            path.append(rng.choice(["new", "new", "q"]))
        if sign == "~" and rng.random() < 0.8:
            return "~" + ".".join(path)
        return sign + ".".join(path) + "=" + value

    def write(self, folder):
        for name, text in self.files.items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)


# ---------------------------------------------------------------- Hydra


def by_compose(folder, arguments):
    """Through the public interface, which adds Hydra's own settings and takes long."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()
    with initialize_config_dir(folder, version_base="1.3"):
        return compose("config", overrides=arguments)


def by_loader(folder, arguments, reads_once=True):
    """The steps of that interface, without Hydra's own settings."""
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.defaults_list import create_defaults_list
    from hydra._internal.utils import create_config_search_path
    from hydra.types import RunMode
    from omegaconf import OmegaConf

    loader = ConfigLoaderImpl(create_config_search_path(folder))
    parsed, repository = loader._parse_overrides_and_create_caching_repo("config", arguments)
    if not reads_once:
        repository.load_config = repository.delegate.load_config
    loader.validate_sweep_overrides_legal(overrides=parsed, run_mode=RunMode.RUN, from_shell=False)
    defaults = create_defaults_list(
        repo=repository, config_name="config", overrides_list=parsed, prepend_hydra=False, skip_missing=False)
    tree = loader._compose_config_from_defaults_list(defaults=defaults.defaults, repo=repository)
    OmegaConf.set_struct(tree, True)
    ConfigLoaderImpl._apply_overrides_to_config(defaults.config_overrides, tree)
    return tree


def hydra_value(compose, folder, arguments):
    from omegaconf import OmegaConf

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return {"value": OmegaConf.to_container(compose(folder, arguments), resolve=False)}
    except (Exception, RecursionError) as error:  # noqa: BLE001: any refusal is a refusal
        cause = error.__cause__ or error.__context__
        return {"error": f"{type(error).__name__}: {error}" + (f" / {cause}" if cause else "")}


# ---------------------------------------------------------------- ours


def start(program, folder, arguments):
    environment = {"PATH": os.environ["PATH"], "HOME": folder, "XDG_CONFIG_HOME": os.path.join(folder, ".none")}
    return subprocess.Popen([program, "compose", os.path.join(folder, "config.yaml"), *arguments, "--json", "--color", "never"],
                            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process):
    out, messages = process.communicate()
    if process.returncode == 0:
        return {"value": json.loads(out)}
    assert process.returncode in (2, 10), (process.returncode, messages)
    return {"error": messages.decode()}


# ---------------------------------------------------------------- comparison


def same(theirs, ours):
    """Equal, in the same order; a number is what it counts."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return [str(key) for key in theirs] == list(ours) and all(same(theirs[key], ours[str(key)]) for key in theirs)
    if isinstance(theirs, list) and isinstance(ours, list):
        return len(theirs) == len(ours) and all(map(same, theirs, ours))
    if isinstance(theirs, bool) != isinstance(ours, bool):
        return False
    return theirs == ours


REFUSED = [  # what our message holds -> why we refuse what 1.3.8 takes
    (r"is a map, (?!a list)[a-z ]+ cannot take its place", "a map is not replaced by a scalar"),
    (r"'_here_' stands alone", "_here_.x is no package"),
    (r"is chosen twice in this list|is chosen in two defaults lists|the group '[^']*' is chosen already", "one group twice is a mistake, also if the option has defaults of its own"),
    (r"was deleted by another argument", "a choice of a deleted group"),
    (r"(?s)is (text|an integer|a number|a boolean)[a-z ]*, it has no key", "a dotted key never turns a scalar into a map"),
    (r"there is no group", "a/b is a group"),
    (r"recipe is empty", "a file without content is a mistake"),
    (r"is there already, it cannot be added", "+key does not replace a scalar"),
    (r"null is no option of", "null is no option"),
]


def reason_of(tree, theirs, ours, afresh):
    """Why the two may differ, or None. `afresh` asks Hydra again, reading a file as often as it is named."""
    texts = "".join(tree.files.values())
    if "error" in ours and "value" in theirs:
        for pattern, reason in REFUSED:
            if re.search(pattern, ours["error"]):
                return reason
    if "value" in ours and "error" in theirs:
        if re.search(r"- optional [^:\n]*$", texts, re.MULTILINE) and re.search(r"Could not load '[^']*optional", theirs["error"]):
            return "a file may be optional"
        if re.search(r"Error merging override ~.* / .*[Ii]nterpolation", theirs["error"], re.DOTALL):
            return "what is deleted need not resolve"
        if "Could not delete" in theirs["error"] and re.search(r": \[", texts + " ".join(tree.arguments).replace("=[", ": [")):
            return "a list of options can be deleted"
        if re.search(r"\+\+.* / Cannot merge DictConfig with ListConfig|\+\+.* / Cannot merge ListConfig with DictConfig", theirs["error"], re.DOTALL):
            return "++key may change the kind"
        if re.search(r"Could not delete from config. '[^']*' does not exist", theirs["error"]):
            return "null and ??? can be deleted"
        if re.search(r"Error resolving interpolation '\$\{[\w/]+@[\w.]+\}'", theirs["error"]):
            return "an option may follow a choice whose package has dots"
    if "value" in ours and "value" in theirs and same(afresh()["value"], ours["value"]):
        return "1.3.8 merges into a file that is named twice"
    return None


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("program")
    arguments.add_argument("--count", type=int, default=5000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--show", type=int, default=12, help="unexplained differences to print")
    given = arguments.parse_args()
    program = os.path.abspath(given.program)
    reasons, unexplained = collections.Counter(), []
    agreed = accepted = 0
    base = tempfile.mkdtemp(prefix="composition-")
    try:
        for number in range(given.count):
            tree = Tree(random.Random(f"{given.seed} {number}"))
            folder = os.path.join(base, str(number))
            tree.write(folder)
            process = start(program, folder, tree.arguments)
            theirs = hydra_value(by_loader, folder, tree.arguments)
            if number % 50 == 0:  # what is compared with is what the public interface says
                public = hydra_value(by_compose, folder, tree.arguments)
                assert ("error" in public) == ("error" in theirs) and public.get("value") == theirs.get("value"), (tree.files, public, theirs)
            ours = finish(process)
            accepted += "value" in ours
            if ("error" in theirs and "error" in ours) or ("value" in theirs and "value" in ours and same(theirs["value"], ours["value"])):
                agreed += 1
                shutil.rmtree(folder)
                continue
            reason = reason_of(tree, theirs, ours, lambda: hydra_value(lambda *given: by_loader(*given, reads_once=False), folder, tree.arguments))
            shutil.rmtree(folder)
            if reason:
                reasons[reason] += 1
            else:
                unexplained.append((number, tree, theirs, ours))
    finally:
        shutil.rmtree(base)
    print(f"{given.count} recipes, {accepted} accepted, {agreed} agree, {sum(reasons.values())} differ as listed, {len(unexplained)} unexplained")
    for reason, count in reasons.most_common():
        print(f"  {count:6} {reason}")
    size = lambda found: sum(map(len, found[1].files.values()))  # noqa: E731
    for number, tree, theirs, ours in sorted(unexplained, key=size)[: given.show]:
        print(f"---- {number}: " + " ".join(map(shlex.quote, tree.arguments)))
        for name, text in tree.files.items():
            print(f"[{name}]\n{text}", end="")
        print("theirs", json.dumps(theirs)[:600], "\nours  ", json.dumps(ours)[:1000])
    sys.exit(1 if unexplained else 0)


if __name__ == "__main__":
    main()
