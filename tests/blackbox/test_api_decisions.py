"""Decisions over REST: accepted, waited for, listed, read, rated, cancelled, deleted; and who may."""
import base64
import concurrent.futures
import hashlib
import json
import os
import socket
import subprocess
import time
import uuid

import api
import pytest

ANALYZE = "/api/v1/decision/analyze"
ONE = "/api/v1/decisions/"
QUERY = {"query": "Should we open a second warehouse in Lyon?", "options": ["Open it", "Do not"],
         "context": {"cash": 2_000_000, "cost": 750_000, "expected_margin": 0.12}}


@pytest.fixture(scope="module")
def c():
    return api.client(api.role_key("analyst"))


@pytest.fixture(scope="module")
def done(c):
    """One decision that was waited for."""
    a = c.decide(QUERY)
    assert a.status == 201, a.body
    return a


def test_sync_answers_201_with_the_whole_decision(c, done):
    d = done.data
    assert uuid.UUID(d["decision_id"]).version == 7 and d["analysis_id"] == d["decision_id"]
    assert d["status"] == "completed" and d["error"] is None and d["completed_at"].endswith("Z")
    assert d["recommendation"]["option"] in QUERY["options"]
    assert 0 <= d["recommendation"]["confidence"] <= 1 and d["recommendation"]["reasoning"]
    assert {"situation_analysis", "risk_assessment", "recommendations", "final_recommendation"} <= set(d["result"])
    assert d["agent"]["requested_mode"] == "auto"
    assert done.headers["Cache-Control"] == "no-store"
    assert done.json["metadata"]["execution_time_ms"] >= 0


def test_short_form_answers_200(c):
    a = c.post("/api/v1/analyze", {"query": "Should we renew the lease of the office?"})
    assert a.status == 200 and a.data["status"] == "completed"


def test_include_analysis_false_leaves_the_result_out(c):
    a = c.decide({**QUERY, "include_analysis": False})
    assert a.status == 201 and "result" not in a.data and a.data["recommendation"]["option"]
    assert c.get(ONE + a.data["decision_id"]).data["result"]


def test_what_is_read_is_what_was_answered(c, done):
    a = c.get(ONE + done.data["decision_id"])
    assert a.status == 200 and a.data == done.data


def test_an_unchanged_decision_is_304(c, done):
    a = c.get(ONE + done.data["decision_id"])
    again = c.get(ONE + done.data["decision_id"], headers={"If-None-Match": a.headers["ETag"]})
    assert again.status == 304 and again.body == b""
    c.post(ONE + done.data["decision_id"] + "/feedback", {"rating": 3})
    assert c.get(ONE + done.data["decision_id"], headers={"If-None-Match": a.headers["ETag"]}).status == 200


def test_async_answers_202_with_location(c):
    a = c.decide({**QUERY, "mode": "async"})
    assert a.status == 202 and a.data["status"] == "pending" and a.data["recommendation"] is None
    assert a.headers["Location"] == ONE + a.data["decision_id"]
    d = api.ended(c, a.data["decision_id"])
    assert d["status"] == "completed" and d["created_at"] == a.data["created_at"]


@pytest.mark.parametrize("what", ["no-uuid", "01890000-0000-7000-8000-000000000000", "%ff", "a%00b", "..%2f.."])
def test_unknown_and_malformed_ids_are_404(c, what):
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/trail"), ("GET", "/stream"), ("POST", "/cancel")):
        a = c.call(method, ONE + what + path)
        assert a.status == 404 and a.code in ("DECISION_NOT_FOUND", "NOT_FOUND"), (method, path, a.body)
    assert c.post(ONE + what + "/feedback", {"rating": 1}).status == 404


# --- idempotency

def key():
    return {"Idempotency-Key": uuid.uuid4().hex}


def test_the_same_key_and_body_give_the_first_decision(c):
    k = key()
    first = c.decide({**QUERY, "mode": "async"}, headers=k)
    assert first.status == 202 and first.headers["Idempotent-Replayed"] is None
    again = c.decide({**QUERY, "mode": "async"}, headers=k)
    assert again.status == 202 and again.headers["Idempotent-Replayed"] == "true"
    assert again.data["decision_id"] == first.data["decision_id"]


