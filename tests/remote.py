"""Remote recipes against a server of our own on the loopback interface, with a certificate made here.

usage: remote.py PROGRAM
Every row asks the program for one thing and says what must come of it: exit code, words on stderr, requests that arrived.
"""

import hashlib
import http.server
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

PART = b"""params: {files: none, steps: 10}
stages:
  teacher: {use: checkpoint.load, source: "hf:HuggingFaceTB/SmolLM2-135M"}
outputs: {model: teacher}
"""
READS = b"""params: {file: ./own.gguf}
stages:
  teacher: {use: checkpoint.load, source: "${params.file}"}
outputs: {model: teacher}
"""
BODIES = {
    "/part.yaml": PART,
    "/reads.yaml": READS,
    "/passwd.yaml": READS.replace(b"./own.gguf", b"/etc/passwd"),
    "/parts.yaml": READS.replace(b"./own.gguf", b"data/m.gguf").replace(b'"${params.file}"', b'"${params.file}/../../up.gguf"'),
    "/home.yaml": READS.replace(b"./own.gguf", b'"${oc.env:HOME}/m.gguf"'),
    "/token.yaml": PART.replace(b'SmolLM2-135M"', b'SmolLM2-135M", env: {HF_TOKEN: "${secret:HF_TOKEN}"}'),
    "/endpoint.yaml": PART.replace(b'SmolLM2-135M"', b'SmolLM2-135M", env: {OMP_NUM_THREADS: "1"}'),
    "/beside.yaml": b"stages:\n  inner: {use: ./part.yaml}\n",
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    failures = 0
    seen = []

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", headers.pop("length", len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        Handler.seen.append((self.path, dict(self.headers)))
        if self.path in BODIES:
            return self.answer(200, BODIES[self.path])
        if self.path == "/moved.yaml":
            return self.answer(302, Location="/part.yaml")
        if self.path == "/plain.yaml":
            return self.answer(302, Location="http://127.0.0.1:1/part.yaml")
        if self.path == "/gated.yaml":
            return self.answer(401, WWW_Authenticate="Basic realm=x")
        if self.path == "/busy.yaml":
            Handler.failures += 1
            return self.answer(500) if Handler.failures < 3 else self.answer(200, PART)
        if self.path == "/cut.yaml":
            self.answer(200, PART[: len(PART) // 10], length=len(PART))
            self.close_connection = True
            return None
        if self.path == "/endless.yaml":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"# and on\n" * 10000)
            except OSError:
                pass
            self.close_connection = True
            return None
        return self.answer(404)


def make_certificate(folder):
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True)
    return key, certificate


def serve(folder):
    key, certificate = make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a client that does not trust us hangs up
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1], certificate


class Rows:
    def __init__(self, program, folder, port, certificate):
        self.program, self.folder, self.port = program, folder, port
        self.work = folder / "work"
        self.work.mkdir()
        self.home = folder / "home"
        self.home.mkdir()
        (self.home / ".netrc").write_text("machine 127.0.0.1 login user password CANARY\n")
        (self.home / ".netrc").chmod(0o600)
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "HF_TOKEN": "hf_CANARY",
                            "STILLROOM_CA_BUNDLE": str(certificate), "LC_ALL": "C.UTF-8"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LD_LIBRARY_PATH"):
            if name in os.environ:
                self.environment[name] = os.environ[name]
        self.passed = self.failed = 0

    def url(self, path, pin=True, host="127.0.0.1"):
        url = f"https://{host}:{self.port}{path}"
        body = BODIES.get(path, PART)
        return f"{url}#sha256={hashlib.sha256(body).hexdigest()}" if pin else url

    def forget(self):
        shutil.rmtree(self.home / ".cache", ignore_errors=True)

    def row(self, name, words, code, says="", asked=None, **variables):
        environment = {**self.environment, **variables}
        environment = {k: v for k, v in environment.items() if v is not None}
        before = len(Handler.seen)
        done = subprocess.run([self.program, *words], cwd=self.work, env=environment, capture_output=True, text=True, timeout=100)
        requests = len(Handler.seen) - before
        wrong = []
        if done.returncode != code:
            wrong.append(f"exit {done.returncode}, expected {code}")
        if says not in done.stderr:
            wrong.append(f"stderr does not say {says!r}")
        if asked is not None and asked != requests:
            wrong.append(f"{requests} requests, expected {asked}")
        if "CANARY" in done.stdout + done.stderr or any("CANARY" in str(h) or "Authorization" in h for _, h in Handler.seen):
            wrong.append("a credential got out")
        self.failed += bool(wrong)
        self.passed += not wrong
        if wrong:
            print(f"FAILED {name}: {'; '.join(wrong)}\n{done.stdout}{done.stderr}")

    def recipe(self, text):
        (self.work / "recipe.yaml").write_text(text)
        return "recipe.yaml"


