"""What the analyze endpoints refuse, row by row: the request, its status, code and field."""
import json

import api
import pytest

LONG, SHORT = "/api/v1/decision/analyze", "/api/v1/analyze"
INVESTMENT, RISK, STRATEGY = ("/api/v1/decision/" + n for n in ("investment", "risk", "strategy"))

REQUEST, INPUT, QUERY, GONE = "INVALID_REQUEST", "INVALID_INPUT", "DECISION_INVALID_QUERY", "DATA_NOT_FOUND"
STATUS = {REQUEST: 400, INPUT: 400, QUERY: 422, GONE: 404}
REQUIRED, TOO_LONG = "query field is required", "query exceeds maximum length"

NOBODY = "01890000-0000-7000-8000-000000000000"
Q = {"query": "Should we buy the supplier?"}
INV = {**Q, "company_financials": {"2024": {"revenue": "12M", "profit": 1.5, "cash_flow": "-300K"}},
       "decision_type": "acquisition", "budget_range": "1M-2M"}
RSK = {**Q, "company_profile": {"industry": "retail", "name": "Acme"}, "financial_health": {"debt_ratio": 0.4}}
STR = {**Q, "business_status": {"revenue": "5M"}, "strategic_goals": ["grow"]}


def nested(levels):
    value = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def long_rows():
    # path, body, code, field, exact message or None
    yield {}, REQUEST, "query", REQUIRED
    yield {"query": None}, REQUEST, "query", REQUIRED
    for wrong in (1, 1.5, True, False, [], ["x"], {}, {"q": 1}):
        yield {"query": wrong}, REQUEST, "query", None
    for blank in ("", " ", "\t\n ", "\u3000", "\u00a0\u2003", "\ufeff", "\u200b"):
        yield {"query": blank}, INPUT, "query", REQUIRED
    yield {"query": "x" * 10001}, INPUT, "query", TOO_LONG
    yield {"query": "\u6c49" * 10001}, INPUT, "query", TOO_LONG
    yield {"query": "\U0001f600" * 10001}, INPUT, "query", TOO_LONG
    for wrong in ("text", 1, True, [], [{"a": 1}]):
        yield {**Q, "context": wrong}, INPUT, "context", None
    yield {**Q, "context": nested(17)}, INPUT, "context", None
    yield {**Q, "context": nested(40)}, INPUT, "context", None
    yield {**Q, "context": nested(80)}, INPUT, "context", None
    yield {**Q, "context": {"a": [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}}, INPUT, "context", None
    yield {**Q, "context": {"a": "x" * 262144}}, INPUT, "context", None
    for wrong in ("yes", 1, True, {}, {"0": "a"}):
        yield {**Q, "options": wrong}, REQUEST, "options", None
    yield {**Q, "options": []}, QUERY, "options", None
    yield {**Q, "options": [f"o{i}" for i in range(11)]}, QUERY, "options", None
    yield {**Q, "options": ["a", "b", "a"]}, QUERY, "options/2", None
    yield {**Q, "options": ["a", "a"]}, QUERY, "options/1", None
    yield {**Q, "options": ["a", ""]}, QUERY, "options/1", None
    yield {**Q, "options": [" ", "b"]}, QUERY, "options/0", None
    yield {**Q, "options": ["x" * 201]}, QUERY, "options/0", None
    yield {**Q, "options": ["a", "\u6c49" * 201]}, QUERY, "options/1", None
    for at, wrong in enumerate((1, None, True, [], {})):
        yield {**Q, "options": ["a"] * 0 + [f"o{i}" for i in range(at)] + [wrong]}, REQUEST, f"options/{at}", None
    for wrong in ("x", 1, {}, True):
        yield {**Q, "documents": wrong}, REQUEST, "documents", None
    yield {**Q, "documents": [1]}, REQUEST, "documents/0", None
    yield {**Q, "documents": [NOBODY]}, GONE, "documents/0", None
    yield {**Q, "documents": ["no-id"]}, GONE, "documents/0", None
    yield {**Q, "documents": [NOBODY[:-1] + "1", NOBODY]}, GONE, "documents/0", None
    yield {**Q, "documents": [NOBODY, NOBODY]}, QUERY, "documents/1", None
    yield {**Q, "documents": [NOBODY, NOBODY.upper()]}, QUERY, "documents/1", None
    yield {**Q, "documents": [f"01890000-0000-7000-8000-{i:012x}" for i in range(51)]}, QUERY, "documents", None
    for wrong in ("true", 1, 0, [], {}):
        yield {**Q, "include_analysis": wrong}, REQUEST, "include_analysis", None
    for key in ("decision_type", "analysis_type"):
        yield {**Q, key: 1}, REQUEST, key, None
        yield {**Q, key: "marriage"}, QUERY, key, None
        yield {**Q, key: "Investment"}, QUERY, key, None
        yield {**Q, key: ""}, QUERY, key, None
    for key in ("session_id", "conversation_id"):
        for wrong in (1, [], {}, True):
            yield {**Q, key: wrong}, REQUEST, key, None
    for key in ("agent_mode", "mode", "on_busy"):
        yield {**Q, key: 1}, REQUEST, key, None
        yield {**Q, key: []}, REQUEST, key, None
        yield {**Q, key: "whatever"}, QUERY, key, None
        yield {**Q, key: "AUTO"}, QUERY, key, None
    yield {**Q, "webhook_url": 1}, REQUEST, "webhook_url", None
    for wrong in ("http://example.com/hook", "https://", "https:///x", "example.com", "ftp://example.com", "",
                  "https://user:pw@example.com/", "https://exa mple.com/", "https://e.com/" + "x" * 2048,
                  "javascript:alert(1)", "https://e.com/\u00e9"):
        yield {**Q, "webhook_url": wrong}, QUERY, "webhook_url", None
    for wrong in (1, "x", [], True):
        yield {**Q, "budget": wrong}, REQUEST, "budget", None
    for key in ("steps", "seconds", "tokens", "usd"):
        for wrong in ("10", True, [], {}):
            yield {**Q, "budget": {key: wrong}}, REQUEST, "budget/" + key, None
        yield {**Q, "budget": {key: -1}}, QUERY, "budget/" + key, None
        yield {**Q, "budget": {key: 1e12}}, QUERY, "budget/" + key, None
    for key in ("steps", "seconds", "tokens"):
        yield {**Q, "budget": {key: 0}}, QUERY, "budget/" + key, None
        yield {**Q, "budget": {key: 1.5}}, QUERY, "budget/" + key, None
    yield {**Q, "budget": {"steps": 41}}, QUERY, "budget/steps", None
    yield {**Q, "budget": {"usd": 5.01}}, QUERY, "budget/usd", None


def short_rows(path, base):
    yield path, {**base, "query": "too short"}, INPUT, "query", None
    yield path, {**base, "query": "   too short   "}, INPUT, "query", None
    yield path, {**base, "query": "x" * 5001}, INPUT, "query", TOO_LONG
    yield path, {**base, "query": ""}, INPUT, "query", REQUIRED
    yield path, {k: v for k, v in base.items() if k != "query"}, REQUEST, "query", REQUIRED
    yield path, {**base, "options": ["a", "a"]}, QUERY, "options/1", None
    yield path, {**base, "context": "x"}, INPUT, "context", None


def form_rows():
    def without(body, key):
        return {k: v for k, v in body.items() if k != key}
    for path, base, required in ((INVESTMENT, INV, ("company_financials", "decision_type", "budget_range")),
                                 (RISK, RSK, ("company_profile", "financial_health")),
                                 (STRATEGY, STR, ("business_status", "strategic_goals"))):
        for key in required:
            yield path, without(base, key), REQUEST, key, f"{key} field is required"
            yield path, {**base, key: None}, REQUEST, key, f"{key} field is required"
    for wrong in ("x", 1, []):
        yield INVESTMENT, {**INV, "company_financials": wrong}, REQUEST, "company_financials", None
        yield RISK, {**RSK, "company_profile": wrong}, REQUEST, "company_profile", None
        yield RISK, {**RSK, "financial_health": wrong}, REQUEST, "financial_health", None
        yield STRATEGY, {**STR, "business_status": wrong}, REQUEST, "business_status", None
    yield INVESTMENT, {**INV, "company_financials": {}}, QUERY, "company_financials", None
    yield INVESTMENT, {**INV, "company_financials": {"2024": 1}}, REQUEST, "company_financials/2024", None
    for wrong in (True, [], {}):
        yield (INVESTMENT, {**INV, "company_financials": {"2024": {"revenue": wrong}}}, REQUEST,
               "company_financials/2024/revenue", None)
    for wrong in (-1, "-1M", "much", "", "12 parsecs", "M"):
        yield (INVESTMENT, {**INV, "company_financials": {"2024": {"revenue": wrong}}}, QUERY,
               "company_financials/2024/revenue", None)
    yield (INVESTMENT, {**INV, "company_financials": {"2023": {"revenue": 1}, "2024": {"profit": "loss"}}}, QUERY,
           "company_financials/2024/profit", None)
    yield INVESTMENT, {**INV, "decision_type": 5}, REQUEST, "decision_type", None
    yield INVESTMENT, {**INV, "decision_type": " "}, QUERY, "decision_type", None
    yield INVESTMENT, {**INV, "risk_tolerance": "reckless"}, QUERY, "risk_tolerance", None
    yield INVESTMENT, {**INV, "risk_tolerance": 3}, REQUEST, "risk_tolerance", None
    yield INVESTMENT, {**INV, "market_report": "x" * 10001}, QUERY, "market_report", None
    yield INVESTMENT, {**INV, "market_report": {}}, REQUEST, "market_report", None
    yield INVESTMENT, {**INV, "competitor_data": nested(16)}, INPUT, "competitor_data", None
    yield RISK, {**RSK, "company_profile": {}}, QUERY, "company_profile", None
    yield RISK, {**RSK, "company_profile": {"industry": "x" * 51}}, QUERY, "company_profile/industry", None
    yield RISK, {**RSK, "company_profile": {"name": "x" * 101}}, QUERY, "company_profile/name", None
    yield RISK, {**RSK, "company_profile": {"name": 1}}, REQUEST, "company_profile/name", None
    yield RISK, {**RSK, "risk_areas": "financial"}, REQUEST, "risk_areas", None
    yield RISK, {**RSK, "risk_areas": []}, QUERY, "risk_areas", None
    yield RISK, {**RSK, "risk_areas": ["legal", 1]}, REQUEST, "risk_areas/1", None
    yield RISK, {**RSK, "risk_areas": ["legal", "legal"]}, QUERY, "risk_areas/1", None
    yield STRATEGY, {**STR, "strategic_goals": []}, QUERY, "strategic_goals", None
    yield STRATEGY, {**STR, "strategic_goals": "grow"}, REQUEST, "strategic_goals", None
    yield STRATEGY, {**STR, "swot": []}, REQUEST, "swot", None
    yield STRATEGY, {**STR, "swot": {"strengths": "many"}}, REQUEST, "swot/strengths", None
    yield STRATEGY, {**STR, "swot": {"strengths": [1]}}, REQUEST, "swot/strengths", None
    yield STRATEGY, {**STR, "time_horizon": 12}, REQUEST, "time_horizon", None


ROWS = [(LONG, *row) for row in long_rows()] + list(short_rows(SHORT, Q)) + list(short_rows(INVESTMENT, INV)) + \
    list(short_rows(RISK, RSK)) + list(short_rows(STRATEGY, STR)) + list(form_rows())


def name_of(row):
    text = json.dumps(row[1])
    return f"{row[0].rsplit('/', 1)[1]}-{row[3]}-{text if len(text) < 60 else text[:50] + '...'}"


@pytest.fixture(scope="module")
def c():
    return api.client(api.role_key("analyst"))


def test_there_are_enough_rows():
    assert len(ROWS) >= 100


@pytest.mark.parametrize("path,body,code,field,message", ROWS, ids=[name_of(r) for r in ROWS])
def test_bad_request(c, path, body, code, field, message):
    a = c.post(path, body)
    assert (a.status, a.code) == (STATUS[code], code), a.body
    error = a.json["error"]
    assert error["details"]["field"] == field, a.body
    assert error["details"]["reason"]
    if message is not None:
        assert error["message"] == message
    assert a.json["success"] is False
    assert a.json["metadata"]["request_id"] == a.headers["X-Request-ID"]


NOT_JSON = [b"", b"{", b"null", b"[]", b'"query"', b"1", b"query=1", b'{"query":"x"} trailing', b'{"query":"x",}',
            b"{'query':'x'}", b'{"query":"a\x01b"}', b'{"query":"a\\u0000b"}', b'{"query":"\\ud800"}',
            b'{"query":"\xff"}', b'{"query":"\xed\xa0\x80"}', b'{"query":"\xc0\xaf"}', b'{"query":"a","query":"b"}',
            b'{"query":"x","context":{"a":01}}', b'{"query":"x","context":{"a":1.}}', b'{"query":"x","context":{"a":NaN}}',
            b'{"query":"x","context":{"a":+1}}', b'{"query":"x","context":{"a":1,"a":2}}', b'\xef\xbb\xbf{"query":"x"}',
            b'{"query":"x\ny"}', b'{"query":"\\x"}', b"\x00"]


@pytest.mark.parametrize("body", NOT_JSON, ids=[repr(b)[:60] for b in NOT_JSON])
def test_not_json(c, body):
    a = c.post(LONG, body)
    assert (a.status, a.code) == (400, REQUEST), a.body


ACCEPTED = [
    (LONG, {"query": "x"}),
    (LONG, {"query": "\u6c49" * 10000}),
    (LONG, {"query": "  padded  "}),
    (LONG, {"query": "'; DROP TABLE decisions; -- <script>alert(1)</script> exec"}),
    (LONG, {**Q, "context": nested(16)}),
    (LONG, {**Q, "context": {}}),
    (LONG, {**Q, "context": None, "options": None, "documents": None, "budget": None, "session_id": None}),
    (LONG, {**Q, "options": [f"option {i}" for i in range(10)]}),
    (LONG, {**Q, "options": ["\u6c49" * 200]}),
    (LONG, {**Q, "documents": []}),
    (LONG, {**Q, "unknown": {"a": 1}, "another": None}),
    (LONG, {**Q, "analysis_type": "risk", "conversation_id": "not known"}),
    (LONG, {**Q, "budget": {"steps": 40, "seconds": 900, "tokens": 400000, "usd": 5.0}}),
    (LONG, {**Q, "budget": {"usd": 0}}),
    (LONG, {**Q, "webhook_url": "https://example.com:8443/hook?x=1"}),
    (LONG, {**Q, "context": {"a": "x" * 262000}}),
    (SHORT, {"query": "ten chars!"}),
    (SHORT, {"query": "\u6c49" * 5000}),
    (INVESTMENT, INV),
    (INVESTMENT, {**INV, "budget_range": {"min": 1, "max": 2}, "market_report": "x" * 10000,
                  "company_financials": {"2023": {"revenue": 0}, "2024": {"revenue": "$1,200.5K", "profit": "-3\u4e07"}}}),
    (RISK, RSK),
    (STRATEGY, {**STR, "swot": {"strengths": ["brand"], "threats": []}}),
]


@pytest.mark.parametrize("path,body", ACCEPTED, ids=[f"{p.rsplit('/', 1)[1]}-{i}" for i, (p, _) in enumerate(ACCEPTED)])
def test_good_request(c, path, body):
    a = c.post(path, {**body, "mode": "async"})
    assert a.status == 202, a.body
    d = a.data
    assert d["query"] == body["query"].strip()
    assert a.headers["Location"] == "/api/v1/decisions/" + d["decision_id"]
    assert c.delete("/api/v1/decisions/" + d["decision_id"]).status == 204


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                                  "application/xml", "application/jsonp"])
def test_other_types_of_body_are_415(c, kind):
    a = c.post(LONG, Q, headers={"Content-Type": kind})
    assert (a.status, a.code) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON",
                                  "application/vnd.ceoagent.v1+json"])