def test_a_repeated_sync_request_attaches_and_waits(c):
    k = key()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: c.decide(QUERY, headers=k), range(4)))
    assert {a.status for a in answers} == {201}, [a.body for a in answers]
    assert len({a.data["decision_id"] for a in answers}) == 1
    assert sum(a.headers["Idempotent-Replayed"] == "true" for a in answers) == 3
    late = c.decide(QUERY, headers=k)
    assert late.status == 201 and late.data == answers[0].data


def test_the_same_key_with_another_body_or_route_is_409(c):
    k = key()
    c.decide({**QUERY, "mode": "async"}, headers=k)
    for path, body in ((ANALYZE, {**QUERY, "mode": "async", "query": "Another question?"}),
                       ("/api/v1/analyze", {**QUERY, "mode": "async"})):
        a = c.post(path, body, headers=k)
        assert (a.status, a.code) == (409, "IDEMPOTENCY_CONFLICT"), a.body


def test_keys_of_two_users_do_not_meet(c):
    k = key()
    one = c.decide({**QUERY, "mode": "async"}, headers=k)
    two = api.as_role("ceo").decide({**QUERY, "mode": "async"}, headers=k)
    assert two.status == 202 and two.headers["Idempotent-Replayed"] is None
    assert one.data["decision_id"] != two.data["decision_id"]


@pytest.mark.parametrize("bad", ["", "x" * 256, "a\tb", "caf\u00e9"])
def test_a_bad_idempotency_key_is_refused(c, bad):
    a = c.decide({**QUERY, "mode": "async"}, headers={"Idempotency-Key": bad.encode("latin-1")})
    assert (a.status, a.code) == (400, "INVALID_REQUEST"), a.body
    assert a.json["error"]["details"]["field"] == "Idempotency-Key"


# --- lists

def test_lists_page_by_page_newest_first():
    c = api.client(api.new_key("analyst", "--rate", "none")["key"])
    ids = [api.start(c, f"Question number {i} of the list?") for i in range(5)][::-1]
    a = c.get("/api/v1/decisions?page_size=2")
    assert a.json["pagination"] == {"page": 1, "page_size": 2, "total": 5, "total_pages": 3, "has_next": True,
                                    "has_previous": False, "next_cursor": a.json["pagination"]["next_cursor"]}
    assert [d["decision_id"] for d in a.data] == ids[:2] and "result" not in a.data[0]
    a = c.get("/api/v1/decisions?page=3&page_size=2")
    assert [d["decision_id"] for d in a.data] == ids[4:]
    assert not a.json["pagination"]["has_next"] and a.json["pagination"]["has_previous"]
    assert c.get("/api/v1/decisions?page=9&page_size=2").data == []


def test_a_cursor_is_stable_while_rows_arrive():
    c = api.client(api.new_key("analyst", "--rate", "none")["key"])
    ids = [api.start(c, f"Question number {i} of the cursor?") for i in range(5)][::-1]
    seen, cursor = [], ""
    while cursor is not None:
        a = c.get(f"/api/v1/decisions?page_size=2&cursor={cursor}")
        seen += [d["decision_id"] for d in a.data]
        cursor = a.json["pagination"]["next_cursor"]
        api.start(c, "A question that arrives meanwhile?")
    assert seen == ids


def test_lists_are_filtered(c, done):
    d = done.data
    for query, found in (("status=completed", True), ("status=failed", False), ("decision_type=general", True),
                         ("decision_type=risk", False), ("from=2020-01-01", True), ("to=2020-01-01", False),
                         (f"from={d['created_at']}&to=2100-01-01T00:00:00Z", True)):
        a = c.get("/api/v1/decisions?page_size=100&" + query)
        assert a.status == 200, a.body
        assert (d["decision_id"] in [x["decision_id"] for x in a.data]) == found, query
    item = [x for x in c.get("/api/v1/decisions?page_size=100").data if x["decision_id"] == d["decision_id"]][0]
    assert item["recommendation"]["option"] == d["recommendation"]["option"]
    assert item["recommendation"]["risks"] == d["recommendation"]["risks"]


@pytest.mark.parametrize("query,field", [
    ("page=0", "page"), ("page=-1", "page"), ("page=x", "page"), ("page=", "page"), ("page_size=0", "page_size"),
    ("page_size=101", "page_size"), ("page_size=1.5", "page_size"), ("status=done", "status"), ("status=", "status"),
    ("decision_type=x", "decision_type"), ("from=yesterday", "from"), ("to=2025-13-01", "to"), ("cursor=%21", "cursor"),
    ("cursor=abc", "cursor"), ("page=%zz", "page"), ("status=%ff", "status"), ("page=99999999999999999999", "page")])
