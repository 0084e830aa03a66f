"""A model hub on the loopback interface, with faults on demand: HEAD and GET of files, revisions, trees; large files lie on
a content network of another host. Every request is remembered with its headers."""

import hashlib
import http.server
import json
import threading
import time
import urllib.parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "fedcba9876543210fedcba9876543210fedcba98"


def pattern(size, seed):
    """Bytes that repeat nowhere near a piece of a transfer."""
    out = bytearray()
    block = hashlib.sha256(seed.encode()).digest()
    while len(out) < size:
        out += block
        block = hashlib.sha256(block).digest()
    return bytes(out[:size])


MODEL = {
    "config.json": b'{"model_type": "llama"}\n',
    "tokenizer.json": pattern(40_000, "tokenizer"),
    "README.md": b"# tiny\n",
    "LICENSE": b"free\n",
    "additional_chat_templates/tool.jinja": b"{{ x }}\n",
    "modeling_tiny.py": b"raise SystemExit('run')\n",
    "pytorch_model.bin": pattern(3_000, "pickle"),
    "original/consolidated.safetensors": pattern(2_000, "original"),
    "model-00001-of-00002.safetensors": pattern(700_000, "one"),
    "model-00002-of-00002.safetensors": pattern(300_000, "two"),
}
MODEL["model.safetensors.index.json"] = json.dumps(
    {"metadata": {}, "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}).encode()
REPOS = {
    "models/org/tiny": {"main": COMMIT, "refs/pr/1": OTHER, "files": MODEL},
    "models/org/pickled": {"main": COMMIT, "files": {"config.json": b"{}", "pytorch_model.bin": b"x" * 100}},
    "models/org/odd": {"main": COMMIT, "files": {"config.json": b"{}", "../../evil": b"x", "model.safetensors": b"y" * 10}},
    "models/plain": {"main": COMMIT, "files": {"config.json": b"{}", "model.safetensors": pattern(900, "plain")}},
}


def sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def is_large(path):
    return path.endswith((".safetensors", ".bin"))


def listing(cache):
    """A cache in lines: what links where, what a file holds. Locks come and go, the order in which files came does not."""
    lines = []
    for path in sorted(cache.rglob("*")):
        name = path.relative_to(cache)
        if name.parts[0] == ".locks" or name.name == "CACHEDIR.TAG":
            continue
        if path.is_symlink():
            lines.append(f"{name} -> {path.readlink()}")
        elif path.is_file():
            lines.append(f"{name} {path.stat().st_size} {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}")
    return "".join(line + "\n" for line in lines)


class Fault:
    """What happens instead of the right answer: `times` times, to requests whose line holds every word of `match`."""

    def __init__(self, kind, match, times=1, **more):
        self.kind, self.match, self.times, self.more = kind, match, times, more


class Hub:
    def __init__(self):
        self.seen, self.faults, self.lock = [], [], threading.Lock()
        self.page = 4  # files a page of a listing
        self.main = self.start("127.0.0.1", "hub")
        self.cdn = self.start("127.0.0.2", "cdn")
        self.endpoint = f"http://127.0.0.1:{self.main}"
        self.content = f"http://127.0.0.2:{self.cdn}"

    def start(self, host, role):
        hub = self

        class Bound(Handler):
            pass

        Bound.hub, Bound.role = hub, role
        server = http.server.ThreadingHTTPServer((host, 0), Bound)
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # a client that had enough hangs up
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server.server_address[1]

    def take_fault(self, line):
        with self.lock:
            for fault in self.faults:
                if fault.times > 0 and all(word in line for word in fault.match.split()):
                    fault.times -= 1
                    return fault
        return None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub = role = None

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=(), length=None):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code="", message=""):
        self.answer(status, b"no", [("X-Error-Code", code), ("X-Error-Message", message)] + (
            [("X-Repo-Commit", COMMIT)] if code == "EntryNotFound" else []))

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        if self.path.startswith("http://"):  # we are asked as a proxy
            self.path = urllib.parse.urlsplit(self.path)._replace(scheme="", netloc="").geturl()
        line = f"{self.role} {self.command} {self.path}"
        with self.hub.lock:
            self.hub.seen.append((line, {k.lower(): v for k, v in self.headers.items()}))
        fault = self.hub.take_fault(line)
        if fault and fault.kind == "status":
            return self.answer(fault.more["status"], fault.more.get("body", b"no"), fault.more.get("headers", []))
        if fault and fault.kind == "hang up":
            self.close_connection = True
            return None
        if fault and fault.kind == "silent":
            time.sleep(fault.more["seconds"])
            self.close_connection = True
            return None
        address = urllib.parse.urlsplit(self.path)
        parts = [urllib.parse.unquote(part) for part in address.path.strip("/").split("/")]
        if self.role == "cdn":
            return self.content(parts, fault)
        if parts[0] == "api":
            return self.api(parts[1:], address.query)
        return self.resolve(parts, fault)

    def repo(self, words):
        """The repository that the words begin with, and the words after it."""
        for count in (3, 2):
            found = REPOS.get("/".join(words[:count]))
            if found:
                return found, words[count:]
        return None, []

    def api(self, words, query):
        repo, rest = self.repo(words)
        if not repo or len(rest) != 2:
            return self.refuse(401 if "Authorization" not in self.headers else 404, "RepoNotFound")
        commit = repo.get(rest[1], rest[1] if rest[1] == COMMIT else None)
        if not commit:
            return self.refuse(404, "RevisionNotFound")
        if rest[0] == "revision":
            name = "/".join(words[1:words.index("revision")])
            return self.answer(200, json.dumps({"id": name, "sha": commit, "siblings": []}).encode())
        files, first = sorted(repo["files"].items()), int(dict(urllib.parse.parse_qsl(query)).get("cursor", 0))
        listed = [{"type": "directory", "path": "original", "oid": "0" * 40, "size": 0}] if first == 0 else []
        for path, data in files[first:first + self.hub.page]:
            entry = {"type": "file", "path": path, "size": len(data), "oid": sha1(data)}
            if is_large(path):
                entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
            listed.append(entry)
        headers = []
        if first + self.hub.page < len(files):
            base = f"{self.hub.endpoint}{self.path.split('?')[0]}?recursive=True&expand=False&cursor={first + self.hub.page}"
            headers.append(("Link", f'<{base}>; rel="next"'))
        return self.answer(200, json.dumps(listed).encode(), headers)

    def resolve(self, parts, fault):
        cached = parts[0] == "resolve-cache"
        words = parts[1:] if cached else parts
        repo, rest = self.repo(words if words[0] == "datasets" else ["models"] + words)
        if not repo:
            return self.refuse(401 if "Authorization" not in self.headers else 404, "RepoNotFound")
        revision, path = rest[1], "/".join(rest[2:])
        commit = repo.get(revision, revision if revision == COMMIT else None)
        if not commit:
            return self.refuse(404, "RevisionNotFound")
        if path not in repo["files"]:
            return self.refuse(404, "EntryNotFound", "Entry not found")
        data = repo["files"][path]
        headers = [("X-Repo-Commit", commit)]
        if is_large(path):
            digest = hashlib.sha256(data).hexdigest()
            headers += [("X-Linked-Etag", f'"{digest}"'), ("X-Linked-Size", str(len(data))), ("ETag", '"of-the-redirect"'),
                        ("Location", f"{self.hub.content}/{'/'.join(parts[:-1])}/{path}?X-Signature=SIGNED")]
            return self.answer(302, b"", headers)
        if path == "tokenizer.json" and not cached:  # as the hub does for small files: a way on its own host
            return self.answer(307, b"", headers + [("Location", f"/resolve-cache{self.path}")])
        etag = fault.more["etag"] if fault and fault.kind == "another etag" else sha1(data)
        return self.send_file(data, headers + [("ETag", f'W/"{etag}"')], fault)

    def content(self, parts, fault):
        repo, rest = self.repo(["models"] + parts[parts[0] == "moved":])
        if not repo or "/".join(rest[2:]) not in repo["files"]:
            return self.answer(404)
        return self.send_file(repo["files"]["/".join(rest[2:])], [("ETag", '"of-the-content-network"')], fault)

    def send_file(self, data, headers, fault):
        kind, more = (fault.kind, fault.more) if fault else ("", {})
        begin, status = 0, 200
        asked = self.headers.get("Range")
        if asked and kind != "no ranges":
            begin, status = int(asked.removeprefix("bytes=").rstrip("-")), 206
            if begin >= len(data):
                return self.answer(416)
            shift = more["by"] if kind == "another range" else 0
            headers.append(("Content-Range", f"bytes {begin + shift}-{len(data) - 1}/{len(data)}"))
        body = data[begin:]
        if kind == "flipped":
            body = body[:len(body) // 2] + bytes([body[len(body) // 2] ^ 1]) + body[len(body) // 2 + 1:]
        if kind == "gzip":
            return self.answer(200, body, headers + [("Content-Encoding", "gzip")])
        if kind == "length":
            return self.answer(status, body + b"more" * 100, headers, len(body) + more["by"])
        if kind in ("endless", "slow", "no length", "cut"):
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            if kind in ("slow", "cut"):
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.close_connection = True
            if kind == "endless":
                while True:
                    self.wfile.write(body)
            if kind == "slow":
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    time.sleep(0.05)
            if kind == "no length":
                self.wfile.write(body[:more.get("bytes", len(body))])
            if kind == "cut":
                self.wfile.write(body[:more["bytes"]])
                self.wfile.flush()
                time.sleep(0.05)
            return None
        return self.answer(status, body, headers)
