"""A Celery application as the benches' peer: one task that returns its argument, acknowledged after it ran."""
import os
import sys

import celery

app = celery.Celery("jobs", broker=os.environ.get("BROKER"), backend=os.environ.get("BROKER"))
app.conf.update(task_acks_late=True, task_default_queue="peer", worker_hijack_root_logger=False)
WORKER = [sys.executable, "-m", "celery", "--workdir", "bench/peers", "-A", "jobs", "worker", "-P", "prefork",
          "-c", "2", "-Q", "peer", "-l", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat"]


def use(url):
    app.conf.broker_url = app.conf.result_backend = url


@app.task(name="peer.echo")
def echo(*args):
    return args


@app.task(name="peer.run_decision", ignore_result=True)
def run_decision(decision_id):
    return decision_id
