"""The gateway as operators and strangers meet it: health, metrics, keys, limits, CORS, the wire."""
import concurrent.futures
import gzip
import json
import os
import re
import subprocess
import time

import api
import pytest


@pytest.fixture(scope="module")
def c():
    return api.client(api.role_key("analyst"))


@pytest.fixture(scope="module")
def nobody():
    return api.client("")


# --- operations endpoints

def test_health_needs_nothing(nobody):
    a = nobody.get("/health")
    assert a.status == 200 and set(a.json) == {"status", "timestamp"} and a.json["status"] == "healthy"
    a = nobody.get("/api/v1/health")
    assert a.json["checks"] == {"database": True, "redis": True} and a.json["version"]


def test_ready(nobody):
    assert nobody.get("/ready").json == {"status": "ready"}


def test_metrics_by_route_pattern(c, nobody):
    c.get("/api/v1/decisions/01890000-0000-7000-8000-000000000000")
    a = nobody.get("/metrics")
    assert a.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    text = a.body.decode()
    assert re.search(r'http_requests_total\{method="GET",endpoint="/api/v1/decisions/\{id\}",status="404"\} \d+', text)
    assert "http_request_duration_seconds_bucket" in text and "active_connections" in text
    assert "01890000" not in text


def test_openapi_describes_every_route(nobody):
    doc = nobody.get("/openapi.json").json
    assert doc["openapi"] == "3.1.0" and doc["info"]["title"] == "CEOAgent API" and doc["info"]["version"] == "1.0.0"
    names = set(doc["components"]["schemas"])
    refs = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(doc)))
    assert refs <= names
    ids = [op["operationId"] for path in doc["paths"].values() for op in path.values()]
    assert len(ids) == len(set(ids)) >= 24
    assert json.loads(api.command("openapi").stdout) == doc


def test_openapi_validates(nobody):
    validator = pytest.importorskip("openapi_spec_validator")
    validator.validate(nobody.get("/openapi.json").json)


def test_docs_name_every_endpoint(nobody):
    doc, page = nobody.get("/openapi.json").json, nobody.get("/docs").body.decode()
    for path, ops in doc["paths"].items():
        for method in ops:
            assert f"{method.upper()} {path}" in page
    assert nobody.get("/redoc").status == 200


def test_metrics_port_takes_metrics_off_the_main_port(new_stack):
    port = subprocess.run(["python3", "-c", "import socket; s=socket.socket(); s.bind(('127.0.0.1',0));"
                           "print(s.getsockname()[1])"], text=True, capture_output=True, check=True).stdout.strip()
    stack = new_stack({"METRICS_PORT": port}, agents=0, workers=0)
    main, ops = (api.ceo.Client(u, "") for u in (stack.url, f"http://127.0.0.1:{port}"))
    assert main.get("/metrics").status == 404 and ops.get("/metrics").status == 200
    assert ops.get("/ready").status == 200 and ops.get("/health").status == 200
    assert ops.get("/api/v1/decisions").status == 404
    stack.redis("SHUTDOWN", "NOSAVE")
    pytest.wait_until(lambda: main.get("/ready").status == 503, 15)
    assert main.get("/ready").json == {"detail": "Not ready"}
    assert ops.get("/ready").json == {"detail": "Not ready", "checks": {"database": True, "redis": False}}
    assert main.get("/health").status == 200


# --- routing and envelopes

def test_unknown_paths_and_methods(c):
    for path in ("/", "/nope", "/api/v1", "/api/v1/", "/api/v1/decisions/", "/api/v1/decisions//trail", "/api/v2/decisions",
                 "/api/v1/decision%2Fanalyze", "//health"):
        a = c.get(path)
        assert (a.status, a.code) == (404, "NOT_FOUND"), path
    for method, path, allow in (("GET", "/api/v1/decision/analyze", "POST"), ("PUT", "/api/v1/decisions", "GET, HEAD"),
                                ("POST", "/health", "GET, HEAD"), ("PATCH", "/api/v1/decisions/x", "GET, HEAD, DELETE"),
                                ("QUERY", "/health", "GET, HEAD"), ("get", "/health", "GET, HEAD")):
        a = c.call(method, path)
        assert (a.status, a.code) == (405, "METHOD_NOT_ALLOWED")
        assert a.headers["Allow"] == allow + ", OPTIONS"


