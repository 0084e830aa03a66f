#!/usr/bin/env python3
"""Hold the files in schemas/ and recipes/ to their own rules with the PyPI package jsonschema.

A second opinion beside the engine's validator, run by hand: python3 tests/reference/validate_schemas.py
Needs: pip install jsonschema pyyaml
"""
import copy
import json
import pathlib
import re
import sys

import yaml
from jsonschema import Draft202012Validator

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "schemas"
mistakes = []


def wrong(where, text):
    mistakes.append(f"{where}: {text}")


class Loader(yaml.SafeLoader):
    """PyYAML with the numbers and words of YAML 1.2."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if not tag.endswith((":bool", ":float", ":int", ":timestamp"))]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for tag, rule, first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{rule})$"), list(first))


def load(path):
    text = path.read_text()
    return json.loads(text) if path.suffix == ".json" else yaml.load(text, Loader)


def hold(schema, value, where):
    for error in Draft202012Validator(schema).iter_errors(value):
        wrong(f"{where}:{error.json_path}", error.message[:200])


def subschema(root, fragment):
    """`fragment` as a schema of its own, with the $defs it may refer to."""
    return {**fragment, "$defs": root.get("$defs", {})}


def each_value(fragment, path):
    """Every schema of a value below `fragment`, with its place."""
    yield path, fragment
    for key, inner in fragment.get("properties", {}).items():
        yield from each_value(inner, f"{path}.{key}")
    for key, inner in fragment.get("$defs", {}).items():
        yield from each_value(inner, f"{path}.$defs.{key}")
    for key in ("items", "additionalProperties"):
        if isinstance(fragment.get(key), dict):
            yield from each_value(fragment[key], f"{path}.{key}")
    for key in ("anyOf", "oneOf"):
        for index, inner in enumerate(fragment.get(key, [])):
            if inner.keys() != {"required"}:
                yield from each_value(inner, f"{path}.{key}[{index}]")


def filled(root, fragment, value):
    """`value` with the defaults of `fragment`, as the engine fills them in."""
    fragment = {**root["$defs"][fragment["$ref"].split("/")[-1]], **fragment} if "$ref" in fragment else fragment
    if not isinstance(value, dict) or "properties" not in fragment:
        return value
    value = dict(value)
    for key, inner in fragment["properties"].items():
        if key not in value and "default" in inner:
            value[key] = copy.deepcopy(inner["default"])
        if key in value:
            value[key] = filled(root, inner, value[key])
    return value


def check_stages(meta):
    stages = {}
    for path in sorted(SCHEMAS.glob("stages/*.json")):
        schema = load(path)
        where = path.name
        stages[schema["title"]] = schema
        Draft202012Validator.check_schema(schema)
        hold(meta, schema, where)
        if path.name != schema["title"] + ".schema.json":
            wrong(where, f"is titled {schema['title']}")
        properties = schema["properties"]
        for key in schema.get("required", []) + [k for b in schema.get("oneOf", []) for k in b["required"]]:
            if key not in properties:
                wrong(where, f"requires '{key}', which it does not have")
        for key, others in schema.get("dependentRequired", {}).items():
            for name in (key, *others):
                if name not in properties:
                    wrong(where, f"dependentRequired names '{name}', which it does not have")
        for output, setting in schema.get("x-optional-outputs", {}).items():
            if output not in schema["x-outputs"] or setting not in properties:
                wrong(where, f"optional output '{output}' or its setting '{setting}' is missing")
        for place, value in each_value(schema, "$"):
            if "default" in value:
                hold(subschema(schema, value), filled(schema, value, value["default"]), f"{where}:{place} default")
            for example in value.get("examples", []):
                hold(subschema(schema, value), example, f"{where}:{place} example")
            if "$ref" in value and value["$ref"].split("/")[-1] not in schema.get("$defs", {}):
                wrong(where, f"{place} refers to {value['$ref']}")
            tag = value.get("x-tag")
            for branch in value.get("oneOf", []) if tag else []:
                if tag not in branch["required"] or "const" not in branch["properties"].get(tag, {}):
                    wrong(where, f"{place} has a branch without the tag '{tag}'")
    return stages


def check_ports(stages):
    for path in sorted(SCHEMAS.glob("ports/*.json")):
        port = load(path)
        for entry in port.get("x-loader", []):
            target = stages.get(entry["use"])
            if not target or entry["setting"] not in target["properties"]:
                wrong(path.name, f"loader {entry['use']} has no setting '{entry['setting']}'")
            if target and port["title"] not in target["x-outputs"].values():
                wrong(path.name, f"loader {entry['use']} makes no {port['title']}")
    for name, stage in stages.items():
        for key, value in stage["properties"].items():
            fill = value.get("x-fill")
            if not fill:
                continue
            target = stages[fill["use"]]
            if value["x-port"] not in target["x-outputs"].values():
                wrong(name, f"{fill['use']} makes no {value['x-port']}")
            for taken in fill["take"]:
                ours, theirs = stage["properties"].get(taken), target["properties"].get(taken)
                if ours is None or theirs is None:
                    wrong(name, f"'{taken}' is not in both {name} and {fill['use']}")
                elif {**ours, "description": ""} != {**theirs, "description": ""}:
                    wrong(name, f"'{taken}' differs between {name} and {fill['use']}")


KEYS = {"use", "after", "when", "ranks", "device", "retry", "env", "cache"}


def composed(path, choices=None):
    """A recipe with its defaults list applied: enough of Hydra for the library's own recipes."""
    recipe = load(path)
    result = {}
    choices = dict(choices or {})
    for entry in recipe.get("defaults", []):
        for group, option in entry.items() if isinstance(entry, dict) else ():
            if group.startswith("override "):
                choices[group.removeprefix("override ")] = option

    def merge(into, extra):
        for key, value in extra.items():
            if key == "__packages__":
                into[key] = into.get(key, []) + value
            elif isinstance(value, dict) and isinstance(into.get(key), dict):
                merge(into[key], value)
            else:
                into[key] = copy.deepcopy(value)

    own = {key: value for key, value in recipe.items() if key != "defaults"}
    entries = recipe.get("defaults", [])
    for entry in entries if "_self_" in entries else [*entries, "_self_"]:
        if entry == "_self_":
            merge(result, own)
        elif isinstance(entry, str):
            merge(result, composed(path.parent / f"{entry}.yaml", choices))
        elif not next(iter(entry)).startswith("override "):
            ((group, option),) = entry.items()
            option = choices.get(group, option)
            group, _, package = group.partition("@")
            if option not in (None, "???"):
                file = ROOT / "recipes" / group / f"{option}.yaml"
                found = re.search(r"^# @package (\S+)", file.read_text(), re.M)
                content = load(file)
                place = package or (found.group(1) if found else group.replace("/", "."))
                for part in reversed([] if place == "_global_" else place.split(".")):
                    content = {part: content}
                merge(result, content)
                result.setdefault("__packages__", []).append(place.split(".")[0])
    return result