def test_bad_list_parameters_are_422(c, query, field):
    a = c.get("/api/v1/decisions?" + query)
    assert (a.status, a.code) == (422, "VALIDATION_ERROR"), a.body
    assert a.json["error"]["details"]["field"] == field


# --- feedback

def test_feedback_is_kept_and_a_second_replaces_it(c, done):
    path = ONE + done.data["decision_id"]
    a = c.post(path + "/feedback", {"rating": 5, "comment": "\u5f88\u597d", "outcome": "right", "outcome_note": "It paid off",
                                    "analysis_id": done.data["decision_id"]})
    assert a.status == 200 and a.data == {"status": "received", "analysis_id": done.data["decision_id"]}
    f = c.get(path).data["feedback"]
    assert f["rating"] == 5 and f["comment"] == "\u5f88\u597d" and f["outcome"] == "right" and f["updated_at"].endswith("Z")
    assert c.post(path + "/feedback", {"rating": 1}).status == 200
    f = c.get(path).data["feedback"]
    assert f["rating"] == 1 and f["comment"] is None


@pytest.mark.parametrize("body,status,code,field", [
    ({}, 400, "INVALID_REQUEST", "rating"), ({"rating": None}, 400, "INVALID_REQUEST", "rating"),
    ({"rating": "5"}, 400, "INVALID_REQUEST", "rating"), ({"rating": True}, 400, "INVALID_REQUEST", "rating"),
    ({"rating": 0}, 422, "VALIDATION_ERROR", "rating"), ({"rating": 6}, 422, "VALIDATION_ERROR", "rating"),
    ({"rating": 4.5}, 422, "VALIDATION_ERROR", "rating"), ({"rating": 1e99}, 422, "VALIDATION_ERROR", "rating"),
    ({"rating": 3, "comment": "x" * 1001}, 422, "VALIDATION_ERROR", "comment"),
    ({"rating": 3, "comment": 1}, 400, "INVALID_REQUEST", "comment"),
    ({"rating": 3, "outcome": "maybe"}, 422, "VALIDATION_ERROR", "outcome"),
    ({"rating": 3, "outcome_note": "x" * 1001}, 422, "VALIDATION_ERROR", "outcome_note"),
    ({"rating": 3, "analysis_id": "other"}, 422, "VALIDATION_ERROR", "analysis_id")])
def test_bad_feedback(c, done, body, status, code, field):
    a = c.post(ONE + done.data["decision_id"] + "/feedback", body)
    assert (a.status, a.code, a.json["error"]["details"]["field"]) == (status, code, field), a.body


# --- the trail

def test_the_trail_can_be_recomputed(c, done):
    t = c.get(ONE + done.data["decision_id"] + "/trail?proof=true").data
    assert t["version"] == "1.0" and t["query"] == QUERY["query"] and t["context"] == QUERY["context"]
    assert t["chain"]["verified"] is True and t["chain"]["length"] == len(t["steps"]) > 0
    previous = bytes(32)
    for n, step in enumerate(t["steps"], 1):
        assert step["index"] == n and step["previous_hash"] == previous.hex()
        digest = hashlib.sha256(bytes.fromhex(step["salt"]) + base64.b64decode(step["payload"])).digest()
        assert digest.hex() == step["digest"]
        previous = hashlib.sha256(previous + uuid.UUID(t["decision_id"]).bytes + n.to_bytes(8, "big") + digest).digest()
        assert previous.hex() == step["hash"]
    assert t["chain"]["head"] == previous.hex()
    assert t["steps"][-1]["type"] == "final"


def test_the_trail_without_proof_has_no_salts(c, done):
    t = c.get(ONE + done.data["decision_id"] + "/trail").data
    assert all("salt" not in s and "payload" not in s for s in t["steps"])


def test_proof_is_true_or_false(c, done):
    a = c.get(ONE + done.data["decision_id"] + "/trail?proof=maybe")
    assert (a.status, a.code, a.json["error"]["details"]["field"]) == (422, "VALIDATION_ERROR", "proof")


# --- the report