def test_json_under_its_other_names_is_read(c, kind):
    a = c.post(LONG, {}, headers={"Content-Type": kind})
    assert (a.status, a.code) == (400, REQUEST)


def test_a_body_over_10_mib_is_413(c):
    a = api.send_raw(b"POST /api/v1/decision/analyze HTTP/1.1\r\nHost: x\r\nContent-Length: 10485761\r\n\r\n")
    assert a.startswith(b"HTTP/1.1 413 ") and b"PAYLOAD_TOO_LARGE" in a


def test_a_large_context_within_the_body_limit_is_invalid_input(c):
    a = c.post(LONG, {**Q, "context": {"a": "x" * 9_000_000}})
    assert (a.status, a.code) == (400, INPUT)


def test_numbers_of_the_context_keep_their_digits(c):
    body = b'{"query":"Are the digits kept?","mode":"async","context":{"n":12345678901234567890,"e":[],"o":{},"f":1.10}}'
    a = c.post(LONG, body)
    assert a.status == 202
    trail = c.get("/api/v1/decisions/" + a.data["decision_id"] + "/trail")
    assert b'{"n":12345678901234567890,"e":[],"o":{},"f":1.10}' in trail.body


def test_the_typed_form_becomes_the_context(c):
    a = c.post(RISK, {**RSK, "mode": "async", "context": {"note/1": {"deep": [1, 2]}, "risk_areas": "dropped"}})
    assert a.status == 202 and a.data["decision_type"] == "risk"
    context = c.get("/api/v1/decisions/" + a.data["decision_id"] + "/trail").data["context"]
    assert context == {"note/1": {"deep": [1, 2]}, "company_profile": RSK["company_profile"],
                       "financial_health": RSK["financial_health"],
                       "risk_areas": ["financial", "market", "operational"], "risk_tolerance": "moderate"}


def test_problem_json_for_those_who_ask(c):
    a = c.post(LONG, {}, headers={"Accept": "application/problem+json"})
    assert a.headers["Content-Type"] == "application/problem+json"
    p = a.json
    assert p["status"] == 400 and p["code"] == REQUEST and p["details"]["field"] == "query"
    assert p["detail"] == REQUIRED and p["request_id"] == a.headers["X-Request-ID"]