def main():
    with tempfile.TemporaryDirectory(prefix="stillroom-remote-") as scratch:
        folder = pathlib.Path(scratch)
        port, certificate = serve(folder)
        rows = Rows(pathlib.Path(sys.argv[1]).absolute(), folder, port, certificate)
        row, url = rows.row, rows.url

        row("unpinned is refused before anything is asked", ["check", url("/part.yaml", False)], 10, "not pinned", 0)
        row("offline and not cached", ["check", "--offline", url("/part.yaml")], 5, "offline mode is on", 0)
        row("offline by the Hub's variable", ["check", url("/part.yaml")], 5, "offline mode is on", 0, HF_HUB_OFFLINE="1")
        row("offline by that of transformers", ["check", url("/part.yaml")], 5, "offline mode is on", 0, TRANSFORMERS_OFFLINE="1")
        row("pinned is fetched", ["check", url("/part.yaml")], 0, "", 1)
        row("and kept", ["check", url("/part.yaml")], 0, "", 0)
        row("offline and cached", ["check", "--offline", url("/part.yaml")], 0, "", 0)
        for copy in (rows.home / ".cache/stillroom/remote").glob("*/*.yaml"):
            copy.write_bytes(b"stages: {}\n")
        row("a spoilt copy is fetched again", ["check", url("/part.yaml")], 0, "", 1)
        rows.forget()
        pinned = url("/part.yaml")
        row("other bytes than pinned", ["check", pinned[:-1] + ("0" if pinned[-1] != "0" else "1")], 9, "its pin says", 1)
        row("a redirect to https", ["check", url("/moved.yaml")], 0, "", 2)
        row("a redirect to http", ["check", url("/plain.yaml")], 5, "leads away from https", 1)
        row("plain http", ["check", url("/part.yaml").replace("https:", "http:")], 10, "only https:// is fetched", 0)
        row("a password in the address", ["check", url("/part.yaml").replace("//", "//user:CANA@")], 10, "may not stand in it", 0)
        row("404", ["check", url("/none.yaml")], 5, "404", 1)
        row("401 gets no credentials", ["check", url("/gated.yaml")], 5, "401", 1)
        row("500 twice, then the file", ["check", url("/busy.yaml")], 0, "", 3)
        row("cut at a tenth, each time", ["check", url("/cut.yaml")], 5, "cannot fetch", 4)
        row("endless", ["check", url("/endless.yaml")], 5, "larger than the limit", 1)
        row("larger than --limit", ["check", "--limit", "file-bytes=20", url("/part.yaml")], 5, "limit of 20 bytes", None)
        rows.forget()
        row("an authority that nobody knows", ["check", url("/part.yaml")], 5, "does not prove who it is", 0, STILLROOM_CA_BUNDLE=None)
        row("SSL_CERT_FILE", ["check", url("/part.yaml")], 0, "", 1, STILLROOM_CA_BUNDLE=None, SSL_CERT_FILE=str(certificate))
        rows.forget()
        row("another host's certificate", ["check", url("/part.yaml", host="localhost")], 5, "does not prove who it is", 0)
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            nobody = f"https://127.0.0.1:{closed.getsockname()[1]}/part.yaml#sha256={'0' * 64}"
            row("nobody listens", ["check", nobody], 5, "cannot fetch", 0)

        row("as a stage", ["check", rows.recipe(f"stages:\n  first: {{use: \"{url('/part.yaml')}\", steps: 4}}\n")], 0, "", 1)
        row("as a base", ["check", rows.recipe(f"defaults:\n  - {url('/part.yaml')}\n  - _self_\nparams: {{steps: 3}}\n")], 0, "", 0)
        row("its own folder holds nothing else", ["check", url("/beside.yaml")], 10, "leaves the recipe's folder")
        row("a path of its own choice", ["check", url("/passwd.yaml")], 10, "may not read '/etc/passwd'")
        row("the same in a base", ["check", rows.recipe(f"defaults:\n  - {url('/passwd.yaml')}\n  - _self_\n")], 10, "may not read '/etc/passwd'")
        row("a path that a local recipe hands over", ["check", rows.recipe(f"stages:\n  first: {{use: \"{url('/reads.yaml')}\", file: ./model.gguf}}\n")], 0)
        row("a path from the command line", ["check", url("/reads.yaml"), "params.file=./model.gguf"], 0)
        row("out of a path that was handed over", ["check", url("/parts.yaml"), "params.file=./data/deep"], 10, "may not read")
        row("a variable", ["check", url("/home.yaml")], 10, "may not read the environment variable 'HOME'")
        row("a variable that a local recipe hands over", ["check", rows.recipe(f"stages:\n  first: {{use: \"{url('/reads.yaml')}\", file: \"${{oc.env:HOME}}/m.gguf\"}}\n")], 0)
        row("a secret", ["check", url("/token.yaml")], 10, "may not read the environment variable 'HF_TOKEN'")
        row("a worker's variable", ["check", url("/endpoint.yaml")], 10, "may not set the variable")

        unpinned = url("/part.yaml", False)
        recipe = rows.recipe(f"stages:\n  first: {{use: \"{unpinned}\"}}\n")
        lock = rows.work / "recipe.lock"
        row("unpinned without a lock", ["check", recipe], 10, "not pinned", 0)
        row("lock pins what is there now", ["lock", recipe], 0)
        row("the lock's pin counts", ["check", recipe, "--locked"], 0, "", 0)
        first = lock.read_text()
        BODIES["/part.yaml"] = PART + b"# changed\n"
        row("the pin stays though the server changed", ["lock", recipe], 0, "", 0)
        rows.forget()
        row("and refuses what is there now", ["check", recipe], 9, "its pin says", 1)
        row("until it is updated", ["lock", recipe, "--update", unpinned], 0, "", 1)
        row("which moves that item", ["check", recipe, "--locked"], 0, "", 0)
        row("of a remote recipe there is no lock", ["lock", url("/part.yaml")], 2, "a recipe of your own")
        if len(set(first.splitlines()) ^ set(lock.read_text().splitlines())) != 2:
            print("FAILED --update changes one line of the lock")
            rows.failed += 1

        print(f"{rows.passed} passed, {rows.failed} failed")
        return 1 if rows.failed else 0


if __name__ == "__main__":
    sys.exit(main())
