#!/usr/bin/env python3
"""A storm: decisions of every kind while processes and stores are killed, then the books are checked.

    mix.py [--seed 1] [--decisions 200] [--seconds 60] [--keep]

The seed fixes what is asked (modes, idempotency keys, repeats, cancellations) and which blow falls after which;
timing is the machine's. The client keeps its own record of what was acknowledged. When the storm is over everything
is started again, and the checker reads PostgreSQL as its superuser, without any of the programs' code:
  * every acknowledged decision is there, terminal, with one final event (none when cancelled or failed before it),
    and that event is the last of its kind;
  * every chain verifies: hashes recomputed from ids, digests and seq; digests from the payloads through the API;
  * an idempotency key names one decision, whatever was answered and however often it was asked;
  * nothing was decided that nobody asked for, and no decision ended twice in the outbox;
  * no job and no decision was had by two at once, none was claimed twice with one fencing number, none left a
    terminal state (triggers in PostgreSQL see each change), and no job is open behind a decision that ended.
"""
import argparse
import collections
import concurrent.futures
import hashlib
import http.client
import json
import os
import pathlib
import random
import signal
import sys
import threading
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/blackbox"))

from ceo import Client  # noqa: E402
from conftest import Stack  # noqa: E402
from model import Model  # noqa: E402
import trail  # noqa: E402

# Rows are watched from inside PostgreSQL: nobody may take what another still has, nothing ends twice.
WATCH = """
CREATE TABLE chaos_claims (what text, id uuid, epoch bigint, owner text, fault text);
CREATE FUNCTION chaos_watch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE fault text; id uuid := (to_jsonb(NEW)->>TG_ARGV[0])::uuid;
BEGIN
    IF OLD.status NOT IN ('pending', 'running', 'waiting_input') AND NEW.status <> OLD.status THEN
        fault := format('%s after %s', NEW.status, OLD.status);
    ELSIF NEW.lease_epoch < OLD.lease_epoch THEN
        fault := format('epoch %s after %s', NEW.lease_epoch, OLD.lease_epoch);
    ELSIF NEW.lease_epoch > OLD.lease_epoch AND OLD.lease_owner IS NOT NULL AND NEW.lease_owner <> OLD.lease_owner
        AND OLD.lease_until > clock_timestamp() THEN
        fault := format('%s took it from %s before %s', NEW.lease_owner, OLD.lease_owner, OLD.lease_until);
    END IF;
    IF fault IS NOT NULL OR NEW.lease_epoch <> OLD.lease_epoch THEN
        INSERT INTO chaos_claims VALUES (TG_TABLE_NAME, id, NEW.lease_epoch, NEW.lease_owner, fault);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_jobs AFTER UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION chaos_watch('job_id');
CREATE TRIGGER chaos_decisions AFTER UPDATE ON decisions FOR EACH ROW EXECUTE FUNCTION chaos_watch('decision_id');
"""
TERMINAL = ("completed", "failed", "cancelled")
NAMES = ("api-1", "agent-1", "agent-2", "worker-1", "worker-2")
MONTE_CARLO = {"inputs": [{"name": "x", "distribution": {"type": "normal", "mean": 1, "sd": 1}}],
               "expression": "x", "iterations": 50000, "seed": 7}
# Heavier tools go through the workers: jobs with a row that somebody waits for.
SCRIPT = [{"tools": [["calculator", {"expression": "6*7"}], ["monte_carlo", MONTE_CARLO]]},
          {"tool": "calculator", "input": {"expression": "2*21"}},
          {"submit": {}}]
SETTINGS = {"LEASE_SECONDS": "4", "VISIBILITY_TIMEOUT": "6", "SWEEP_INTERVAL_MS": "500",
            "READY_REQUIRES": "database", "MAX_WORKERS": "4", "MAX_REDELIVERIES": "1000"}