def resolve(value, root):
    """Whole-value `${a.b}` only, which is all that the library uses."""
    if isinstance(value, dict):
        return {key: resolve(inner, root) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolve(inner, root) for inner in value]
    whole = isinstance(value, str) and re.fullmatch(r"\$\{([\w.-]+)\}", value)
    if not whole:
        return value
    for part in whole.group(1).split("."):
        root = root[part]
    return resolve(root, root)


def counted(value):
    """6e9 is an integer wherever one is wanted."""
    if isinstance(value, dict):
        return {key: counted(inner) for key, inner in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def check_recipes(stages, frame, setting):
    for path in sorted((ROOT / "recipes").glob("*.yaml")):
        where = path.name
        text = path.read_text()
        if not text.startswith("# yaml-language-server: $schema=../schemas/recipe.schema.json\n"):
            wrong(where, "has no modeline")
        recipe = composed(path)
        packages = recipe.pop("__packages__", [])
        hold(frame, {key: value for key, value in recipe.items() if key not in packages}, where)
        if recipe.get("recipe") != path.stem:
            wrong(where, f"is named {recipe.get('recipe')}")
        for name, fragment in recipe.get("schema", {}).items():
            hold(setting, fragment, f"{where}:schema.{name}")
            value = recipe["params"][name]
            if value != "???":
                hold(fragment, counted(value) if fragment.get("type") == "integer" else value, f"{where}:params.{name}")
        for name in recipe.get("params", {}):
            if name not in recipe.get("schema", {}):
                wrong(where, f"param '{name}' has no entry in schema")
        # A param that must be given gets a number: all that the library leaves open are counts.
        given = {name: 6e9 if value == "???" else value for name, value in recipe.get("params", {}).items()}
        ready = {**recipe, "params": given}
        for name, stage in ready["stages"].items():
            stage = counted(resolve(stage, ready))
            settings = {key: value for key, value in stage.items() if key not in KEYS}
            if stage["use"] in stages:
                schema = stages[stage["use"]]
                hold(schema, settings, f"{where}:stages.{name}")
                hold({**schema, "dependentRequired": {}}, filled(schema, schema, settings), f"{where}:stages.{name} filled")
                ports = {key for key, value in schema["properties"].items() if "x-port" in value}
            else:
                inner = composed(path.parent / (stage["use"].removesuffix(".yaml") + ".yaml"))
                ports = set(inner.get("inputs", {}))
                for key in settings:
                    if key not in ports and key not in inner["params"] and key != "stages":
                        wrong(where, f"stages.{name}.{key} is neither input nor param of {stage['use']}")
            for port in ports & settings.keys():
                for feed in settings[port] if isinstance(settings[port], list) else [settings[port]]:
                    if "/" in feed or ":" in feed:
                        continue
                    if feed.split(".")[0] not in {**ready["stages"], **ready.get("inputs", {})}:
                        wrong(where, f"stages.{name}.{port} names '{feed}', which is not there")
        for name, feed in recipe.get("outputs", {}).items():
            if feed.split(".")[0] not in recipe["stages"]:
                wrong(where, f"outputs.{name} names '{feed}', which is not there")


def check_refusals(meta):
    """What the meta-schema must not let through, each a small change to a schema that is right."""
    good = load(SCHEMAS / "stages" / "evaluate.mmlu.schema.json")
    cases = {
        "an unknown keyword": lambda s: s["properties"]["seed"].update(multipleOf=2),
        "a keyword of another form": lambda s: s["properties"]["seed"].update(minLength=2),
        "a setting without description": lambda s: s["properties"]["seed"].pop("description"),
        "an engine key": lambda s: s["properties"].update(cache=s["properties"]["seed"]),
        "an unknown x- keyword": lambda s: s["properties"]["seed"].update({"x-unt": "steps"}),
        "an open map of settings": lambda s: s.update(additionalProperties=True),
        "no x-version": lambda s: s.pop("x-version"),
        "an unknown port type": lambda s: s["properties"]["model"].update({"x-port": "checkpiont"}),
        "an unknown output type": lambda s: s["x-outputs"].update(report="text"),
        "two numbers in an anyOf": lambda s: s["properties"]["batch"].update(
            anyOf=[{"type": "integer"}, {"type": "number"}]
        ),
        "two texts in an anyOf": lambda s: s["properties"]["batch"].update(
            anyOf=[{"const": "auto"}, {"type": "string"}]
        ),
        "allOf": lambda s: s.update(allOf=[{}]),
        "a remote reference": lambda s: s["properties"]["gate"].update({"$ref": "https://example.org/gate"}),
        "an unknown type": lambda s: s["properties"]["seed"].update(type="int"),
        "a list without items": lambda s: s["properties"]["seed"].update(type="array", minimum=None),
    }
    for name, spoil in cases.items():
        schema = copy.deepcopy(good)
        spoil(schema)
        if Draft202012Validator(meta).is_valid(schema):
            wrong("stage.meta.schema.json", f"lets {name} through")
    tagged = {
        "x-tag": "kind",
        "description": "one of two",
        "oneOf": [
            {
                "type": "object",
                "properties": {"kind": {"const": kind, "description": "which"}},
                "required": ["kind"],
                "additionalProperties": False,
            }
            for kind in ("a", "b")
        ],
    }
    setting = {**meta["$defs"]["setting"], "$defs": meta["$defs"]}
    hold(setting, tagged, "a tagged setting")
    del tagged["oneOf"][0]["properties"]["kind"]["const"]
    if Draft202012Validator(setting).is_valid(tagged):
        wrong("stage.meta.schema.json", "lets a branch without a tag through")
    # The example of the style guide: what a stage's author starts from.
    depth = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "prune.depth",
        "description": "Drop the decoder layers that change their input least.",
        "type": "object",
        "properties": {
            "model": {"x-port": "checkpoint", "description": "the model to cut"},
            "drop": {"type": "integer", "minimum": 1, "x-unit": "layers", "description": "how many layers to remove"},
            "measure": {"enum": ["cosine", "perplexity"], "default": "cosine", "description": "how it is scored"},
        },
        "required": ["model", "drop"],
        "additionalProperties": False,
        "x-outputs": {"model": "checkpoint"},
        "x-version": 1,
        "x-resources": "compute",
    }
    hold(meta, depth, "prune.depth")
    return len(cases) + 1


meta = load(SCHEMAS / "stage.meta.schema.json")
frame = load(SCHEMAS / "recipe.frame.schema.json")
setting = {"$ref": "#/$defs/setting", "$defs": meta["$defs"]}
for path in SCHEMAS.rglob("*.json"):
    Draft202012Validator.check_schema(load(path))
stages = check_stages(meta)
check_ports(stages)
refusals = check_refusals(meta)
check_recipes(stages, frame, setting)
for path in (ROOT / "recipes").rglob("*.yaml"):
    if not isinstance(load(path), dict):
        wrong(path.name, "is no map")
launch = load(SCHEMAS / "launch.schema.json")
for path in sorted((ROOT / "recipes/launch").glob("*.yaml")):
    hold(launch, load(path), f"launch/{path.name}")
print("\n".join(mistakes))
print(f"{len(stages)} stages, {refusals} refusals, {len(list((ROOT / 'recipes').rglob('*.yaml')))} recipe files: "
      f"{len(mistakes)} mistakes")
sys.exit(bool(mistakes))