def test_the_report_names_the_choice_and_its_sources(c):
    word = f"Lyon{uuid.uuid4().hex[:8]}"
    d = c.post("/api/v1/knowledge/documents", {"title": "Rent", "content": f"The {word} warehouse costs 750000 a year."})
    c.get(f"/api/v1/knowledge/documents/{d.data['id']}?wait=30")
    a = c.decide({"query": f"Should we rent the {word} warehouse | or <b>not</b>?", "options": ["Rent it", "Do not"],
                  "documents": [d.data["id"]]})
    assert a.status == 201, a.body
    path = ONE + a.data["decision_id"] + "/report"
    md = c.get(path)
    assert md.status == 200 and md.headers["Content-Type"].startswith("text/markdown")
    text = md.body.decode()
    assert a.data["recommendation"]["option"] in text and "## Sources" in text and "costs 750000 a year" in text
    assert "\\| or \\<b\\>not" in text
    html = c.get(path + "?format=html")
    assert html.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in html.headers["Content-Security-Policy"]
    assert b"&lt;b&gt;not&lt;/b&gt;" in html.body and b"<b>" not in html.body and b"costs 750000 a year" in html.body
    assert c.get(path + "?format=json").data == c.get(ONE + a.data["decision_id"]).data
    bad = c.get(path + "?format=pdf")
    assert (bad.status, bad.code) == (422, "VALIDATION_ERROR")
    assert c.get(path, headers={"If-None-Match": md.headers["ETag"]}).status == 304
    assert api.client(api.new_key("analyst", "--rate", "none")["key"]).get(path).status == 404


def test_an_unfinished_decision_has_a_short_report(c):
    i = api.start(c)
    assert c.get(ONE + i + "/report").status == 200
    api.ended(c, i)


# --- cancel and delete

def test_an_ended_decision_cannot_be_cancelled(c, done):
    a = c.post(ONE + done.data["decision_id"] + "/cancel")
    assert (a.status, a.code) == (409, "CONFLICT")
    assert a.json["error"]["details"] == {"reason": "already_ended", "decision_id": done.data["decision_id"]}


def test_a_deleted_decision_is_gone(c):
    i = api.start(c)
    assert c.delete(ONE + i).status == 204
    assert c.get(ONE + i).status == 404 and c.delete(ONE + i).status == 404
    assert i not in [d["decision_id"] for d in c.get("/api/v1/decisions?page_size=100").data]


# --- who may

def test_others_decisions_do_not_exist(c, done):
    other = api.client(api.new_key("analyst", "--rate", "none")["key"])
    path = ONE + done.data["decision_id"]
    for method, rest, body in (("GET", "", None), ("GET", "/trail", None), ("GET", "/stream", None), ("DELETE", "", None),
                               ("POST", "/cancel", None), ("POST", "/feedback", {"rating": 1})):
        a = other.call(method, path + rest, body)
        assert (a.status, a.code) == (404, "DECISION_NOT_FOUND"), (method, rest, a.body)


def test_admins_see_others_but_only_super_admins_delete_them(c):
    i = api.start(c)
    api.ended(c, i)
    admin, root = api.as_role("admin"), api.as_role("super_admin")
    assert admin.get(ONE + i).status == 200
    assert admin.post(ONE + i + "/feedback", {"rating": 2}).status == 200
    a = admin.delete(ONE + i)
    assert (a.status, a.code, a.json["error"]["message"]) == (403, "AUTH_INSUFFICIENT_PERMISSIONS",
                                                             "Insufficient permissions")
    assert i not in [d["decision_id"] for d in admin.get("/api/v1/decisions?page_size=100").data]
    assert root.delete(ONE + i).status == 204


@pytest.mark.parametrize("role,create", [("super_admin", True), ("admin", True), ("ceo", True), ("executive", True),
                                         ("analyst", True), ("viewer", False)])
def test_roles_that_may_decide(role, create):
    a = api.as_role(role).decide({**QUERY, "mode": "async"})
    if create:
        assert a.status == 202
    else:
        assert (a.status, a.code) == (403, "AUTH_INSUFFICIENT_PERMISSIONS")
        assert a.json["error"]["message"] == "Insufficient permissions"


def test_a_successor_key_of_the_same_principal_sees_the_same_decisions():
    first = api.new_key("analyst", "--rate", "none")
    i = api.start(api.client(first["key"]))
    second = api.new_key("analyst", "--rate", "none", "--principal", first["principal_id"])
    assert second["principal_id"] == first["principal_id"]
    assert api.client(second["key"]).get(ONE + i).status == 200


# --- sessions

