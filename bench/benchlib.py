"""What the benches share: stacks, processes, CPU and memory from /proc, rounds, tables.

A bench takes its measurements in interleaved rounds (ours, peer, ours, peer ...), so that a neighbour's load
falls on both, and reports medians with the range. CPU a unit of work is the sturdy figure on a shared machine.
"""
import contextlib
import io
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = ROOT / os.environ.get("BIN_DIR", "build/release")
ROUNDS = int(os.environ.get("ROUNDS", "3"))
TICK = os.sysconf("SC_CLK_TCK")
os.environ["BIN_DIR"] = str(BIN)
sys.path[:0] = [str(ROOT / "tests/blackbox"), str(ROOT / "tests/harness"), str(ROOT / "bench/peers")]

from conftest import Stack  # noqa: E402
import model_server  # noqa: E402


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def tree(pid):
    """pid and its descendants."""
    found = [pid]
    for p in found:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{p}/task"):
                found += map(int, pathlib.Path(f"/proc/{p}/task/{task}/children").read_text().split())
    return found


def cpu(pid):
    """CPU seconds of a process and its descendants, those that ended included. The kernel's clock has 10 ms."""
    total = 0
    for p in tree(pid):
        with contextlib.suppress(OSError):
            f = pathlib.Path(f"/proc/{p}/stat").read_text().rsplit(")", 1)[1].split()
            total += sum(map(int, f[11:15] if p == pid else f[11:13]))
    return total / TICK


def pss(pid):
    """Proportional memory in bytes of a process and its descendants."""
    total = 0
    for p in tree(pid):
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{p}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


def await_(condition, seconds=60, pause=0.01):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            value = condition()
            if value:
                return value
        time.sleep(pause)
    raise TimeoutError(f"not within {seconds} s")


def answers(url):
    with contextlib.suppress(urllib.error.HTTPError):
        return urllib.request.urlopen(url, timeout=2).status == 200
    return False


@contextlib.contextmanager
def process(args, **env):
    p = subprocess.Popen([str(a) for a in args], cwd=ROOT, env={**os.environ, **env},
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield p
    finally:
        for child in tree(p.pid)[1:]:
            with contextlib.suppress(OSError):
                os.kill(child, 15)
        p.terminate()
        try:
            p.wait(15)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()


@contextlib.contextmanager
def profile(pid, name):
    """With PROFILE=1: perf's samples of the process while the block runs, in build/NAME.perf."""
    if not os.environ.get("PROFILE"):
        yield
        return
    p = subprocess.Popen(["perf", "record", "-q", "-g", "-F", "499", "-o", str(ROOT / f"build/{name}.perf"),
                          "-p", str(pid)])
    try:
        yield
    finally:
        p.send_signal(2)
        p.wait()


@contextlib.contextmanager
def stack(settings=None, **kw):
    s = Stack(settings, **kw)
    try:
        yield s
    finally:
        s.close()


class Transcript(model_server.Handler):
    """The scripted model's answer as text, without a socket."""

    def __init__(self):
        self.wfile = io.BytesIO()


def model_turns(folder, calls, text=None):
    """Files with the events of each turn: calls - 1 tool calls (or long texts beside them), then a decision."""
    paths = []
    for turn in range(calls):
        step = {"tool": "calculator", "input": {"expression": f"{turn}+1"}}
        if text:
            step["thinking"] = text
        if turn == calls - 1:
            step = {"submit": {}}
        t = Transcript()
        t.anthropic({"model": "scripted-1"}, model_server.blocks_of(step, turn, ["Alder", "Birch"]),
                    "tool_use", {}, 0)
        paths.append(pathlib.Path(folder) / f"turn-{turn}.sse")
        paths[-1].write_bytes(t.wfile.getvalue())
    return paths


@contextlib.contextmanager
def model(folder, calls=5, delay_ms=2000, how="whole", text=None):
    port = free_port()
    with process([BIN / "bench/mock_model", port, delay_ms, how, *model_turns(folder, calls, text)]):
        await_(lambda: answers(f"http://127.0.0.1:{port}/count"))
        yield f"http://127.0.0.1:{port}"


def python():
    return sys.executable


class Table:
    """Rounds of figures by row: add() them, then print() medians with the range."""

    def __init__(self, title, columns):
        self.title, self.columns, self.rows = title, columns, {}

    def add(self, row, *figures):
        self.rows.setdefault(row, []).append(figures)
        print(f"  {row}: " + ", ".join(f"{c} {cell([f])}" for c, f in zip(self.columns, figures)),
              file=sys.stderr, flush=True)

    def median(self, row, column):
        return statistics.median(f[column] for f in self.rows[row] if f[column] is not None)

    def print(self):
        print(f"\n### {self.title}\n\nLoad of the machine at the end (1, 5, 15 min): "
              f"{' '.join(f'{x:.1f}' for x in os.getloadavg())}; {os.cpu_count()} cores; rounds: "
              f"{max(map(len, self.rows.values()))}\n")
        print(f"| | {' | '.join(self.columns)} |\n|---|{'---|' * len(self.columns)}")
        for row, rounds in self.rows.items():
            print(f"| {row} | {' | '.join(cell(column) for column in zip(*rounds))} |")
        sys.stdout.flush()


def cell(values):
    values = [v for v in values if v is not None]
    if not values:
        return "–"
    middle, low, high = number(statistics.median(values)), number(min(values)), number(max(values))
    return middle if low == high else f"{middle} ({low}–{high})"


def number(x):
    if x == 0 or abs(x) >= 100:
        return f"{x:,.0f}"
    return f"{x:.1f}" if abs(x) >= 10 else f"{x:.2f}"
