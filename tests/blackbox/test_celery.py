"""Stock Celery on the other side of the wire: its clients with our worker, its worker with our messages."""
import datetime
import os
import signal
import subprocess
import sys
import time
import uuid

import pytest
from celery import Celery
from celery.exceptions import NotRegistered, TaskRevokedError

# The stack of this module is its own (short timeouts, no agents); naming new_stack says that the session's is not needed.
pytestmark = pytest.mark.usefixtures("new_stack")

CALC = {"name": "calculator", "params": {"expression": "6*7"}}

STOCK = """
from celery import Celery
app = Celery("demo", broker={url!r}, backend={url!r})
app.conf.worker_prefetch_multiplier = 1
@app.task(name="demo.row")
def row(job_id):
    return {{"had": job_id}}
"""


def client(stack):
    app = Celery("client", broker=stack.redis_url, backend=stack.redis_url)
    app.conf.broker_transport_options = {"priority_steps": [0, 3, 6, 9], "sep": "\x06\x16"}
    return app


@pytest.fixture(scope="module")
def world(request):
    from conftest import Stack
    s = Stack({"VISIBILITY_TIMEOUT": "4", "LEASE_SECONDS": "4"}, agents=0, workers=1)
    s.app = client(s)
    yield s
    s.app.close()
    s.close()


def send(world, *args, name="ceoagent.echo", queue="ceoagent.worker", **options):
    return world.app.send_task(name, args=args, queue=queue, **options)


def no_unacked(world):
    return world.redis("hlen", "unacked").strip() == "0"


def test_a_stock_client_gets_its_arguments_back(world):
    assert send(world, 1, "zwei", [3.5, None, {"四": []}]).get(timeout=20) == [1, "zwei", [3.5, None, {"四": []}]]
    assert send(world, kwargs={"a": 12345678901234567890}).get(timeout=20) == {"a": 12345678901234567890}
    assert send(world, 1, kwargs={"b": 2}).get(timeout=20) == {"args": [1], "kwargs": {"b": 2}}
    assert send(world, "x", queue="celery").get(timeout=20) == ["x"]
    pytest.wait_until(lambda: no_unacked(world), 10)


def test_priorities_of_a_stock_client_are_served(world):
    results = [send(world, p, priority=p) for p in range(10)]
    assert [r.get(timeout=20) for r in results] == [[p] for p in range(10)]


def test_compressed_messages_are_read(world):
    assert send(world, "a" * 5000, compression="zlib").get(timeout=20) == ["a" * 5000]


def test_a_countdown_and_an_eta_are_kept(world):
    start = time.monotonic()
    eta = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1.5)
    late = send(world, 2, eta=eta)
    later = send(world, 1, countdown=2)
    assert late.get(timeout=20) == [2]
    assert time.monotonic() - start >= 1.4
    assert later.get(timeout=20) == [1]
    assert time.monotonic() - start >= 1.9


def test_an_expired_task_is_revoked(world):
    with pytest.raises(TaskRevokedError):
        send(world, 1, expires=datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=5)).get(timeout=20)


def test_an_unknown_task_is_not_registered(world):
    with pytest.raises(NotRegistered):
        send(world, name="demo.nothing").get(timeout=20)


def test_a_skill_computes_and_says_what_is_wrong(world):
    assert send(world, name="ceoagent.skill", kwargs=CALC).get(timeout=20)["value"] == 42
    assert send(world, "calculator", CALC["params"], name="ceoagent.skill").get(timeout=20)["value"] == 42
    with pytest.raises(ValueError):
        send(world, name="ceoagent.skill", kwargs={"name": "calculator", "params": {}}).get(timeout=20)


def test_ignored_results_are_not_stored(world):
    r = send(world, 1, ignore_result=True)
    pytest.wait_until(lambda: no_unacked(world) and world.redis("llen", "ceoagent.worker").strip() == "0", 10)
    time.sleep(0.3)
    assert world.redis("exists", f"celery-task-meta-{r.id}").strip() == "0"