def test_head_is_get_without_a_body(c):
    a, b = c.call("HEAD", "/health"), c.get("/health")
    assert a.status == 200 and a.body == b"" and a.headers["Content-Length"] == str(len(b.body))


def test_request_ids_are_taken_or_made(c):
    assert c.get("/health", headers={"X-Request-ID": "my.id_1-2"}).headers["X-Request-ID"] == "my.id_1-2"
    for bad in ("a b", "x" * 129, "a/b", "<script>"):
        got = c.get("/health", headers={"X-Request-ID": bad}).headers["X-Request-ID"]
        assert re.fullmatch(r"req-[0-9a-f-]{36}", got)


def test_a_trace_is_taken_up_or_begun(c):
    t = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    got = c.get("/api/v1/decisions", headers={"traceparent": t}).headers["traceparent"]
    assert got.split("-")[:2] == t.split("-")[:2] and got.split("-")[2] != t.split("-")[2] and got.endswith("-01")
    for bad in ("00-xyz", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"):
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00",
                            c.get("/api/v1/decisions", headers={"traceparent": bad}).headers["traceparent"])


def test_large_answers_are_compressed_for_those_who_accept(c):
    a = c.get("/api/v1/skills", headers={"Accept-Encoding": "gzip"})
    assert a.headers["Content-Encoding"] == "gzip" and json.loads(gzip.decompress(a.body))["success"]
    assert c.get("/api/v1/skills", headers={"Accept-Encoding": "identity"}).headers["Content-Encoding"] is None
    assert c.get("/health", headers={"Accept-Encoding": "gzip"}).headers["Content-Encoding"] is None


# --- credentials

