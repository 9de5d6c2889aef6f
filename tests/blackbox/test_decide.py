"""One decision, end to end: offline on the briefs, and with a scripted model in each strategy."""
import json
import pathlib

import pytest

import trail
from ceo import Client
from model import Model

ROOT = pathlib.Path(__file__).resolve().parents[2]
BRIEFS = sorted((ROOT / "tests/data/briefs").glob("0*"))
TYPES = {".md": "text/markdown", ".csv": "text/csv"}


def ingest(client, folder):
    ids = []
    for path in sorted((folder / "documents").glob("*")):
        posted = client.post("/api/v1/knowledge/documents", {
            "title": path.name, "content": path.read_text(encoding="utf-8"),
            "content_type": TYPES[path.suffix]})
        assert posted.status in (200, 201), posted.body
        ready = client.get(f"/api/v1/knowledge/documents/{posted.data['id']}?wait=30").data
        assert ready["status"] == "ready", ready
        ids.append(ready["id"])
    return ids


@pytest.mark.parametrize("brief", BRIEFS, ids=lambda p: p.name)
def test_a_brief_ends_without_an_unacceptable_choice(stack, brief):
    client = Client(stack.url, stack.api_key)
    request = json.loads((brief / "request.json").read_text(encoding="utf-8"))
    grading = json.loads((brief / "grading.json").read_text(encoding="utf-8"))
    answer = client.decide({**request, "documents": ingest(client, brief)})
    assert answer.status == 201, answer.body
    decision = answer.data
    final = decision["result"]["final_recommendation"]
    assert final["choice"] in request["options"]
    assert final["choice"] not in grading["unacceptable_choice"]
    assert final["confidence"] <= grading["confidence_max"]
    assert decision["agent"]["mode"] == "offline"
    assert decision["recommendation"]["option"] == final["choice"]
    for part in ("situation_analysis", "risk_assessment", "recommendations", "final_recommendation",
                 "decision_record", "sensitivity", "evidence"):
        assert part in decision["result"]
    steps = trail.check(client.get(f"/api/v1/decisions/{decision['decision_id']}/trail?proof=true").data)
    trail.assert_whole(steps)


@pytest.fixture(scope="module")
def model():
    m = Model()
    yield m
    m.close()


@pytest.fixture(scope="module", params=["anthropic", "openai"])
def modelled(request, model):
    from conftest import Stack
    s = Stack(model.settings(request.param))
    yield Client(s.url, s.api_key)
    s.close()


BODY = {"query": "Which supplier do we take?", "options": ["Alder", "Birch"]}


def test_react_calls_tools_and_ends(modelled, model):
    model.script()
    d = modelled.decide({**BODY, "agent_mode": "react"}).data
    assert d["status"] == "completed", d
    assert d["agent"]["mode"] == "react" and d["agent"]["model"] == "scripted-1"
    assert d["recommendation"]["option"] == "Alder"
    assert d["usage"]["steps"] == 3 and d["usage"]["tokens_in"] == 300
    assert "calculator" in d["skills_used"]


def test_each_request_begins_with_the_bytes_of_the_one_before(modelled, model):
    model.script()
    modelled.decide({**BODY, "agent_mode": "react"})
    journal = model.journal()
    assert len(journal) == 3 and all(c["prefix_ok"] for c in journal)


def test_several_tools_of_one_turn_run_and_come_back_together(modelled, model):
    model.script(steps=[{"tools": [["calculator", {"expression": "1+1"}],
                                   ["calculator", {"expression": "2+"}],
                                   ["no_such_tool", {}]]}, {"submit": {}}])
    d = modelled.decide({**BODY, "agent_mode": "react"}).data
    assert d["status"] == "completed"
    steps = modelled.get(f"/api/v1/decisions/{d['decision_id']}/trail").data["steps"]
    observed = [s for s in steps if s["type"] == "observe" and s.get("name") in ("calculator", "no_such_tool")]
    assert len(observed) == 3


def test_a_plan_runs_its_independent_steps_and_survives_a_failed_one(modelled, model):
    plan = {"steps": [
        {"id": "s1", "tool": "calculator", "input": {"expression": "3*7"}, "needs": [], "purpose": "a"},
        {"id": "s2", "tool": "calculator", "input": {"expression": "1/"}, "needs": [], "purpose": "b"},
        {"id": "s3", "tool": "calculator", "input": {"expression": "2+2"}, "needs": ["s1"], "purpose": "c"}]}
    replan = {"steps": [plan["steps"][0]]}
    model.script(steps=[{"tool": "submit_plan", "input": plan}, {"tool": "submit_plan", "input": replan},
                        {"submit": {}}])
    d = modelled.decide({**BODY, "agent_mode": "plan_and_execute"}).data
    assert d["status"] == "completed", d
    assert d["agent"]["mode"] == "plan_and_execute"


