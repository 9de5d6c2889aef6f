"""Background analysis, and the counts of all analyses."""
import uuid

import api
import pytest

START = "/api/v1/analysis/start"
BODY = {"query": "Should we lease or buy the vans?", "options": ["Lease", "Buy"]}


@pytest.fixture(scope="module")
def c():
    return api.client(api.role_key("analyst"))


def status(c, task):
    return c.get(f"/api/v1/analysis/{task}/status")


def test_a_task_is_started_and_ends(c):
    a = c.post(START, BODY)
    assert a.status == 202, a.body
    task = a.data["task_id"]
    assert a.data == {"task_id": task, "status": "processing", "decision_id": task}
    assert a.headers["Location"] == f"/api/v1/analysis/{task}/status"

    def ended():
        s = status(c, task).data
        assert s["status"] in ("PENDING", "STARTED", "RETRY", "SUCCESS")
        assert (s["result"] is None) == (s["status"] != "SUCCESS")
        return s if s["result"] else None
    result = api.eventually(ended)["result"]
    assert result["decision_id"] == task and result["recommendation"]["option"] in BODY["options"]
    assert result == c.get(f"/api/v1/decisions/{task}").data
    a = c.post(f"/api/v1/analysis/{task}/cancel")
    assert (a.status, a.code) == (409, "CONFLICT")


def test_the_mode_of_a_task_does_not_matter_and_keys_attach(c):
    k = {"Idempotency-Key": uuid.uuid4().hex}
    first = c.post(START, {**BODY, "mode": "sync"}, headers=k)
    again = c.post(START, {**BODY, "mode": "sync"}, headers=k)
    assert first.status == again.status == 202 and first.data == again.data
    assert again.headers["Idempotent-Replayed"] == "true"


def test_bad_tasks(c):
    a = c.post(START, {"query": ""})
    assert (a.status, a.code) == (400, "INVALID_INPUT")
    for task in ("x", str(uuid.uuid4())):
        for a in (status(c, task), c.post(f"/api/v1/analysis/{task}/cancel")):
            assert (a.status, a.code) == (404, "DECISION_NOT_FOUND")
    mine = c.post(START, BODY).data["task_id"]
    other = api.client(api.new_key("analyst", "--rate", "none")["key"])
    assert status(other, mine).status == 404
    assert api.as_role("viewer").post(START, BODY).status == 403


def test_a_task_can_be_cancelled(new_stack):
    stack = new_stack(agents=0, workers=0)
    c = api.ceo.Client(stack.url, stack.api_key)
    task = c.post(START, BODY).data["task_id"]
    assert status(c, task).data == {"task_id": task, "status": "PENDING", "result": None, "error": None}
    a = c.post(f"/api/v1/analysis/{task}/cancel")
    assert a.status == 202 and a.data == {"task_id": task, "status": "cancelling"}
    assert stack.sql(f"SELECT cancel_asked_at IS NOT NULL FROM decisions WHERE decision_id = '{task}'") == [["t"]]


def test_stats_count(c):
    admin = api.as_role("admin")
    before = admin.get("/api/v1/stats").data
    api.ended(c, api.start(c, decision_type="risk"))
    after = admin.get("/api/v1/stats").data
    assert after["analyses"]["total"] >= before["analyses"]["total"] + 1
    assert after["analyses"]["by_type"]["risk"] >= before["analyses"]["by_type"].get("risk", 0) + 1
    assert sum(after["analyses"]["by_status"].values()) == after["analyses"]["total"]
    assert after["conversations"] > before["conversations"]
    assert after["tokens"]["total"] == after["tokens"]["input"] + after["tokens"]["output"]
    a = c.get("/api/v1/stats")
    assert (a.status, a.code) == (403, "AUTH_INSUFFICIENT_PERMISSIONS")
