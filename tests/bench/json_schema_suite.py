#!/usr/bin/env python3
"""Runs `stillroom schema validate` over the required 2020-12 tests of JSON-Schema-Test-Suite.

    json_schema_suite.py stillroom [-v]

The suite is no part of this tree. STILLROOM_JSON_SCHEMA_SUITE names a folder that holds its `tests`
and `remotes`; without it the copy in the source archive of jsonschema 4.26.0 is fetched once from
the Python package index into the cache. Where there is neither, the test is skipped and says so.
All required tests must pass: 1,257 in the archive, 1,299 in the suite's repository at 44401e0c.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import ssl
import subprocess
import sys
import tarfile
import tempfile
import urllib.parse
import urllib.request

SKIPPED = 77
ARCHIVE = "jsonschema-4.26.0.tar.gz"
SHA256 = "0c26707e2efad8aa1bfc5b7ce170f3fccc2e4918ff85989ba9ffa9facb2be326"
LEAST = 1257


def pip_setting(name):
    run = subprocess.run([sys.executable, "-m", "pip", "config", "get", name], capture_output=True, text=True)
    return run.stdout.strip() if run.returncode == 0 else ""


def download():
    """The archive's bytes, from the index that pip would use."""
    from pip._internal.models.index import PyPI

    index = os.environ.get("PIP_INDEX_URL") or pip_setting("global.index-url") or PyPI.simple_url
    certificates = os.environ.get("PIP_CERT") or pip_setting("global.cert") or None
    context = ssl.create_default_context(cafile=certificates)
    page_url = index.rstrip("/") + "/jsonschema/"
    with urllib.request.urlopen(page_url, timeout=20, context=context) as page:
        link = re.search(r'href="([^"#]*/' + re.escape(ARCHIVE) + ")", page.read().decode())
    url = urllib.parse.urljoin(page_url, link.group(1))
    with urllib.request.urlopen(url, timeout=60, context=context) as archive:
        return archive.read()


def fetched():
    """The suite's folder in the cache, filled at the first call."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "stillroom"
    folder = cache / "json-schema-suite-4.26.0"
    if not folder.is_dir():
        data = download()
        if hashlib.sha256(data).hexdigest() != SHA256:
            raise ValueError(f"{ARCHIVE} has another digest than it should")
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            name = pathlib.Path(scratch) / ARCHIVE
            name.write_bytes(data)
            with tarfile.open(name) as archive:
                wanted = [m for m in archive.getmembers() if "/json/" in m.name and (m.isfile() or m.isdir())]
                archive.extractall(scratch, wanted)
            os.rename(pathlib.Path(scratch) / ARCHIVE.removesuffix(".tar.gz") / "json", folder)
    return folder


def suite_folder():
    named = os.environ.get("STILLROOM_JSON_SCHEMA_SUITE", "")
    if named:
        return pathlib.Path(named)
    try:
        return fetched()
    except Exception as error:  # no network, no pip: whatever it is, there is no suite
        print(f"skipped: STILLROOM_JSON_SCHEMA_SUITE is not set and the suite cannot be fetched: {error}")
        return None


def run_group(program, remotes, scratch, name, group):
    """What is wrong with our verdicts on one schema, and how many tests it has."""
    folder = scratch / name
    folder.mkdir()
    schema = folder / "schema.json"
    schema.write_text(json.dumps(group["schema"]), encoding="utf-8")
    files = []
    for i, test in enumerate(group["tests"]):
        files.append(folder / f"{i}.json")
        files[-1].write_text(json.dumps(test["data"]), encoding="utf-8")
    command = [program, "schema", "validate", schema, *files, "--json", "--resource", f"http://localhost:1234/={remotes}"]
    run = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60)
    tests = [f"{name}: {group['description']}: {test['description']}" for test in group["tests"]]
    try:
        verdicts = json.loads(run.stdout)
    except ValueError:
        return [f"{test}: exit {run.returncode}: {run.stderr.strip()}" for test in tests], len(tests)
    complaints = []
    for test, wanted, verdict in zip(tests, group["tests"], verdicts):
        if verdict["valid"] != wanted["valid"]:
            said = [error["message"] for error in verdict["errors"]]
            complaints.append(f"{test}: {'refused: ' + '; '.join(said) if said else 'taken'}")
        if not verdict["valid"] and not all(error["message"] for error in verdict["errors"]):
            complaints.append(f"{test}: a mistake without a message")
    if any(not test["valid"] for test in group["tests"]) != (run.returncode == 2):
        complaints.append(f"{name}: {group['description']}: exit {run.returncode}")
    return complaints, len(tests)


def main():
    folder = suite_folder()
    if folder is None:
        return SKIPPED
    program = sys.argv[1]
    remotes = folder / "remotes"
    complaints, count = [], 0
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(2) as pool:
        runs = []
        for path in sorted((folder / "tests" / "draft2020-12").glob("*.json")):
            for i, group in enumerate(json.loads(path.read_text(encoding="utf-8"))):
                name = f"{path.stem}-{i}"
                runs.append(pool.submit(run_group, program, remotes, pathlib.Path(scratch), name, group))
        for run in runs:
            wrong, tests = run.result()
            complaints += wrong
            count += tests
    print("\n".join(complaints))
    print(f"JSON-Schema-Test-Suite, draft 2020-12, required: {count - len(complaints)} of {count} pass")
    return 0 if not complaints and count >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
