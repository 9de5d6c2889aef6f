"""Whatever is killed, an acknowledged decision ends, once. Real programs, kill -9."""
import concurrent.futures
import random
import signal
import time

import pytest

import trail
from ceo import Client
from model import Model

BODY = {"query": "Which supplier do we take?", "options": ["Alder", "Birch"], "mode": "async"}


@pytest.fixture
def model():
    m = Model()
    yield m
    m.close()


def decide(client, n=1, threads=16):
    """n accepted decisions; the ids of those that were acknowledged."""
    def one(i):
        answer = client.decide({**BODY, "query": f"{BODY['query']} ({i})"})
        return answer.data["decision_id"] if answer.status == 202 else None

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return [i for i in pool.map(one, range(n)) if i]


def await_end(client, ids, seconds=120):
    open_ids, done = set(ids), {}
    end = time.monotonic() + seconds
    while open_ids and time.monotonic() < end:
        for i in sorted(open_ids):
            d = client.get(f"/api/v1/decisions/{i}").data
            if d["status"] in ("completed", "failed", "cancelled"):
                done[i] = d
        open_ids -= done.keys()
        time.sleep(0.2)
    assert not open_ids, f"{len(open_ids)} decisions did not end"
    return done


def check_trail(client, decision):
    steps = trail.check(client.get(f"/api/v1/decisions/{decision}/trail?proof=true").data)
    trail.assert_whole(steps)
    return steps


def test_an_agent_killed_in_the_middle_of_a_run_is_followed_by_another(new_stack, model):
    model.script(delay=1.0)
    stack = new_stack(model.settings(LEASE_SECONDS="5"), agents=2)
    client = Client(stack.url, stack.api_key)
    decision = decide(client)[0]
    owner = pytest.wait_until(lambda: len(model.journal()) >= 2 and stack.sql(
        f"SELECT lease_owner FROM decisions WHERE decision_id = '{decision}'")[0][0], 60)
    victim = next(n for n in ("agent-1", "agent-2") if f"-{stack.pid(n)}-" in owner)
    stack.kill(victim)
    done = await_end(client, [decision])[decision]
    assert done["status"] == "completed", done["error"]
    steps = check_trail(client, decision)
    assert [s["type"] for s in steps].count("resume") == 1
    calls = [c["turn"] for c in model.journal()]
    assert sorted(set(calls)) == [0, 1, 2]
    assert len(calls) <= 4, "at most the call in flight is repeated"


@pytest.mark.parametrize("point", [
    "shell.append.before=kill@1", "shell.append.after=kill@1", "shell.append.before=kill@3",
    "shell.append.after=kill@3", "shell.model.before=kill@2", "shell.model.after=kill@2",
    "shell.append.after=kill@4"])
def test_a_kill_at_each_step_leaves_one_outcome(new_stack, model, point):
    model.script()
    stack = new_stack(model.settings(LEASE_SECONDS="3", CEO_FAULTS=point), agents=1)
    if "faults" not in stack.env["BIN_DIR"] and "asan" not in stack.env["BIN_DIR"]:
        pytest.skip("fault points are compiled into test builds only")
    client = Client(stack.url, stack.api_key)
    decision = decide(client)[0]
    pytest.wait_until(lambda: not alive(stack, "agent-1"), 60)
    environ = (stack.dir / "environ").read_text().replace(f'CEO_FAULTS="{point}"', 'CEO_FAULTS=""')
    (stack.dir / "environ").write_text(environ)
    stack.restart("agent-1")
    done = await_end(client, [decision])[decision]
    assert done["status"] == "completed", done["error"]
    check_trail(client, decision)
    assert len(model.journal()) <= 4


def alive(stack, name):
    try:
        stack.kill(name, 0)
        with open(f"/proc/{stack.pid(name)}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_flushall_with_500_decisions_queued(new_stack):
    stack = new_stack({"SWEEP_INTERVAL_MS": "500", "RATE_LIMIT_PER_MINUTE": "100"})
    client = Client(stack.url, stack.api_key)
    stack.kill("agent-1", signal.SIGSTOP)
    ids = decide(client, 500)
    assert len(ids) == 500
    stack.redis("FLUSHALL")
    stack.kill("agent-1", signal.SIGCONT)
    done = await_end(client, ids, 240)
    assert {d["status"] for d in done.values()} == {"completed"}
    assert stack.sql("SELECT count(*) FROM decision_trails WHERE type = 'final'") == [["500"]]


@pytest.mark.parametrize("name", ["redis", "postgres"])
def test_a_store_restarted_under_load_loses_nothing(new_stack, name):
    stack = new_stack({"LEASE_SECONDS": "10"}, agents=2)
    client = Client(stack.url, stack.api_key)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        load = pool.submit(decide, client, 150, 8)
        time.sleep(0.5)
        stack.restart(name)
        acknowledged = load.result()
    assert len(acknowledged) > 20
    done = await_end(client, acknowledged, 180)
    assert {d["status"] for d in done.values()} == {"completed"}
    check_trail(client, random.choice(acknowledged))
    later = decide(client)
    assert later and await_end(client, later)[later[0]]["status"] == "completed"


def test_with_redis_down_decisions_are_accepted_and_end(new_stack):
    stack = new_stack({"READY_REQUIRES": "database"})
    client = Client(stack.url, stack.api_key)
    stack.kill("redis")
    ids = decide(client, 5)
    assert len(ids) == 5
    # monte_carlo and other jobs need the worker's queue; with Redis gone the sweep waits for it
    stack.harness("up")
    assert {d["status"] for d in await_end(client, ids).values()} == {"completed"}


def test_a_worker_killed_while_it_computes_is_followed_by_another(new_stack):
    stack = new_stack({"VISIBILITY_TIMEOUT": "10"}, workers=2)
    client = Client(stack.url, stack.api_key)
    params = {"inputs": [{"name": "x", "distribution": {"type": "normal", "mean": 1, "sd": 1}}],
              "expression": "x", "iterations": 200000, "seed": 3}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(client.post, "/api/v1/skills/monte_carlo/execute",
                             {"params": {**params, "seed": i}}) for i in range(8)]
        time.sleep(0.1)
        stack.kill("worker-1")
        answers = [c.result() for c in calls]
    assert [a.status for a in answers] == [200] * 8, [a.body for a in answers if a.status != 200][:1]


def test_a_drained_agent_hands_its_runs_back(new_stack, model):
    model.script(delay=2.0)
    stack = new_stack(model.settings(LEASE_SECONDS="30"), agents=2)
    client = Client(stack.url, stack.api_key)
    ids = decide(client, 6)
    pytest.wait_until(lambda: len(model.journal()) >= 6, 60)
    stack.kill("agent-1", signal.SIGTERM)
    pytest.wait_until(lambda: not alive(stack, "agent-1"), 40)
    done = await_end(client, ids, 60)
    assert {d["status"] for d in done.values()} == {"completed"}
    assert "agent stopped" in stack.log("agent-1")