def test_a_bad_answer_is_repaired_twice_at_most(modelled, model):
    model.script(steps=[{"submit": {"final_recommendation": {"choice": "Cedar"}}},
                        {"submit": {"risk_assessment": {}}}, {"submit": {}}])
    d = modelled.decide({**BODY, "agent_mode": "react"})
    assert d.status == 201 and d.data["recommendation"]["option"] == "Alder"
    model.script(steps=[{"submit": {"final_recommendation": {"choice": "Cedar"}}}])
    refused = modelled.decide({**BODY, "agent_mode": "react"})
    assert (refused.status, refused.code) == (500, "PARSE_ERROR")
    assert refused.json["error"]["details"]["decision_id"]
    assert len(model.journal()) == 3


def test_429_with_retry_after_is_honoured(modelled, model):
    model.script(steps=[{"status": 429, "retry_after": 1, "times": 1, "then": {"submit": {}}}])
    d = modelled.decide({**BODY, "agent_mode": "react"}).data
    assert d["status"] == "completed"
    first, second = [c["at"] for c in model.journal()]
    assert second - first >= 1.0


@pytest.mark.parametrize("fault, status, code", [
    ({"status": 429, "retry_after": 0}, 503, "LLM_RATE_LIMITED"),
    ({"status": 400, "type": "invalid_request_error"}, 502, "LLM_ERROR"),
    ({"status": 500, "type": "api_error"}, 502, "LLM_ERROR")])
def test_a_provider_that_fails_for_good_is_an_honest_error(modelled, model, fault, status, code):
    model.script(steps=[fault])
    answer = modelled.decide({**BODY, "agent_mode": "react"})
    assert (answer.status, answer.code) == (status, code), answer.body


@pytest.mark.parametrize("fault", [{"cut": True, "times": 1}, {"status": 529, "times": 1}])
def test_a_broken_stream_is_made_good(modelled, model, fault):
    model.script(steps=[{**fault, "text": "thinking aloud", "then": {"submit": {}}}])
    assert modelled.decide({**BODY, "agent_mode": "react"}).data["status"] == "completed"


def test_a_runaway_model_meets_its_budget(modelled, model):
    model.script(steps=[{"tool": "calculator", "input": {"expression": f"{i}+1"}} for i in range(50)])
    d = modelled.decide({**BODY, "agent_mode": "react", "budget": {"steps": 4}}).data
    assert d["status"] == "completed" and d["usage"]["steps"] <= 4
    assert model.journal()[-1]["forced"] == "submit_decision"


def test_identical_calls_are_stopped(modelled, model):
    model.script(steps=[{"tool": "calculator", "input": {"expression": "1+1"}}])
    d = modelled.decide({**BODY, "agent_mode": "react"}).data
    assert d["status"] == "completed" and d["usage"]["steps"] < 15


def test_tokens_stream_live_and_can_be_replayed(modelled, model):
    model.script(token_delay=0.02, steps=[{"text": "Let me think about the two suppliers, one by one.",
                                           "tool": "calculator", "input": {"expression": "1+1"}},
                                          {"submit": {}}])
    seen = list(modelled.events("POST", "/api/v1/decision/analyze",
                                {**BODY, "agent_mode": "react", "mode": "stream"}))
    kinds = [k for _, k, _ in seen]
    assert kinds[0] == "started" and kinds[-1] == "done"
    chunks = [d for _, k, d in seen if k == "chunk"]
    assert "Let me think" in "".join(c["content"] for c in chunks)
    decision = seen[0][2]["decision_id"]
    middle = seen[len(seen) // 2][0]
    again = list(modelled.events("GET", f"/api/v1/decisions/{decision}/stream",
                                 headers={"Last-Event-ID": middle}))
    assert again[-1][1] == "done"

    def place(ident):
        return tuple(int(p) for p in ident.split("."))

    ids = [place(i) for i, _, _ in seen if i]
    assert ids == sorted(ids), "ids rise"
    chunk_ids = [i for i, k, _ in seen if k == "chunk"]
    assert len(set(chunk_ids)) == len(chunk_ids)


def test_cancel_reaches_the_model_call(modelled, model):
    model.script(delay=20)
    d = modelled.decide({**BODY, "agent_mode": "react", "mode": "async"}).data
    pytest.wait_until(lambda: model.journal(), 20)
    assert modelled.post(f"/api/v1/decisions/{d['decision_id']}/cancel").status == 202
    ended = pytest.wait_until(lambda: (lambda x: x if x["status"] == "cancelled" else None)(
        modelled.get(f"/api/v1/decisions/{d['decision_id']}").data), 10)
    assert ended["status"] == "cancelled"
