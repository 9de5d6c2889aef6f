"""Skills: listed, described, run on the worker."""
import api
import pytest

SKILLS = "/api/v1/skills"


@pytest.fixture(scope="module")
def c():
    return api.client(api.role_key("analyst"))


def run(c, name, params):
    return c.post(f"{SKILLS}/{name}/execute", {"params": params})


def test_the_list_has_schemas(c):
    skills = c.get(SKILLS).data
    names = [s["name"] for s in skills]
    assert names == sorted(names)
    assert {"calculator", "financial_model", "monte_carlo", "decision_matrix", "decision_tree", "risk_assessment",
            "forecast", "data_analysis", "knowledge_retrieval", "scenario_analysis"} <= set(names)
    for s in skills:
        assert s["description"] and s["version"] and s["category"] in ("data", "decision", "knowledge", "integration",
                                                                         "system")
        assert isinstance(s["input_schema"], dict) and isinstance(s["required_skills"], list)


def test_the_list_is_filtered_and_cacheable(c):
    a = c.get(SKILLS + "?category=knowledge")
    assert {s["category"] for s in a.data} == {"knowledge"}
    assert c.get(SKILLS + "?category=knowledge", headers={"If-None-Match": a.headers["ETag"]}).status == 304
    bad = c.get(SKILLS + "?category=x")
    assert (bad.status, bad.code) == (422, "VALIDATION_ERROR")


def test_one_skill(c):
    s = c.get(SKILLS + "/risk_assessment").data
    assert s["name"] == "risk_assessment" and s["permission"] == "decision:read"
    assert "oneOf" in c.get(SKILLS + "/scenario_analysis").data["input_schema"]


@pytest.mark.parametrize("name", ["nope", "learning", "Calculator", "a%2Fb", "%E4%BD%A0", "x" * 300])
def test_unknown_skills(c, name):
    for a in (c.get(f"{SKILLS}/{name}"), run(c, name, {})):
        assert (a.status, a.code) == (404, "SKILL_NOT_FOUND"), a.body


def test_a_skill_is_run_and_its_result_kept(c):
    expression = f"1 + 2 * 3 + {id(c) % 1000}"
    first, second = (run(c, "calculator", {"expression": expression}) for _ in range(2))
    assert first.status == 200 and first.data["value"] == 7 + id(c) % 1000
    assert first.json["metadata"]["tool"] == "calculator" and first.json["metadata"]["cached"] is False
    assert second.data == first.data and second.json["metadata"]["cached"] is True


def test_failures_are_not_kept(c):
    for _ in range(2):
        a = run(c, "calculator", {"expression": "1/0"})
        assert (a.status, a.code) == (422, "SKILL_INVALID_PARAMS")
        d = a.json["error"]["details"]
        assert d["field"] == "expression" and d["reason"] and d["message"]


@pytest.mark.parametrize("name,params,field", [
    ("calculator", {}, "expression"), ("calculator", {"expression": 1}, "expression"),
    ("calculator", {"expression": ""}, "expression"), ("calculator", {"expression": "1", "more": 1}, "more"),
    ("calculator", {"expression": "x", "variables": {"x": "1"}}, "variables/x"),
    ("financial_model", {"rate": "high"}, "rate")])
def test_parameters_that_do_not_fit(c, name, params, field):
    a = run(c, name, params)
    assert (a.status, a.code) == (422, "SKILL_INVALID_PARAMS"), a.body
    d = a.json["error"]["details"]
    assert d["field"] == field and d["reason"] and d["message"]


@pytest.mark.parametrize("body,status", [({"params": []}, 400), ({"params": "x"}, 400), ({}, 422), ({"params": None}, 422)])
def test_bad_bodies(c, body, status):
    a = c.post(SKILLS + "/calculator/execute", body)
    assert a.status == status, a.body


def test_the_published_value_comes_out(c):
    """numpy-financial's documentation: npv(0.08, [-40000, 5000, 8000, 12000, 30000]) = 3065.22267."""
    a = run(c, "financial_model", {"rate": 0.08, "cash_flows": [-40000, 5000, 8000, 12000, 30000]})
    assert a.status == 200 and abs(a.data["npv"] - 3065.22266818) < 1e-6


def test_an_alias_runs_the_tool_that_fits(c):
    a = run(c, "decision_recommendation", {
        "alternatives": ["A", "B"], "criteria": [{"name": "cost", "direction": "cost", "weight": 1}],
        "scores": [[10], [20]]})
    assert a.status in (200, 422), a.body
    if a.status == 200:
        assert a.json["metadata"]["tool"] == "decision_matrix"


def test_a_heavy_skill_runs_as_a_job(c):
    schema = c.get(SKILLS + "/monte_carlo").data["input_schema"]
    assert "runs" in str(schema) or schema
    a = run(c, "monte_carlo", {"model": {"expression": "x"}})
    assert a.status in (200, 422)


def test_the_knowledge_base_is_asked(c):
    a = run(c, "knowledge_retrieval", {"query": "contract"})
    assert a.status == 200 and isinstance(a.data["results"], list)
    assert a.json["metadata"]["tool"] == "knowledge_retrieval"


def test_each_skill_needs_its_permission():
    viewer = api.as_role("viewer")
    assert run(viewer, "calculator", {"expression": "1"}).status == 200
    assert run(viewer, "decision_recommendation", {}).status == 403
    assert run(viewer, "risk_assessment", {}).status == 422
    assert viewer.get(SKILLS).status == 200


def test_no_worker_is_a_timeout_of_the_gateway(new_stack):
    stack = new_stack(agents=0, workers=0)
    c = api.ceo.Client(stack.url, stack.api_key)
    a = c.post(SKILLS + "/calculator/execute", {"params": {"expression": "1"}})
    assert (a.status, a.code) == (504, "TIMEOUT")
