"""Server-sent events: the order of ids, replay after Last-Event-ID, attaching late, the end."""
import json
import socket
import threading
import time
import uuid

import api
import pytest

ANALYZE = "/api/v1/decision/analyze"
QUERY = {"query": "Should we move the support team to Porto?", "options": ["Move it", "Leave it"]}


@pytest.fixture(scope="module")
def c():
    return api.client(api.role_key("analyst"), timeout=60)


def pair(ident):
    n, _, k = ident.partition(".")
    return int(n), int(k or 0)


def stream_of(c, decision_id, last=None):
    headers = {"Last-Event-ID": last} if last else {}
    return list(c.events("GET", f"/api/v1/decisions/{decision_id}/stream", headers=headers))


@pytest.fixture(scope="module")
def seen(c):
    """All events of one decision, streamed while it ran."""
    return list(c.events("POST", ANALYZE, {**QUERY, "mode": "stream"}))


def test_it_begins_with_started_and_ends_with_done(seen):
    kinds = [kind for _, kind, _ in seen]
    assert kinds[0] == "started" and kinds[-1] == "done" and kinds.count("done") == 1
    assert uuid.UUID(seen[0][2]["decision_id"])
    done = seen[-1][2]
    assert done["status"] == "completed" and done["complete_response"]
    assert done["decision_id"] == seen[0][2]["decision_id"]


def test_ids_rise_and_types_are_repeated(seen):
    pairs = [pair(i) for i, _, _ in seen]
    assert pairs == sorted(pairs)
    assert all(data["type"] == kind for _, kind, data in seen)


def test_every_step_of_the_trail_was_streamed_once(c, seen):
    trail = c.get(f"/api/v1/decisions/{seen[0][2]['decision_id']}/trail").data
    steps = [d["step"] for _, kind, d in seen if kind == "step" and d["state"] != "started"]
    assert [s["index"] for s in steps] == [s["index"] for s in trail["steps"]]
    assert [s["hash"] for s in steps] == [s["hash"] for s in trail["steps"]]


def test_a_step_is_not_started_after_it_has_finished(seen):
    over = set()
    for _, kind, data in seen:
        if kind == "step" and data["state"] == "started":
            assert data["step"]["action_id"] not in over
        elif kind == "step":
            over.add(data["step"]["action_id"])


def texts(events):
    """The text of each step as a client keeps it."""
    kept = {}
    for _, kind, data in events:
        if kind == "reset":
            kept[data["step"]] = []
        elif kind == "chunk":
            parts = kept.setdefault(data["step"], [])
            assert data["index"] == len(parts), data
            parts.append(data["content"])
    return {step: "".join(parts) for step, parts in kept.items()}


def test_chunks_make_up_the_text_of_the_end(seen):
    assert seen[-1][2]["complete_response"] in texts(seen).values()


def test_a_late_follower_gets_the_same(c, seen):
    late = stream_of(c, seen[0][2]["decision_id"])
    assert [e for e in late if e[1] == "step"] == [e for e in seen if e[1] == "step" and e[2]["state"] != "started"]
    assert texts(late) == texts(seen) and late[-1][2] == seen[-1][2]


