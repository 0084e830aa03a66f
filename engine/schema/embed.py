"""Writes the JSON files given as one C++ table of names and texts, blanks between tokens left out."""

import json
import pathlib
import sys

out, *files = sys.argv[1:]
lines = ['#include "engine/schema/metaschemas.h"', "", "namespace stillroom {", ""]
lines += ["const std::vector<BuiltInSchema>& built_in_schemas() {"]
lines += ["    static const std::vector<BuiltInSchema> schemas = {"]
for name in files:
    document = json.loads(pathlib.Path(name).read_text())
    text = json.dumps(document, separators=(",", ":"))
    lines += [f'        {{"{document["$id"]}", R"json({text})json"}},']
lines += ["    };", "    return schemas;", "}", "", "}  // namespace stillroom"]
pathlib.Path(out).write_text("\n".join(lines) + "\n")