def test_what_is_no_message_harms_nobody(world):
    world.redis("lpush", "ceoagent.worker", "no json")
    world.redis("lpush", "ceoagent.worker", '{"body": "e30=", "headers": {"task": "x", "id": "y"}, "properties": {}}')
    assert send(world, "after").get(timeout=20) == ["after"]
    pytest.wait_until(lambda: world.redis("llen", "ceoagent.worker.dead").strip() == "2", 10)


def test_a_thousand_messages_each_have_their_result(world):
    results = [send(world, i) for i in range(1000)]
    assert [r.get(timeout=60) for r in results] == [[i] for i in range(1000)]
    pytest.wait_until(lambda: no_unacked(world), 10)


def test_a_worker_killed_by_9_loses_no_task(world):
    results = [send(world, name="ceoagent.skill", kwargs=CALC) for _ in range(100)]
    world.kill("worker-1", signal.SIGKILL)
    world.restart("worker-1")
    assert [r.get(timeout=60)["value"] for r in results] == [42] * 100
    pytest.wait_until(lambda: no_unacked(world), 20)


def test_a_storm_of_kills_loses_no_task(new_stack):
    stack = new_stack({"VISIBILITY_TIMEOUT": "3", "LEASE_SECONDS": "3", "MAX_REDELIVERIES": "50", "MAX_WORKERS": "4"},
                      agents=0, workers=2)
    stack.app = client(stack)
    monte_carlo = {"name": "monte_carlo", "params": {
        "inputs": [{"name": "a", "distribution": {"type": "normal", "mean": 100, "sd": 20}}],
        "expression": "a - 80", "iterations": 20000, "seed": 1}}
    results = [send(stack, name="ceoagent.skill", kwargs=CALC if i % 2 else monte_carlo) for i in range(300)]
    for i in range(6):
        time.sleep(0.7)
        stack.kill(f"worker-{1 + i % 2}", signal.SIGKILL)
        stack.restart(f"worker-{1 + i % 2}")
    done = [r.get(timeout=90) for r in results]
    assert all(d["value"] == 42 for i, d in enumerate(done) if i % 2)
    assert len({str(d) for i, d in enumerate(done) if i % 2 == 0}) == 1
    pytest.wait_until(lambda: no_unacked(stack), 30)
    assert stack.redis("llen", "ceoagent.worker.dead").strip() == "0"
    stack.app.close()


def test_a_term_signal_drains(world):
    pytest.wait_until(lambda: world.redis("zcard", "ceoagent.nodes").strip() == "1", 30)  # the killed one is swept
    pid = world.pid("worker-1")
    os.kill(pid, signal.SIGTERM)
    pytest.wait_until(lambda: not os.path.exists(f"/proc/{pid}") or
                      open(f"/proc/{pid}/stat").read().split()[2] == "Z", 30)
    assert world.redis("zcard", "ceoagent.nodes").strip() == "0"
    r = send(world, "kept")
    world.restart("worker-1")
    assert r.get(timeout=30) == ["kept"]


def test_a_stock_worker_runs_what_we_publish(world, tmp_path):
    (tmp_path / "demo.py").write_text(STOCK.format(url=world.redis_url))
    job = str(uuid.uuid4())
    worker = subprocess.Popen([sys.executable, "-m", "celery", "-A", "demo", "worker", "-Q", "stock", "-c", "1",
                               "-P", "solo", "-l", "warning"], cwd=tmp_path, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        # A row that is due: our sweep publishes it. Only its name is read, so the arguments may be anything.
        world.sql("INSERT INTO jobs (job_id, tenant_id, task, queue, args, due_at) SELECT "
                  f"'{job}', tenant_id, 'demo.row', 'stock', '\\x00', now() - interval '1 minute' FROM tenants LIMIT 1")
        assert world.app.AsyncResult(job).get(timeout=60) == {"had": job}
    finally:
        worker.terminate()
        worker.wait(30)
        world.sql(f"DELETE FROM jobs WHERE job_id = '{job}'")
