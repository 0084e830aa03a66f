"""The model hub's client against a hub of our own (mock_hub.py). Rows are named by those of the fault matrix.

usage: hub.py HUB_TOOL [-v] [PART ...]
"""

import contextlib
import hashlib
import os
import pathlib
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import mock_hub
from mock_hub import COMMIT, MODEL, Fault, listing

ONE = "model-00001-of-00002.safetensors"
TWO = "model-00002-of-00002.safetensors"
WANTED = [p for p in MODEL if not p.endswith((".py", ".bin")) and not p.startswith("original/")]
EXPECTED = pathlib.Path(__file__).parents[3] / "reference/hub/cache.txt"
PINNED = f"hf:org/tiny@{COMMIT}"


class Rows:
    def __init__(self, tool, folder):
        self.tool, self.folder, self.hub = tool, folder, mock_hub.Hub()
        self.cache = folder / "cache"
        self.home = folder / "home"
        self.home.mkdir()
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "HF_HUB_CACHE": str(self.cache),
                            "HF_ENDPOINT": self.hub.endpoint, "NO_PROXY": "127.0.0.1,127.0.0.2", "LC_ALL": "C.UTF-8"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LD_LIBRARY_PATH"):
            if name in os.environ:
                self.environment[name] = os.environ[name]
        self.passed = self.failed = 0

    def command(self, words, variables):
        environment = {k: v for k, v in {**self.environment, **variables}.items() if v is not None}
        return {"args": [self.tool, *words], "env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

    def start(self, name, faults, fresh):
        self.name = name
        if fresh:
            shutil.rmtree(self.cache, ignore_errors=True)
        self.hub.faults[:] = faults
        self.hub.seen.clear()

    def expect(self, what, holds, more=""):
        self.passed += bool(holds)
        self.failed += not holds
        if not holds:
            print(f"FAILED {self.name}: {what}\n{more}")

    def row(self, name, words, code, says="", asked=None, faults=(), fresh=True, prefix=(), **variables):
        """`says` stands in what the tool says; `asked`: how many requests came."""
        self.start(name, faults, fresh)
        command = self.command(words, variables)
        command["args"] = [*prefix, *command["args"]]
        begun = time.monotonic()
        done = subprocess.run(**command, timeout=120)
        if "-v" in sys.argv:
            print(f"{time.monotonic() - begun:5.1f} s  {name}")
        text = done.stdout + done.stderr
        self.expect(f"exit {done.returncode}, expected {code}", done.returncode == code, text)
        self.expect(f"does not say {says!r}", says in text, text)
        self.expect(f"{len(self.hub.seen)} requests, expected {asked}", asked in (None, len(self.hub.seen)), self.lines())
        self.expect("a secret is shown", "CANARY" not in text and "SIGNED" not in text, text)
        others = [line for line, headers in self.hub.seen if line.startswith("cdn") and "authorization" in headers]
        self.expect("another host saw the token", not others, str(others))
        self.expect("a file on its way was left", not list(self.cache.rglob("*.incomplete")) and not list(self.cache.rglob("*.tmp")))
        if code == 0 and words[:2] == ["fetch", PINNED] and "small" not in words:
            self.expect("the snapshot is another", self.snapshot() == {p: MODEL[p] for p in WANTED})
        return text

    def lines(self):
        return "\n".join(line + (" " + headers["range"] if "range" in headers else "") for line, headers in self.hub.seen)

    def snapshot(self, commit=COMMIT):
        top = self.cache / "models--org--tiny/snapshots" / commit
        return {str(p.relative_to(top)): p.read_bytes() for p in top.rglob("*") if p.is_file()}

    def blob(self, path):
        return (self.cache / "models--org--tiny/snapshots" / COMMIT / path).resolve()


def fetches(rows):
    row, hub = rows.row, rows.hub
    text = row("a whole model", ["fetch", "hf:org/tiny"], 0, "is not pinned")
    order = [line.split()[1] for line in text.splitlines() if line.startswith("file ")]
    rows.expect("small files come first", order[-2:] == [ONE, TWO] and set(order) == set(WANTED), text)
    digest = hashlib.sha256(hashlib.sha256(MODEL[TWO]).digest()).hexdigest()
    rows.expect("the digest is worked out on the way", f"{TWO} 300000 {digest}" in text, text)
    rows.expect("no code and no pickle is asked for", not any(".py" in l or ".bin" in l for l, _ in hub.seen), rows.lines())
    rows.expect("the cache is what huggingface_hub makes of it", listing(rows.cache) == EXPECTED.read_text(), listing(rows.cache))
    before = [(p, p.lstat().st_mtime_ns) for p in sorted(rows.cache.rglob("*"))]
    row("a name costs one request when all is there", ["fetch", "hf:org/tiny"], 0, asked=1, fresh=False)
    row("a commit costs none", ["fetch", PINNED], 0, asked=0, fresh=False)
    rows.expect("a hit writes nothing", before == [(p, p.lstat().st_mtime_ns) for p in sorted(rows.cache.rglob("*"))])
    text = row("small files alone", ["fetch", PINNED, "small"], 0)
    rows.expect("no weight is fetched", "cdn" not in rows.lines() and ONE not in text, rows.lines())
    row("the rest follows", ["fetch", PINNED], 0, fresh=False)
    rows.expect("small files are not asked for again", "tokenizer" not in rows.lines() and "tree" not in rows.lines(), rows.lines())
    row("without links", ["fetch", PINNED], 0, HF_HUB_DISABLE_SYMLINKS="1")
    rows.expect("files stand there themselves", not any(p.is_symlink() for p in rows.cache.rglob("*")))
    row("a repository without an owner", ["fetch", "hf:plain"], 0, "model.safetensors 900")
    row("only pickles", ["fetch", "hf:org/pickled"], 10, "pickles only")
    row("a listing that leaves its folder", ["fetch", "hf:org/odd"], 5, "leaves its folder")
    rows.expect("nothing is written outside", not list(rows.folder.rglob("evil")))
    row("one file", ["file", "hf:org/tiny", "config.json"], 0, "snapshots/" + COMMIT)
    row("one file that is not there", ["file", "hf:org/tiny", "none.json"], 0, "none")
    row("which is remembered", ["file", PINNED, "none.json"], 0, "none", asked=0, fresh=False)
    row("stopped", ["fetch", PINNED, "stop"], 75, "stopped")
    row("a rank that waits in vain", ["await", PINNED, "0.3"], 5, "is still not in", asked=0)
    rows.start("four at once", [], True)
    four = [subprocess.Popen(**rows.command(["fetch", PINNED], {})) for _ in range(4)]
    ends = [(process.communicate(timeout=60), process.returncode) for process in four]
    rows.expect("all succeed", all(code == 0 for _, code in ends), str(ends))
    rows.expect("the snapshot is another", rows.snapshot() == {p: MODEL[p] for p in WANTED})
    rows.expect("nothing is left", not list(rows.cache.rglob("*.incomplete")) and not list(rows.cache.rglob("*.tmp")))
    old = rows.cache / "models--org--tiny/blobs" / ("0" * 64 + ".01234567.incomplete")
    old.write_bytes(b"of a process that was killed")
    os.utime(old, (0, 0))
    rows.blob(TWO).unlink()
    row("what a dead process left a day ago goes", ["fetch", PINNED], 0, fresh=False)


def spoilt(rows):
    row = rows.row
    row("a cache to spoil", ["fetch", PINNED], 0)
    with rows.blob(ONE).open("r+b") as blob:
        blob.truncate(1000)
    row("a blob that was cut is fetched again", ["fetch", PINNED], 0, fresh=False)
    with rows.blob(ONE).open("r+b") as blob:
        blob.write(b"changed")
    row("one that was changed too, if asked to look", ["fetch", PINNED, "verify"], 0, fresh=False)
    rows.expect("only that one", sum(line.startswith("cdn GET") for line, _ in rows.hub.seen) == 1, rows.lines())
    rows.blob("config.json").unlink()
    row("a link that leads nowhere", ["fetch", PINNED], 0, fresh=False)
    tree = rows.cache / "models--org--tiny/trees" / f"{COMMIT}.json"
    tree.write_text("{")
    row("a list of files that is none", ["fetch", PINNED], 0, fresh=False)
    tree.unlink()
    rows.blob(TWO).unlink()
    row("without one the index tells", ["fetch", PINNED], 5, f"lacks {TWO} in", fresh=False, asked=0, HF_HUB_OFFLINE="1")
    row("and what is missing is fetched", ["fetch", PINNED], 0, fresh=False)


def refusals(rows):
    row = rows.row
    gated = [("X-Error-Code", "GatedRepo"), ("X-Error-Message", "Access to model org/tiny is restricted")]
    token = {"HF_TOKEN": "hf_CANARY"}
    row("S3 401: anonymous, it may be missing", ["fetch", "hf:org/none"], 5, "there is no model 'org/none' at", asked=1)
    row("S3 401: the token is no good", ["fetch", "hf:org/tiny"], 5, "does not accept the token from HF_TOKEN", asked=1, faults=[
        Fault("status", "revision", status=401, headers=[("X-Error-Message", "Invalid credentials in Authorization header")])], **token)
    row("S3 403 gated", ["fetch", "hf:org/tiny"], 5, f"its licence is accepted at {rows.hub.endpoint}/org/tiny", asked=1,
        faults=[Fault("status", "revision", status=403, headers=gated)], **token)
    row("S3 gated, the token's source", ["fetch", "hf:org/tiny"], 5, "'org/tiny' is gated and the token from HF_TOKEN has no access",
        faults=[Fault("status", "revision", status=403, headers=gated)], **token)
    row("S3 gated, no token", ["fetch", "hf:org/tiny"], 5, "'org/tiny' is gated and no token is set", asked=1,
        faults=[Fault("status", "revision", status=401, headers=gated)])
    row("S3 403 of one file", ["fetch", PINNED], 5, "answers 403", faults=[Fault("status", "HEAD /org/tiny", status=403)], **token)
    row("S3 404 repository", ["fetch", "hf:org/none"], 5, "the token from HF_TOKEN may not see it", asked=1, **token)
    row("S3 404 revision", ["fetch", "hf:org/tiny@v9"], 5, "model 'org/tiny' has no revision 'v9'", asked=1)
    row("S3 404 commit", ["fetch", "hf:org/tiny@" + "a" * 40], 5, "has no revision 'aaaa", asked=1)
    row("S3 429, Retry-After", ["fetch", PINNED], 0, faults=[Fault("status", "tree", status=429, headers=[("Retry-After", "1")])])
    row("S3 429 for an hour", ["fetch", PINNED], 5, "and wants 3600 s between two", asked=1,
        faults=[Fault("status", "tree", status=429, headers=[("Retry-After", "3600")])])
    row("S3 500, three times", ["fetch", PINNED], 0, faults=[Fault("status", "HEAD", 3, status=500)])
    row("S3 503 for ever", ["fetch", "hf:org/tiny"], 5, "answers 503", asked=6, faults=[Fault("status", "revision", 99, status=503)])
    row("S3 a name, and the hub is down", ["fetch", "hf:org/tiny"], 0)
    row("S3 then the cache serves", ["fetch", "hf:org/tiny"], 0, f"the cached {COMMIT} is used", asked=1, fresh=False,
        faults=[Fault("status", "revision", 99, status=503)])
    row("S3 nobody listens", ["fetch", "hf:org/tiny"], 0, f"the cached {COMMIT} is used", fresh=False, HF_ENDPOINT="http://127.0.0.1:1")
    row("S3 nobody listens, nothing there", ["fetch", "hf:org/tiny"], 5, "is not in", HF_ENDPOINT="http://127.0.0.1:1")
    row("no hub at all", ["fetch", "hf:org/tiny"], 5, "does not answer as a model hub does",
        faults=[Fault("status", "revision", status=200)])


def transfers(rows):
    row = rows.row
    get = "cdn GET"
    ranges = lambda: [headers["range"] for line, headers in rows.hub.seen if "range" in headers]
    row("S4 cut at a tenth", ["fetch", PINNED], 0, faults=[Fault("cut", f"{get} {ONE}", bytes=70_000)])
    rows.expect("it goes on where it was", ranges() == ["bytes=70000-"], rows.lines())
    row("S4 cut nine times, with headway", ["fetch", PINNED], 0, faults=[Fault("cut", f"{get} {ONE}", 9, bytes=50_000)])
    row("S4 cut again and again, without", ["fetch", PINNED], 5, "cannot fetch", faults=[Fault("cut", get, 99, bytes=100)])
    row("S4 200 to a Range", ["fetch", PINNED], 0, faults=[Fault("cut", f"{get} {ONE}", bytes=70_000), Fault("no ranges", f"{get} {ONE}")])
    rows.expect("it begins anew at once", sum(line.startswith("hub HEAD") and ONE in line for line, _ in rows.hub.seen) == 1, rows.lines())
    row("S4 another range", ["fetch", PINNED], 0, faults=[Fault("cut", f"{get} {ONE}", bytes=70_000), Fault("another range", f"{get} {ONE}", by=1)])
    row("S4 416", ["fetch", PINNED], 0, faults=[Fault("cut", f"{get} {ONE}", bytes=70_000), Fault("status", get, status=416)])
    row("S4 more than announced", ["fetch", PINNED], 5, "are announced, not", faults=[Fault("length", get, 99, by=5)])
    row("S4 less than announced", ["fetch", PINNED], 5, "are announced, not", faults=[Fault("length", get, 99, by=-5)])
    row("S4 no length, and cut", ["fetch", PINNED], 0, faults=[Fault("no length", get, bytes=50_000)])
    row("S4 endless", ["fetch", PINNED], 5, "more than", faults=[Fault("endless", get, 99)])
    row("S4 a flipped bit, once", ["fetch", PINNED], 0, faults=[Fault("flipped", f"{get} {ONE}")])
    row("S4 a flipped bit, always", ["fetch", PINNED], 5, "its SHA-256 is", faults=[Fault("flipped", f"{get} {ONE}", 99)])
    row("S4 gzip", ["fetch", PINNED], 5, "it comes as gzip", faults=[Fault("gzip", get, 99)])
    row("S4 a byte now and then", ["fetch", PINNED], 5, "takes too long", faults=[Fault("slow", get, 99)], HF_HUB_DOWNLOAD_TIMEOUT="1")
    row("S4 silence", ["fetch", "hf:org/tiny"], 5, "takes too long", faults=[Fault("silent", "revision", 99, seconds=5)], HF_HUB_ETAG_TIMEOUT="0.1")
    row("S4 the server hangs up", ["fetch", PINNED], 0, faults=[Fault("hang up", get, 2), Fault("hang up", "HEAD", 2)])
    row("another file midway", ["fetch", PINNED], 5, "became another file", faults=[Fault("another etag", "GET /org/tiny/resolve", 99, etag="b" * 40)])
    row("a signature that is too old", ["fetch", PINNED], 0, faults=[Fault("cut", f"{get} {ONE}", bytes=70_000), Fault("status", get, status=403)])
    rows.expect("what was there stays", ranges() == ["bytes=70000-"] * 2, rows.lines())
    moved = [("Location", f"/moved/org/tiny/resolve/{COMMIT}/{ONE}")]
    row("a redirect with a page of its own", ["fetch", PINNED], 0, faults=[
        Fault("status", f"{get} /org {ONE}", status=302, headers=moved, body=b"<p>moved</p>" * 1000)])
    rows.expect("it is followed", "cdn GET /moved/" in rows.lines(), rows.lines())
    row("redirects without end", ["fetch", PINNED], 5, "more than 5 redirects", faults=[
        Fault("status", "HEAD", 99, status=307, headers=[("Location", "/org/tiny/resolve/main/config.json")])])
    row("an etag that is a path", ["fetch", PINNED], 5, "no ETag that could name a file",
        faults=[Fault("status", "HEAD", status=200, headers=[("X-Repo-Commit", COMMIT), ("ETag", '"../../x"')])])
    row("a listing that goes on elsewhere", ["fetch", PINNED], 5, "goes on at another host", faults=[
        Fault("status", "tree", status=200, body=b"[]", headers=[("Link", f'<{rows.hub.content}/more>; rel="next"')])])


def secrets(rows):
    row = rows.row
    row("S1 a token goes to the hub alone", ["fetch", PINNED], 0, HF_TOKEN="hf_CANARY")
    asked = [(line, headers.get("authorization")) for line, headers in rows.hub.seen]
    rows.expect("every request to it", all(a == "Bearer hf_CANARY" for line, a in asked if line.startswith("hub")), str(asked))
    rows.expect("there was another host", any(line.startswith("cdn") for line, _ in asked))
    file = rows.home / "token"
    file.write_text("hf_CANARY\n")
    row("S1 a token file, newline stripped", ["fetch", "hf:org/tiny@nope"], 5, "no revision", HF_TOKEN_PATH=str(file))
    rows.expect("it is sent", rows.hub.seen and rows.hub.seen[0][1].get("authorization") == "Bearer hf_CANARY")
    row("S1 a token that is none", ["fetch", PINNED], 5, "the token from HF_TOKEN holds a character", asked=0, HF_TOKEN="hf_CANARY\r\nX: y")
    row("only if asked", ["fetch", PINNED], 0, HF_TOKEN="hf_CANARY", HF_HUB_DISABLE_IMPLICIT_TOKEN="1")
    rows.expect("no token is sent", not any("authorization" in headers for _, headers in rows.hub.seen))
    rows.expect("it is nowhere in the cache", not any(b"CANARY" in p.read_bytes() for p in rows.cache.rglob("*") if p.is_file()))
    row("S5 plain http to another machine gets no token", ["fetch", "hf:org/tiny@nope"], 5, "no revision", HF_TOKEN="hf_CANARY",
        HF_ENDPOINT="http://hub.example", http_proxy=rows.hub.endpoint, NO_PROXY=None)
    rows.expect("it came through", len(rows.hub.seen) == 1 and "authorization" not in rows.hub.seen[0][1], str(rows.hub.seen))
    row("S5 a password in the endpoint", ["fetch", PINNED], 5, "HF_ENDPOINT is no address", HF_ENDPOINT="http://user:CANARY@127.0.0.1")


def tls(rows):
    key, certificate = rows.folder / "key.pem", rows.folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    hub = mock_hub.Hub()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    import http.server

    class Secure(mock_hub.Handler):
        pass

    Secure.hub, Secure.role = hub, "hub"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Secure)
    server.daemon_threads, server.handle_error = True, lambda *_: None
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.endpoint = f"https://127.0.0.1:{server.server_address[1]}"
    known = {"HF_ENDPOINT": hub.endpoint, "STILLROOM_CA_BUNDLE": str(certificate)}
    row = rows.row
    row("S5 an authority that nobody knows", ["fetch", "hf:org/tiny"], 5, "does not prove who it is", HF_ENDPOINT=hub.endpoint)
    row("S5 a cache is no way round that", ["fetch", "hf:org/tiny"], 0)
    row("S5 (the same, cached)", ["fetch", "hf:org/tiny"], 5, "does not prove who it is", fresh=False, HF_ENDPOINT=hub.endpoint)
    row("S5 another host's certificate", ["fetch", "hf:org/tiny"], 5, "does not prove who it is", **{
        **known, "HF_ENDPOINT": hub.endpoint.replace("127.0.0.1", "localhost"), "NO_PROXY": "localhost"})
    row("S5 small files over TLS", ["fetch", PINNED, "small"], 0, HF_TOKEN="hf_CANARY", **known)
    rows.expect("with the token", all("authorization" in headers for _, headers in hub.seen))
    row("S5 a way that leads away from TLS", ["fetch", PINNED], 5, "leads away from https", **known)