class Book:
    """What the client knows: each question, with the answers that it got."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acknowledged = {}                      # decision -> question's number
        self.keys = collections.defaultdict(set)    # idempotency key -> decisions answered for it
        self.statuses = collections.Counter()
        self.cancelled = set()

    def answered(self, status, number, key, decision):
        with self.lock:
            self.statuses[status] += 1
            if decision:
                self.acknowledged[decision] = number
                if key:
                    self.keys[key].add(decision)


class Asker:
    """Asks the questions of the seed, each from a thread of its own pool."""

    def __init__(self, stack, book, seed, count):
        self.stack, self.book = stack, book
        rng = random.Random(f"{seed} questions")
        self.questions = [(n, rng.choice(["async", "async", "sync", "stream"]), rng.random() < 0.6,
                           rng.random() < 0.08, rng.choice(["react", "auto"])) for n in range(count)]
        self.stopped = threading.Event()

    def ask(self, question):
        number, mode, keyed, cancel, strategy = question
        key = f"storm-{number}" if keyed else None
        body = {"query": f"Which supplier do we take? ({number})", "options": ["Alder", "Birch"],
                "agent_mode": strategy, "mode": mode}
        for attempt in range(60 if keyed else 1):  # only a keyed question may be asked again
            status, decision = self.once(body, key)
            self.book.answered(status, number, key, decision)
            if decision:
                break
            time.sleep(min(2, 0.1 * (attempt + 1)))
        else:
            return
        if keyed and number % 3 == 0:
            self.book.answered(*self.again(body, key, number))
        if cancel:
            self.cancel(decision)

    def again(self, body, key, number):
        status, decision = self.once(body, key)
        return status, number, key, decision

    def once(self, body, key):
        client = Client(self.stack.url, self.stack.api_key, timeout=30)
        headers = {"Idempotency-Key": key} if key else {}
        try:
            connection, response = client.raw("POST", "/api/v1/decision/analyze", body, headers)
        except (OSError, http.client.HTTPException):
            return "no answer", None
        decision = None
        try:
            if response.getheader("Content-Type", "").startswith("text/event-stream"):
                for line in response:
                    if line.startswith(b"data:"):
                        decision = decision or json.loads(line[5:]).get("decision_id")
                return response.status, decision
            answer = json.loads(response.read())
            if answer.get("success"):
                decision = answer["data"]["decision_id"]
            else:
                decision = (answer["error"].get("details") or {}).get("decision_id")
            return response.status, decision
        except (OSError, http.client.HTTPException, ValueError):
            return "cut", decision
        finally:
            connection.close()

    def cancel(self, decision):
        try:
            answer = Client(self.stack.url, self.stack.api_key, timeout=10).post(
                f"/api/v1/decisions/{decision}/cancel")
            if answer.status == 202:
                self.book.cancelled.add(decision)
        except (OSError, http.client.HTTPException):
            pass


class Storm(threading.Thread):
    """Blow after blow, in the seed's order, until told to stop."""

    def __init__(self, stack, seed, seconds):
        super().__init__()
        self.stack, self.rng, self.seconds = stack, random.Random(f"{seed} blows"), seconds
        self.over = threading.Event()
        self.blows, self.failure = collections.Counter(), None

    def run(self):
        end = time.monotonic() + self.seconds
        blows = [self.kill] * 6 + [self.term] * 2 + [self.flush, self.redis_kill, self.redis_restart,
                                                     self.postgres_restart, self.postgres_kill, self.freeze]
        try:
            while time.monotonic() < end and not self.over.is_set():
                time.sleep(self.rng.uniform(0.1, 1.0))
                self.rng.choice(blows)()
        except Exception as e:  # the main thread tells
            self.failure = e

    def note(self, what):
        self.blows[what] += 1
        print(f"  {time.strftime('%T')} {what}", flush=True)

    def up(self):
        self.stack.harness("up")

    def kill(self):
        name = self.rng.choice(NAMES)
        self.note(f"kill -9 {name}")
        self.stack.kill(name)
        self.await_gone(name)
        self.up()

    def await_gone(self, name):
        pid, end = self.stack.pid(name), time.monotonic() + 40
        while time.monotonic() < end:
            try:
                with open(f"/proc/{pid}/stat") as f:
                    if f.read().rsplit(")", 1)[1].split()[0] == "Z":
                        break
            except OSError:
                break
            time.sleep(0.05)
        else:
            raise RuntimeError(f"{name} does not end")
        (self.stack.dir / "pids" / name).unlink()  # a zombie would pass for alive

    def term(self):
        name = self.rng.choice(NAMES)
        self.note(f"SIGTERM {name}")
        self.stack.kill(name, signal.SIGTERM)
        time.sleep(self.rng.uniform(0, 0.5))
        try:
            self.stack.kill(name)
        except ProcessLookupError:
            pass
        self.await_gone(name)
        self.up()

    def freeze(self):
        name = self.rng.choice(NAMES[1:])
        self.note(f"stop {name} beyond its lease")
        self.stack.kill(name, signal.SIGSTOP)
        time.sleep(5.5)
        self.stack.kill(name, signal.SIGCONT)

    def flush(self):
        self.note("FLUSHALL")
        self.stack.redis("FLUSHALL")

    def redis_kill(self):
        self.note("kill -9 redis")
        self.stack.kill("redis")
        self.await_gone("redis")
        time.sleep(self.rng.uniform(0, 2))
        self.up()

    def redis_restart(self):
        self.note("restart redis")
        self.stack.restart("redis")

    def postgres_restart(self):
        self.note("restart postgres")
        self.stack.restart("postgres")

    def postgres_kill(self):
        self.note("kill -9 a postgres backend")
        self.stack.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                       "WHERE usename = 'ceoagent' ORDER BY random() LIMIT 4")


