"""What the tests of the REST API share: clients of several roles, raw sockets, waiting."""
import base64
import functools
import json
import os
import pathlib
import socket
import subprocess
import time
import urllib.parse

import ceo

ROOT = pathlib.Path(__file__).resolve().parents[2]
TERMINAL = ("completed", "failed", "cancelled")


def client(key=None, timeout=120):
    return ceo.Client(os.environ["CEOAGENT_URL"], os.environ["CEOAGENT_API_KEY"] if key is None else key, timeout)


def command(*args, check=True):
    """Runs ceoagent-api; the keys it makes go to the stack's database."""
    env = {**os.environ, "ENCRYPTION_KEY": base64.b64encode(bytes(32)).decode()}
    binary = os.environ.get("BIN_DIR", "build/dev") + "/ceoagent-api"
    return subprocess.run([binary, *args], cwd=ROOT, env=env, text=True, capture_output=True, timeout=60,
                          check=check)


def new_key(role, *more):
    return json.loads(command("keys", "create", "--name", f"test {role}", "--role", role, *more).stdout)


@functools.lru_cache(maxsize=None)
def role_key(role):
    """One key per role without limits, for the whole session."""
    return new_key(role, "--rate", "none")["key"]


def as_role(role):
    return client(role_key(role))


def send_raw(data, read_all=True, timeout=10):
    """Sends bytes as they are; what comes back until the server closes."""
    parts = urllib.parse.urlsplit(os.environ["CEOAGENT_URL"])
    with socket.create_connection((parts.hostname, parts.port), timeout=timeout) as s:
        s.sendall(data)
        got = b""
        while read_all or b"\r\n\r\n" not in got:
            more = s.recv(65536)
            if not more:
                break
            got += more
        return got


def eventually(condition, seconds=30, pause=0.1):
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(pause)


def ended(c, decision_id, seconds=60):
    """The decision once it has ended."""
    def look():
        d = c.get(f"/api/v1/decisions/{decision_id}").data
        return d if d["status"] in TERMINAL else None
    return eventually(look, seconds)


def start(c, query="Should we open a second warehouse in Lyon?", **body):
    """An accepted decision, not waited for."""
    a = c.decide({"query": query, "mode": "async", **body})
    assert a.status == 202, a.body
    return a.data["decision_id"]