def offline(rows):
    row = rows.row
    off = {"HF_HUB_OFFLINE": "1"}
    row("S7 offline, nothing there", ["fetch", "hf:org/tiny"], 5, "and offline mode is on", asked=0, **off)
    row("S7 and what to run", ["fetch", "hf:org/tiny@v1"], 5, "`hf download org/tiny --revision v1` fetches it", asked=0, **off)
    row("S7 the file", ["file", "hf:org/tiny", "config.json"], 5, "`hf download org/tiny config.json` fetches it", asked=0, **off)
    row("S7 (filled)", ["fetch", "hf:org/tiny"], 0)
    row("S7 offline, all there", ["fetch", "hf:org/tiny"], 0, asked=0, fresh=False, **off)
    row("S7 TRANSFORMERS_OFFLINE", ["fetch", PINNED], 0, asked=0, fresh=False, TRANSFORMERS_OFFLINE="yes")
    row("S7 another revision", ["fetch", "hf:org/tiny@v1"], 5, "is not in", asked=0, fresh=False, **off)
    rows.blob(ONE).unlink()
    row("S7 one file is missing", ["fetch", "hf:org/tiny"], 5, f"lacks {ONE} in", asked=0, fresh=False, **off)
    row("S7 small files are there", ["fetch", "hf:org/tiny", "small"], 0, asked=0, fresh=False, **off)
    log = rows.folder / "strace"
    strace = ["strace", "-f", "-e", "trace=network", "-o", str(log)]
    works = shutil.which("strace") and subprocess.run([*strace, "true"], capture_output=True).returncode == 0
    if works and b"__asan_init" not in pathlib.Path(rows.tool).read_bytes():  # its leak check traces too
        row("S7 no socket", ["fetch", "hf:org/tiny", "small"], 0, fresh=False, prefix=strace, **off)
        rows.expect("one was opened", "AF_INET" not in log.read_text(), log.read_text())
    else:
        print("SKIP S7 no socket: strace cannot trace here")


def main():
    with tempfile.TemporaryDirectory(prefix="stillroom-hub-") as scratch, contextlib.ExitStack():
        rows = Rows(str(pathlib.Path(sys.argv[1]).absolute()), pathlib.Path(scratch))
        for part in (fetches, spoilt, refusals, transfers, secrets, tls, offline):
            if part.__name__ in sys.argv[2:] or not [word for word in sys.argv[2:] if word != "-v"]:
                part(rows)
        print(f"{rows.passed} passed, {rows.failed} failed")
        return 1 if rows.failed else 0


if __name__ == "__main__":
    sys.exit(main())
