"""A stack for the black-box tests: the real programs, a private PostgreSQL and Redis.

`stack` is one for the whole session; `new_stack` makes further ones with settings of their own (for
tests that kill or misconfigure things). Clients use tests/blackbox/ceo.py.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Stack:
    """Starts and stops tests/harness/stack in a folder of its own."""

    def __init__(self, settings=None, agents=1, workers=1):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ceoagent-test-"))
        os.chmod(self.dir, 0o711)
        # The session's stack is in the environment for its clients; another stack has stores of its own.
        mine = {k: v for k, v in os.environ.items()
                if k not in ("CEOAGENT_URL", "CEOAGENT_API_KEY", "DATABASE_URL", "REDIS_URL")}
        self.env = {**mine, "RUN_DIR": str(self.dir), "AGENTS": str(agents),
                    "WORKERS": str(workers), "BIN_DIR": os.environ.get("BIN_DIR", "build/dev"),
                    **(settings or {})}
        self.harness("up")
        self.read_env()

    def harness(self, *args):
        done = subprocess.run(["tests/harness/stack", *args], cwd=ROOT, env=self.env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=180)
        if done.returncode != 0:
            raise RuntimeError(f"stack {args}: {done.stdout}")
        return done.stdout

    def read_env(self):
        for line in (self.dir / "env").read_text().splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            setattr(self, name.lower(), value.strip("'"))
        self.url, self.api_key = self.ceoagent_url, self.ceoagent_api_key

    def pid(self, name):
        return int((self.dir / "pids" / name).read_text())

    def kill(self, name, sig=signal.SIGKILL):
        os.kill(self.pid(name), sig)

    def restart(self, name):
        return self.harness("restart", name)

    def log(self, name):
        return (self.dir / "log" / name).read_text(errors="replace")

    def sql(self, text):
        """Rows as lists of strings, as the superuser (no row-level security)."""
        secret = (self.dir / "secrets" / "postgres").read_text().strip()
        port = (self.dir / "ports" / "postgres").read_text().strip()
        url = f"postgresql://postgres:{secret}@127.0.0.1:{port}/ceoagent"
        out = subprocess.run(["psql", "-qAtX", "-F", "\t", url, "-v", "ON_ERROR_STOP=1", "-c", text],
                             text=True, capture_output=True, check=True, timeout=60).stdout
        return [line.split("\t") for line in out.splitlines()]

    def redis(self, *args):
        secret = (self.dir / "secrets" / "redis").read_text().strip()
        port = (self.dir / "ports" / "redis").read_text().strip()
        return subprocess.run(["redis-cli", "-h", "127.0.0.1", "-p", port, *args], text=True,
                              capture_output=True, check=True, timeout=60,
                              env={**os.environ, "REDISCLI_AUTH": secret}).stdout

    def close(self):
        try:
            self.harness("down")
        finally:
            data = os.path.realpath(self.dir / "postgres")
            faults = [p.name for p in (self.dir / "log").glob("*")
                      if "ERROR: AddressSanitizer" in p.read_text(errors="replace")
                      or "runtime error:" in p.read_text(errors="replace")
                      or "ERROR: LeakSanitizer" in p.read_text(errors="replace")]
            if faults:
                for name in faults:
                    print(f"--- {name}\n{(self.dir / 'log' / name).read_text(errors='replace')[-6000:]}")
            shutil.rmtree(data, ignore_errors=True)
            shutil.rmtree(self.dir, ignore_errors=True)
        assert not faults, f"sanitizers complained in {faults}"


@pytest.fixture(scope="session")
def stack():
    s = Stack({"RATE_LIMIT_PER_MINUTE": "100"})
    os.environ.update(CEOAGENT_URL=s.url, CEOAGENT_API_KEY=s.api_key,
                      DATABASE_URL=s.database_url, REDIS_URL=s.redis_url)
    yield s
    s.close()


@pytest.fixture(scope="session", autouse=True)
def _session_stack(request):
    """Tests that read CEOAGENT_URL get the session's stack without asking for it."""
    if any("new_stack" not in item.fixturenames for item in request.session.items):
        request.getfixturevalue("stack")


@pytest.fixture
def new_stack():
    made = []

    def make(settings=None, **kw):
        made.append(Stack(settings, **kw))
        return made[-1]

    yield make
    for s in made:
        s.close()


def wait_until(condition, seconds=30, pause=0.1):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(pause)
    raise AssertionError(f"not within {seconds} s")


pytest.wait_until = wait_until