def test_from_any_last_event_id_a_client_ends_with_the_same_state(c, seen):
    whole = texts(seen)
    steps = [e[2]["step"]["index"] for e in seen if e[1] == "step" and e[2]["state"] != "started"]
    cuts = sorted({i for i, _, _ in seen}, key=pair)
    for ident in cuts[:: max(1, len(cuts) // 12)]:
        first = [e for e in seen if pair(e[0]) <= pair(ident)]
        rest = stream_of(c, seen[0][2]["decision_id"], ident)
        assert rest[0][1] == "started" and rest[0][0] == ident
        assert all(pair(e[0]) >= pair(ident) for e in rest)
        both = first + rest[1:]
        assert texts(both) == whole, ident
        assert [e[2]["step"]["index"] for e in both if e[1] == "step" and e[2]["state"] != "started"] == steps, ident


@pytest.mark.parametrize("last", ["", "x", "-1", "1.x", "99999999999999999999", "5.", ".5", "1.2.3"])
def test_a_strange_last_event_id_does_no_harm(c, seen, last):
    got = stream_of(c, seen[0][2]["decision_id"], last)
    assert got[0][1] == "started" and got[-1][1] == "done"


def test_two_followers_at_once_see_the_same(c):
    i = api.start(c, "Should two people watch this at once?")
    results = [None, None]

    def follow(n):
        results[n] = stream_of(api.client(c.key), i)
    threads = [threading.Thread(target=follow, args=(n,)) for n in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert texts(results[0]) == texts(results[1])
    assert results[0][-1][2] == results[1][-1][2]


def test_a_stream_with_an_idempotency_key_is_replayed(c):
    k = {"Idempotency-Key": uuid.uuid4().hex}
    body = {**QUERY, "mode": "stream"}
    first = list(c.events("POST", ANALYZE, body, headers=k))
    again = list(c.events("POST", ANALYZE, body, headers=k))
    assert again[0][2]["decision_id"] == first[0][2]["decision_id"]
    assert texts(again) == texts(first)


def test_the_headers_keep_proxies_from_buffering(c):
    i = api.start(c)
    connection, response = c.raw("GET", f"/api/v1/decisions/{i}/stream")
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["X-Accel-Buffering"] == "no" and response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Request-ID"]
    response.read()
    connection.close()


def test_head_of_a_stream_does_not_wait(c):
    i = api.start(c)
    a = c.call("HEAD", f"/api/v1/decisions/{i}/stream")
    assert a.status == 200 and a.headers["Content-Type"] == "text/event-stream" and a.body == b""


def test_http_1_0_clients_get_a_plain_stream(c):
    i = api.start(c)
    api.ended(c, i)
    got = api.send_raw(f"GET /api/v1/decisions/{i}/stream HTTP/1.0\r\nX-API-Key: {c.key}\r\n\r\n".encode())
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"Connection: close" in head and b"chunked" not in head
    assert body.startswith(b"id: 0\nevent: started\ndata: {") and b"event: done" in body


def test_a_deleted_decision_ends_its_streams(new_stack):
    stack = new_stack({"SWEEP_INTERVAL_MS": "600000"}, agents=0, workers=0)
    c = api.ceo.Client(stack.url, stack.api_key)
    i = c.decide({**QUERY, "mode": "async"}).data["decision_id"]
    events = c.events("GET", f"/api/v1/decisions/{i}/stream")
    assert next(events)[1] == "started"
    assert c.delete(f"/api/v1/decisions/{i}").status == 204
    rest = list(events)
    assert [kind for _, kind, _ in rest] == ["error"] and rest[0][2]["code"] == "DECISION_NOT_FOUND"


def test_without_an_agent_sync_ends_with_202_and_streams_say_where_to_resume(new_stack):
    stack = new_stack({"API_TIMEOUT": "1"}, agents=0, workers=0)
    c = api.ceo.Client(stack.url, stack.api_key)
    a = c.decide(QUERY)
    assert a.status == 202 and a.data["status"] == "pending"
    assert a.headers["Location"] == "/api/v1/decisions/" + a.data["decision_id"]
    events = c.events("GET", a.headers["Location"] + "/stream")
    assert next(events)[1] == "started"
    stack.kill("api-1", 15)
    ident, kind, data = next(events)
    assert kind == "end" and data == {"type": "end", "reason": "draining", "last_event_id": "0"}
    assert list(events) == []


def test_a_waiting_request_is_answered_202_at_drain(new_stack):
    stack = new_stack(agents=0, workers=0)
    c = api.ceo.Client(stack.url, stack.api_key)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(c.decide(QUERY))) for _ in range(3)]
    for t in threads:
        t.start()
    pytest.wait_until(lambda: stack.sql("SELECT count(*) FROM decisions") == [["3"]])
    pid = stack.pid("api-1")
    stack.kill("api-1", 15)
    for t in threads:
        t.join(20)
    assert [a.status for a in answers] == [202] * 3
    assert all(a.headers["Location"] == "/api/v1/decisions/" + a.data["decision_id"] for a in answers)

    def gone():
        try:
            return open(f"/proc/{pid}/stat").read().split()[2] == "Z"
        except FileNotFoundError:
            return True
    pytest.wait_until(gone, 20)


def test_without_redis_it_still_accepts_and_streams(new_stack):
    stack = new_stack({"SWEEP_INTERVAL_MS": "300"}, workers=0)
    c = api.ceo.Client(stack.url, stack.api_key, timeout=60)
    stack.redis("SHUTDOWN", "NOSAVE")
    events = list(c.events("POST", ANALYZE, {**QUERY, "mode": "stream"}))
    assert events[0][1] == "started" and events[-1][1] == "done"
    assert events[-1][2]["status"] == "completed"
    assert texts(events)
    a = c.decide(QUERY)
    assert a.status == 201 and a.data["status"] == "completed"


def test_a_follower_that_does_not_read_is_let_go(c):
    """It costs the gateway a bounded buffer and no more: others are served meanwhile."""
    i = api.start(c)
    api.ended(c, i)
    sockets = []
    for _ in range(20):
        s = socket.create_connection((c.host, c.port))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall(f"GET /api/v1/decisions/{i}/stream HTTP/1.1\r\nHost: x\r\nX-API-Key: {c.key}\r\n\r\n".encode())
        sockets.append(s)
    begin = time.monotonic()
    assert c.get(f"/api/v1/decisions/{i}").status == 200
    assert time.monotonic() - begin < 5
    for s in sockets:
        s.close()
    assert json.loads(c.get("/health").body)["status"] == "healthy"