def await_quiet(stack, book, seconds):
    """Until each decision that the database has is terminal; the ids that are not."""
    end = time.monotonic() + seconds
    while True:
        left = stack.sql(f"SELECT decision_id, status, lease_owner FROM decisions WHERE status NOT IN {TERMINAL}")
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.5)


class Checker:
    def __init__(self, stack, book):
        self.stack, self.book, self.faults = stack, book, []

    def fault(self, text):
        self.faults.append(text)
        print(f"FAULT {text}", flush=True)

    def run(self, left):
        for row in left:
            self.fault(f"decision did not end: {row}")
        self.decisions = {r[0]: r for r in self.stack.sql(
            "SELECT decision_id, status, head_seq, encode(head_hash, 'hex'), query, attempts FROM decisions")}
        self.acknowledged()
        self.keys()
        self.trails()
        self.payloads()
        self.jobs()
        self.outbox()
        return self.faults

    def acknowledged(self):
        for decision, number in self.book.acknowledged.items():
            row = self.decisions.get(decision)
            if row is None:
                self.fault(f"{decision} was acknowledged and is gone")
            elif row[4] != f"Which supplier do we take? ({number})":
                self.fault(f"{decision} was acknowledged for question {number} and asks {row[4]!r}")
            elif row[1] == "cancelled" and decision not in self.book.cancelled:
                self.fault(f"{decision} is cancelled, and nobody asked for it")
            elif row[1] == "failed":
                error = self.stack.sql(f"SELECT error FROM decisions WHERE decision_id = '{decision}'")
                self.fault(f"{decision} failed: {error[0][0]}")

    def keys(self):
        rows = collections.defaultdict(set)
        for key, target in self.stack.sql("SELECT key, target_id FROM idempotency_keys"):
            rows[key].add(target)
        for key, answered in self.book.keys.items():
            if len(answered) != 1 or rows[key] != answered:
                self.fault(f"key {key}: answered {answered}, stored {rows[key]}")
        asked = collections.Counter(r[4] for r in self.decisions.values())
        for key in rows:
            query = f"Which supplier do we take? ({key.removeprefix('storm-')})"
            if asked[query] != 1:
                self.fault(f"key {key} made {asked[query]} decisions")

    def trails(self):
        """The chains, recomputed from the rows."""
        events = collections.defaultdict(list)
        for r in self.stack.sql("SELECT decision_id, seq, type, encode(digest, 'hex'), encode(hash, 'hex'), "
                                "encode(previous_hash, 'hex'), action_id FROM decision_trails "
                                "ORDER BY decision_id, seq"):
            events[r[0]].append(r)
        for decision, row in self.decisions.items():
            log, previous = events[decision], bytes(32)
            for at, (_, seq, _, digest, stored, before, _) in enumerate(log, 1):
                mine = hashlib.sha256(previous + uuid.UUID(decision).bytes + int(seq).to_bytes(8, "big")
                                      + bytes.fromhex(digest)).digest()
                if int(seq) != at or before != previous.hex() or stored != mine.hex():
                    self.fault(f"{decision}: the chain breaks at {seq}")
                    break
                previous = mine
            if int(row[2]) != len(log) or row[3] != previous.hex():
                self.fault(f"{decision}: head {row[2]} of {len(log)} events")
            self.ended_once(decision, row[1], [e[2] for e in log])

    def ended_once(self, decision, status, types):
        finals = types.count("final")
        want = {"completed": (1,), "failed": (0, 1), "cancelled": (0, 1)}.get(status, (0,))
        if finals not in want or (status == "completed" and types[-1] != "final"):
            self.fault(f"{decision} is {status} with events {types}")

    def payloads(self):
        """Digests against payloads, for a sample, as a client sees them."""
        client = Client(self.stack.url, self.stack.api_key)
        for decision in sorted(self.book.acknowledged)[:25]:
            answer = client.get(f"/api/v1/decisions/{decision}/trail?proof=true")
            try:
                trail.check(answer.data)
            except Exception as e:
                self.fault(f"{decision}: trail {e!r}")

    def jobs(self):
        for r in self.stack.sql("SELECT j.job_id, j.status, d.status FROM jobs j JOIN decisions d USING (decision_id) "
                                "WHERE j.status IN ('pending', 'running') AND d.status = 'completed'"):
            self.fault(f"job {r} is open behind a decision that ended")
        for r in self.stack.sql("SELECT * FROM chaos_claims WHERE fault IS NOT NULL"):
            self.fault(f"two had it at once: {r}")
        for r in self.stack.sql("SELECT what, id, epoch, count(*) FROM chaos_claims GROUP BY 1, 2, 3 "
                                "HAVING count(*) > 1"):
            self.fault(f"claimed twice with one fencing number: {r}")
        for r in self.stack.sql("SELECT decision_id, action_id, count(*) FROM jobs GROUP BY 1, 2 HAVING count(*) > 1"):
            self.fault(f"more than one job for an action: {r}")

    def outbox(self):
        for r in self.stack.sql("SELECT decision_id, target, topic, count(*) FROM outbox WHERE topic IN "
                                "('decision.completed', 'decision.failed', 'decision.cancelled') "
                                "GROUP BY 1, 2, 3 HAVING count(*) > 1"):
            self.fault(f"told twice: {r}")
        for r in self.stack.sql("SELECT decision_id, count(DISTINCT topic) FROM outbox WHERE target = 'events' AND "
                                "topic IN ('decision.completed', 'decision.failed', 'decision.cancelled') "
                                "GROUP BY 1 HAVING count(DISTINCT topic) > 1"):
            self.fault(f"two outcomes were told: {r}")