@pytest.mark.parametrize("headers,code", [
    ({}, "AUTH_REQUIRED"), ({"X-API-Key": ""}, "AUTH_REQUIRED"), ({"X-API-Key": "x"}, "AUTH_INVALID_TOKEN"),
    ({"X-API-Key": "ceo_" + "A" * 43}, "AUTH_INVALID_TOKEN"), ({"X-API-Key": "ceo_" + "A" * 42}, "AUTH_INVALID_TOKEN"),
    ({"X-API-Key": "ceo_" + "A" * 42 + "'"}, "AUTH_INVALID_TOKEN"), ({"Authorization": "Bearer x"}, "AUTH_INVALID_TOKEN"),
    ({"Authorization": "Basic eDp5"}, "AUTH_INVALID_TOKEN"), ({"Authorization": "Bearer "}, "AUTH_INVALID_TOKEN"),
    ({"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}, "AUTH_INVALID_TOKEN")])
def test_bad_credentials(nobody, headers, code):
    a = nobody.get("/api/v1/decisions", headers=headers)
    assert (a.status, a.code) == (401, code), a.body
    assert a.headers["WWW-Authenticate"] == "Bearer"


def test_a_key_works_as_bearer_too(nobody):
    assert nobody.get("/api/v1/decisions", headers={"Authorization": "bearer " + api.role_key("viewer")}).status == 200


def test_keys_expire_and_are_revoked(nobody):
    k = api.new_key("viewer", "--rate", "none")
    c = api.client(k["key"])
    assert c.get("/api/v1/decisions").status == 200
    assert api.command("keys", "revoke", k["id"]).returncode == 0
    api.eventually(lambda: c.get("/api/v1/decisions").status == 401, 10)
    assert c.get("/api/v1/decisions").code == "AUTH_INVALID_TOKEN"
    listed = [json.loads(line) for line in api.command("keys", "list").stdout.splitlines()]
    row = [x for x in listed if x["id"] == k["id"]][0]
    assert row["revoked_at"] and row["role"] == "viewer" and "key" not in row


@pytest.mark.parametrize("args", [["create"], ["create", "--name", "x"], ["create", "--name", "x", "--role", "king"],
                                  ["create", "--name", "x", "--role", "viewer", "--rate", "fast"],
                                  ["create", "--name", "x", "--role", "viewer", "--expires", "soon"],
                                  ["create", "--name", "x", "--role", "viewer", "--tenant", "nowhere"],
                                  ["create", "--name", "x", "--role", "viewer", "--principal", "me"],
                                  ["revoke"], ["revoke", "x"], ["dance"], []])
def test_bad_key_commands_end_with_2_and_a_word(args):
    done = api.command("keys", *args, check=False)
    assert done.returncode == 2 and done.stderr.startswith("ceoagent-api keys: ") and done.stdout == ""


def test_help_version_and_healthcheck():
    assert "DATABASE_URL" in api.command("--help").stdout
    assert "| " in api.command("--help-markdown").stdout
    assert api.command("--version").stdout.startswith("ceoagent-api ")
    assert api.command("--dance", check=False).returncode == 2
    port = os.environ["CEOAGENT_URL"].rsplit(":", 1)[1]
    binary = os.environ.get("BIN_DIR", "build/dev") + "/ceoagent-api"

    def check(p):
        return subprocess.run([binary, "--healthcheck"], cwd=api.ROOT, env={**os.environ, "API_PORT": p}).returncode
    assert check(port) == 0 and check("1") == 1


@pytest.mark.parametrize("name,value", [("API_PORT", "many"), ("RATE_LIMIT_PER_MINUTE", "0"), ("ENVIRONMENT", "moon"),
                                        ("DATABASE_URL", "mysql://x"), ("TRUSTED_PROXIES", "10.0.0.0/99"), ("ENCRYPTION_KEY", "short")])
def test_a_bad_setting_ends_the_start_with_its_name(name, value):
    env = {**os.environ, "ENCRYPTION_KEY": "A" * 43 + "=", "API_PORT": "0", name: value}
    binary = os.environ.get("BIN_DIR", "build/dev") + "/ceoagent-api"
    done = subprocess.run([binary], cwd=api.ROOT, env=env, text=True, capture_output=True, timeout=20)
    assert done.returncode in (1, 2) and name in done.stderr


# --- limits

def limited(**settings):
    return {"RATE_LIMIT_PER_MINUTE": "3", "TOKEN_BUCKET_RATE": "0.01", "TOKEN_BUCKET_CAPACITY": "8", **settings}


def keyed(stack, *more):
    env = {**stack.env, "DATABASE_URL": stack.database_url, "REDIS_URL": stack.redis_url,
           "ENCRYPTION_KEY": "A" * 43 + "="}
    out = subprocess.run([os.environ.get("BIN_DIR", "build/dev") + "/ceoagent-api", "keys", "create", "--name", "n", "--role",
                          "analyst", *more], cwd=api.ROOT, env=env, text=True, capture_output=True, check=True).stdout
    return api.ceo.Client(stack.url, json.loads(out)["key"])


def spend(c, n):
    return [c.decide({"query": "Shall we?", "mode": "async"}) for _ in range(n)]


def test_limits_hold_per_user_and_say_when_to_come_back(new_stack):
    stack = new_stack(limited(), agents=0, workers=0)
    c, other, free, own = keyed(stack), keyed(stack), keyed(stack, "--rate", "none"), keyed(stack, "--rate", "5")
    answers = spend(c, 4)
    assert [a.status for a in answers] == [202, 202, 202, 429]
    assert [a.headers["RateLimit-Remaining"] for a in answers] == ["2", "1", "0", "0"]
    last = answers[-1]
    assert last.code == "RATE_LIMIT_EXCEEDED" and last.json["error"]["message"] == "Rate limit exceeded"
    assert last.headers["RateLimit-Limit"] == last.headers["X-RateLimit-Limit"] == "3"
    assert 1 <= int(last.headers["Retry-After"]) <= 80
    assert [a.status for a in spend(other, 1)] == [202]
    assert [a.status for a in spend(free, 10)] == [202] * 10
    assert free.get("/api/v1/decisions").headers["RateLimit-Limit"] is None
    assert [a.status for a in spend(own, 6)] == [202] * 5 + [429]
    reads = [c.get("/api/v1/decisions").status for _ in range(7)]
    assert reads == [200] * 5 + [429] * 2, "the bucket has 8, three are spent"
    a = c.get("/api/v1/decisions")
    assert a.headers["RateLimit-Limit"] == "8"
    stranger = api.ceo.Client(stack.url, "")
    assert [a.status for a in spend(stranger, 5)] == [401, 401, 401, 429, 429]
    assert c.get("/health").status == 200


def test_limits_hold_without_redis(new_stack):
    stack = new_stack(limited(), agents=0, workers=0)
    c = keyed(stack)
    stack.redis("SHUTDOWN", "NOSAVE")
    begin = time.monotonic()
    assert [a.status for a in spend(c, 5)] == [202, 202, 202, 429, 429]
    assert time.monotonic() - begin < 5
    assert re.search(r"^rate_limit_degraded_total [1-9]", c.get("/metrics").body.decode(), re.M)


def test_limits_are_shared_by_gateways_through_redis(new_stack):
    stack = new_stack(limited(), agents=0, workers=0)
    c = keyed(stack)
    port = subprocess.run(["python3", "-c", "import socket; s=socket.socket(); s.bind(('127.0.0.1',0));"
                           "print(s.getsockname()[1])"], text=True, capture_output=True, check=True).stdout.strip()
    env = {**stack.env, "DATABASE_URL": stack.database_url, "REDIS_URL": stack.redis_url, "API_HOST": "127.0.0.1",
           "ENCRYPTION_KEY": stack.encryption_key, "API_PORT": port}
    other = subprocess.Popen([os.environ.get("BIN_DIR", "build/dev") + "/ceoagent-api"], cwd=api.ROOT, env=env,
                             stderr=subprocess.DEVNULL)
    try:
        second = api.ceo.Client(f"http://127.0.0.1:{port}", c.key)

        def up():
            try:
                return second.get("/health").status == 200
            except OSError:
                return False
        pytest.wait_until(up)
        pytest.wait_until(lambda: second.get("/api/v1/health").json["checks"]["redis"])
        answers = [x.decide({"query": "Shall we?", "mode": "async"}).status for x in (c, second, c, second)]
        assert answers == [202, 202, 202, 429]
    finally:
        other.terminate()
        assert other.wait(30) == 0


# --- CORS

def test_cors(new_stack):
    stack = new_stack({"CORS_ORIGINS": "https://console.example", "ENVIRONMENT": "production"}, agents=0, workers=0)
    c = api.ceo.Client(stack.url, stack.api_key)
    good, bad = {"Origin": "https://console.example"}, {"Origin": "https://evil.example"}
    a = c.call("OPTIONS", "/api/v1/decision/analyze", headers={**good, "Access-Control-Request-Method": "POST"})
    assert a.status == 204 and a.headers["Access-Control-Max-Age"] == "600"
    assert a.headers["Access-Control-Allow-Origin"] == "https://console.example"
    assert "POST" in a.headers["Access-Control-Allow-Methods"]
    assert a.headers["Access-Control-Allow-Credentials"] == "true"
    assert "X-API-Key" in a.headers["Access-Control-Allow-Headers"]
    assert c.get("/api/v1/decisions", headers=good).headers["Access-Control-Allow-Origin"] == "https://console.example"
    assert c.get("/api/v1/decisions", headers=bad).headers["Access-Control-Allow-Origin"] is None


# --- the wire

@pytest.mark.parametrize("data,status", [
    (b"GET /health HTTP/1.1\r\n\r\n", 400), (b"GET /health HTTP/1.1\nHost: x\n\n", 400),
    (b"GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400), (b"GET /health HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    (b"POST /api/v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
    (b"POST /api/v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST /api/v1/analyze HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n", 400),
    (b"GET /health HTTP/2.0\r\nHost: x\r\n\r\n", 505), (b"CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40000 + b"\r\n\r\n", 431)])
def test_bad_wire(data, status):
    got = api.send_raw(data)
    head, _, body = got.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert b"Connection: close" in head and b"X-Request-ID: req-" in head
    assert json.loads(body)["success"] is False and json.loads(body)["error"]["details"]["reason"]


def test_absolute_targets_are_routed():
    got = api.send_raw(b"GET http://anything.example/health?x=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 200") and b'"healthy"' in got


def test_a_client_that_goes_away_by_proxy_header_is_not_believed(c):
    a = c.get("/api/v1/decisions", headers={"X-Forwarded-For": "1.2.3.4"})
    assert a.status == 200


def test_five_hundred_connections_are_served(c):
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        got = list(pool.map(lambda _: c.get("/health").status, range(500)))
    assert got == [200] * 500