def test_a_session_whose_question_still_runs_is_busy(c):
    first = c.decide({**QUERY, "mode": "async"})
    session = first.data["session_id"]
    a = c.decide({**QUERY, "mode": "async", "session_id": session})
    if a.status == 202:
        pytest.skip("the first question was answered before the second was asked")
    assert (a.status, a.code) == (409, "CONFLICT")
    assert a.json["error"]["details"]["reason"] == "session_busy"
    b = c.decide({**QUERY, "mode": "async", "session_id": session, "on_busy": "interrupt"})
    assert b.status == 202 and b.data["session_id"] == session
    assert api.ended(c, first.data["decision_id"])["status"] in ("cancelled", "completed")
    api.ended(c, b.data["decision_id"])
    assert c.decide({**QUERY, "mode": "async", "session_id": session}).status == 202


def test_a_queued_question_waits_for_the_one_before(new_stack):
    stack = new_stack({"SWEEP_INTERVAL_MS": "200"}, agents=0, workers=0)
    c = api.ceo.Client(stack.url, stack.api_key)
    first = c.decide({**QUERY, "mode": "async"})
    more = {**QUERY, "mode": "async", "session_id": first.data["session_id"], "on_busy": "queue"}
    rest = [c.decide(more) for _ in range(2)]
    assert [a.status for a in rest] == [202, 202]
    stack.sql("UPDATE decisions SET due_at = clock_timestamp() + interval '4 seconds' "
              f"WHERE decision_id = '{first.data['decision_id']}'")
    env = {**stack.env, "DATABASE_URL": stack.database_url, "REDIS_URL": stack.redis_url, "HEALTH_PORT": "0",
           "ENCRYPTION_KEY": stack.encryption_key, "SWEEP_INTERVAL_MS": "200"}
    agent = subprocess.Popen([os.environ.get("BIN_DIR", "build/dev") + "/ceoagent-agent"], cwd=api.ROOT, env=env,
                             stderr=subprocess.DEVNULL)
    try:
        ended = [api.ended(c, a.data["decision_id"]) for a in (first, *rest)]
    finally:
        agent.terminate()
        assert agent.wait(30) == 0
    assert [d["status"] for d in ended] == ["completed"] * 3
    assert ended[0]["completed_at"] < ended[1]["completed_at"] < ended[2]["completed_at"]


def test_documents_of_the_request_are_looked_up(c):
    d = c.post("/api/v1/knowledge/documents", {"title": "Lease", "content": f"The lease costs 750000. {uuid.uuid4()}"})
    a = c.decide({**QUERY, "mode": "async", "documents": [d.data["id"]]})
    assert a.status == 202
    a = c.decide({**QUERY, "documents": [d.data["id"], str(uuid.uuid4())]})
    assert (a.status, a.code) == (404, "DATA_NOT_FOUND")
    assert a.json["error"]["details"]["field"] == "documents/1"


def test_what_was_done_and_refused_is_on_record(c, stack):
    i = api.start(c)
    assert api.as_role("admin").delete(ONE + i).status == 403
    assert c.delete(ONE + i).status == 204
    rows = stack.sql(f"SELECT action, result, user_id IS NOT NULL, ip_address FROM audit_logs WHERE resource_id = '{i}' "
                     "ORDER BY log_id")
    assert rows == [["decision.analyze", "success", "t", "127.0.0.1"], ["decision.delete", "success", "t", "127.0.0.1"]]
    api.eventually(lambda: stack.sql("SELECT 1 FROM audit_logs WHERE action = 'access.denied' AND result = 'failure' AND "
                                     "resource_id = '/api/v1/decisions/{id}'"))


def test_many_clients_wait_at_once(c):
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda i: c.decide({**QUERY, "query": f"Shall we do thing {i}?"}), range(40)))
    assert {a.status for a in answers} == {201}
    assert len({a.data["decision_id"] for a in answers}) == 40


def test_a_client_that_goes_away_stops_nothing(c):
    text = json.dumps({**QUERY, "query": f"Does it go on alone {uuid.uuid4()}?"}).encode()
    head = (b"POST /api/v1/decision/analyze HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"X-API-Key: " + c.key.encode() + b"\r\nContent-Length: " + str(len(text)).encode() + b"\r\n\r\n")
    with socket.create_connection((c.host, c.port)) as s:
        s.sendall(head + text)
        time.sleep(0.3)

    def found():
        rows = c.get("/api/v1/decisions?page_size=10").data
        return [d for d in rows if d["query"] == json.loads(text)["query"] and d["status"] == "completed"]
    assert api.eventually(found)