def storm(options, model):
    model.script(delay=0.3, steps=SCRIPT)
    stack = Stack(model.settings(**SETTINGS), agents=2, workers=2)
    try:
        stack.sql(WATCH)
        book, rng = Book(), random.Random(f"{options.seed} pauses")
        asker = Asker(stack, book, options.seed, options.decisions)
        blows = Storm(stack, options.seed, options.seconds)
        blows.start()
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            asked = []
            for question in asker.questions:
                asked.append(pool.submit(asker.ask, question))
                time.sleep(rng.expovariate(options.decisions / (options.seconds * 0.8)))
            blows.join(options.seconds + 60)
            for a in asked:
                a.result()
        if blows.failure:
            raise blows.failure
        stack.harness("up")
        left = await_quiet(stack, book, 120)
        faults = Checker(stack, book).run(left)
        ends = collections.Counter(r[0] for r in stack.sql("SELECT status FROM decisions"))
        resumed = stack.sql("SELECT count(*) FROM decision_trails WHERE type = 'resume'")[0][0]
        claims = dict(stack.sql("SELECT what, count(*) FROM chaos_claims GROUP BY 1"))
        print(f"seed {options.seed}: {options.decisions} questions, answers {dict(book.statuses)}, "
              f"{len(book.acknowledged)} acknowledged, {len(book.keys)} keys; ends {dict(ends)}, "
              f"{resumed} resumptions, claims {claims}; {sum(blows.blows.values())} blows {dict(blows.blows)}")
        if faults and options.keep:
            print(f"kept: {stack.dir}")
            input("Enter ends the stack ")
        return faults
    finally:
        stack.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--decisions", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--keep", action="store_true", help="leave the stack up until Enter when something is wrong")
    options = parser.parse_args()
    os.chdir(ROOT)
    model = Model()
    try:
        faults = storm(options, model)
    finally:
        model.close()
    print(f"chaos: {1 if not faults else 0} passed, {len(faults)} failed, 0 skipped")
    sys.exit(bool(faults))


main()
