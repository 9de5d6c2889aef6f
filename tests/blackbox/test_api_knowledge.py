"""Knowledge documents: stored, read by the worker, found, deleted; whose they are."""
import hashlib
import urllib.parse
import uuid

import api
import pytest

DOCS = "/api/v1/knowledge/documents"
SEARCH = "/api/v1/knowledge/search"


@pytest.fixture(scope="module")
def c():
    return api.client(api.role_key("analyst"))


def text():
    return f"The {uuid.uuid4().hex} contract with Borealis ends in March; the penalty is 40000 euro."


def search(c, q, **more):
    return c.get(SEARCH + "?" + urllib.parse.urlencode({"q": q, **more}))


@pytest.mark.parametrize("kind,content", [
    ("text/plain", "Quarterly {} revenue grew by twelve percent."),
    ("text/markdown", "# Report {}\n\nThe *margin* fell.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"),
    ("text/csv", "region,{}\nnorth,120\nsouth,80\n")])
def test_a_document_is_read_and_found(c, kind, content):
    word = "w" + uuid.uuid4().hex[:12]
    body = content.replace("{}", word)
    a = c.post(DOCS, {"title": f"Paper {word}", "content": body, "content_type": kind, "type": "report",
                      "source": "board", "metadata": {"year": 2024}})
    assert a.status == 201 and a.data == {"id": a.data["id"], "status": "queued", "chunks": 0}
    d = c.get(f"{DOCS}/{a.data['id']}?wait=30").data
    assert d["status"] == "ready" and d["chunks"] >= 1, d
    assert d["sha256"] == hashlib.sha256(body.encode()).hexdigest()
    assert (d["content_type"], d["type"], d["source"], d["metadata"]) == (kind, "report", "board", {"year": 2024})
    assert d["error"] is None and d["version"] == 1 and d["created_at"].endswith("Z")
    found = search(c, word)
    assert found.status == 200 and found.data["degraded"] is False
    assert found.data["results"][0]["id"] == a.data["id"]
    assert {"id", "title", "snippet", "score", "source", "created_at"} <= set(found.data["results"][0])


def test_chinese_is_found_by_its_words(c):
    mark = uuid.uuid4().hex
    a = c.post(DOCS, {"title": "\u884c\u4e1a\u62a5\u544a", "content": f"\u4e2d\u56fd\u65b0\u80fd\u6e90\u6c7d\u8f66\u7684\u5e02\u573a\u589e\u957f\u5f88\u5feb\u3002{mark}"})
    assert c.get(f"{DOCS}/{a.data['id']}?wait=30").data["status"] == "ready"
    assert a.data["id"] in [r["id"] for r in search(c, "\u65b0\u80fd\u6e90\u6c7d\u8f66", limit=50).data["results"]]


def test_equal_content_is_one_document(c):
    body = {"title": "Lease", "content": text()}
    first, second = c.post(DOCS, body), c.post(DOCS, {**body, "title": "Other title"})
    assert first.status == 201 and second.status == 200
    assert second.data["id"] == first.data["id"]


def test_a_deleted_document_is_gone(c):
    word = "w" + uuid.uuid4().hex[:12]
    i = c.post(DOCS, {"title": "Gone", "content": f"About {word}."}).data["id"]
    c.get(f"{DOCS}/{i}?wait=30")
    assert c.delete(f"{DOCS}/{i}").status == 204
    assert c.get(f"{DOCS}/{i}").status == 404 and c.delete(f"{DOCS}/{i}").status == 404
    assert search(c, word).data["results"] == []


def form(*parts, boundary="XxX", end=True):
    body = b""
    for headers, content in parts:
        body += f"--{boundary}\r\n".encode() + headers.encode() + b"\r\n\r\n" + content + b"\r\n"
    return body + (f"--{boundary}--\r\n".encode() if end else b"")


def upload(c, body, kind="multipart/form-data; boundary=XxX"):
    return c.post(DOCS, body, headers={"Content-Type": kind})


FILE = 'Content-Disposition: form-data; name="file"; filename="plan.md"\r\nContent-Type: application/octet-stream'


def test_a_file_can_be_uploaded_as_a_form(c):
    content = f"# Plan {uuid.uuid4()}\r\n\r\nBuild it.\r\n--XxY\r\n".encode()
    a = upload(c, form((FILE, content), ('Content-Disposition: form-data; name="source"', b"board"),
                       ('Content-Disposition: form-data; name=metadata', b'{"n":12345678901234567890}')))
    assert a.status == 201, a.body
    d = c.get(f"{DOCS}/{a.data['id']}?wait=30")
    assert d.data["sha256"] == hashlib.sha256(content).hexdigest()
    assert (d.data["title"], d.data["content_type"], d.data["source"]) == ("plan.md", "text/markdown", "board")
    assert b"12345678901234567890" in d.body


@pytest.mark.parametrize("body,kind,status,code", [
    (form((FILE, b"x")), "multipart/form-data", 400, "INVALID_REQUEST"),
    (form((FILE, b"x")), "multipart/form-data; boundary=other", 400, "INVALID_REQUEST"),
    (form((FILE, b"x"), end=False), "multipart/form-data; boundary=XxX", 400, "INVALID_REQUEST"),
    (b"", "multipart/form-data; boundary=XxX", 400, "INVALID_REQUEST"),
    (form(("Content-Disposition: form-data", b"x")), "multipart/form-data; boundary=XxX", 400, "INVALID_REQUEST"),
    (form(("no colon", b"x")), "multipart/form-data; boundary=XxX", 400, "INVALID_REQUEST"),
    (form((FILE, b"x"), (FILE, b"y")), "multipart/form-data; boundary=XxX", 400, "INVALID_REQUEST"),
    (form((FILE, b"\xff\xfe")), "multipart/form-data; boundary=XxX", 422, "DATA_INVALID_FORMAT"),
    (form((FILE, b"a\x00b")), "multipart/form-data; boundary=XxX", 422, "DATA_INVALID_FORMAT"),
    (form((FILE.replace(".md", ".pdf"), b"x")), "multipart/form-data; boundary=XxX", 422, "DATA_INVALID_FORMAT"),
    (form((FILE, b" ")), "multipart/form-data; boundary=XxX", 422, "VALIDATION_ERROR"),
    (form((FILE, b"x"), ('Content-Disposition: form-data; name="metadata"', b"[")),
     "multipart/form-data; boundary=XxX", 400, "INVALID_REQUEST"),
    (form(('Content-Disposition: form-data; name="title"', b"x")), "multipart/form-data; boundary=XxX", 400,
     "INVALID_REQUEST"),
    (form(*[('Content-Disposition: form-data; name="x"', b"x")] * 40), "multipart/form-data; boundary=XxX", 400,
     "INVALID_REQUEST")])
def test_bad_forms(c, body, kind, status, code):
    a = upload(c, body, kind)
    assert (a.status, a.code) == (status, code), a.body


@pytest.mark.parametrize("body,status,code,field", [
    ({"content": "x"}, 400, "INVALID_REQUEST", "title"), ({"title": "x"}, 400, "INVALID_REQUEST", "content"),
    ({"title": None, "content": "x"}, 400, "INVALID_REQUEST", "title"),
    ({"title": 1, "content": "x"}, 400, "INVALID_REQUEST", "title"),
    ({"title": "x", "content": {}}, 400, "INVALID_REQUEST", "content"),
    ({"title": " ", "content": "x"}, 422, "VALIDATION_ERROR", "title"),
    ({"title": "x" * 501, "content": "x"}, 422, "VALIDATION_ERROR", "title"),
    ({"title": "x", "content": ""}, 422, "VALIDATION_ERROR", "content"),
    ({"title": "x", "content": " \n"}, 422, "VALIDATION_ERROR", "content"),
    ({"title": "x", "content": "y", "content_type": "application/pdf"}, 422, "DATA_INVALID_FORMAT", "content_type"),
    ({"title": "x", "content": "y", "content_type": 1}, 400, "INVALID_REQUEST", "content_type"),
    ({"title": "x", "content": "y", "type": "t" * 101}, 422, "VALIDATION_ERROR", "type"),
    ({"title": "x", "content": "y", "source": []}, 400, "INVALID_REQUEST", "source"),
    ({"title": "x", "content": "y", "metadata": []}, 400, "INVALID_REQUEST", "metadata"),
    ({"title": "x", "content": "y", "metadata": {"a": "x" * 17000}}, 422, "VALIDATION_ERROR", "metadata")])
def test_bad_documents(c, body, status, code, field):
    a = c.post(DOCS, body)
    assert (a.status, a.code, a.json["error"]["details"]["field"]) == (status, code, field), a.body


@pytest.mark.parametrize("query,status,field", [
    ("", 400, "q"), ("q=", 400, "q"), ("q=+", 400, "q"), ("q=" + "x" * 1001, 422, "q"), ("q=a&limit=0", 422, "limit"),
    ("q=a&limit=101", 422, "limit"), ("q=a&limit=x", 422, "limit"), ("q=a&from=x", 422, "from"),
    ("q=a&to=2024-02-30", 422, "to"), ("q=%ff", 422, "q")])
def test_bad_searches(c, query, status, field):
    a = c.get(SEARCH + "?" + query)
    assert (a.status, a.json["error"]["details"]["field"]) == (status, field), a.body


@pytest.mark.parametrize("wait", ["x", "-1", "61", ""])
def test_bad_waits(c, wait):
    i = c.post(DOCS, {"title": "Wait", "content": text()}).data["id"]
    a = c.get(f"{DOCS}/{i}?wait={wait}")
    assert (a.status, a.code) == (422, "VALIDATION_ERROR")


@pytest.mark.parametrize("what", ["no-id", "01890000-0000-7000-8000-000000000000"])
def test_unknown_documents(c, what):
    for method in ("GET", "DELETE"):
        a = c.call(method, f"{DOCS}/{what}")
        assert (a.status, a.code) == (404, "DATA_NOT_FOUND")
    assert c.get(f"{DOCS}/{what}?wait=5").status == 404


def test_a_search_is_filtered(c):
    word = "w" + uuid.uuid4().hex[:12]
    for kind, source in (("memo", "cfo"), ("report", "cto")):
        i = c.post(DOCS, {"title": kind, "content": f"{kind} on {word} by {source}", "type": kind, "source": source}).data["id"]
        c.get(f"{DOCS}/{i}?wait=30")
    assert len(search(c, word).data["results"]) == 2
    assert [r["title"] for r in search(c, word, type="memo").data["results"]] == ["memo"]
    assert [r["title"] for r in search(c, word, source="cto").data["results"]] == ["report"]
    assert len(search(c, word, limit=1).data["results"]) == 1
    assert search(c, word, to="2020-01-01").data["results"] == []
    assert len(search(c, word, **{"from": "2020-01-01"}).data["results"]) == 2


def test_roles(c):
    viewer, ceo = api.as_role("viewer"), api.as_role("ceo")
    for reader in (viewer, ceo):
        a = reader.post(DOCS, {"title": "x", "content": text()})
        assert (a.status, a.code) == (403, "AUTH_INSUFFICIENT_PERMISSIONS")
        assert search(reader, "anything").status == 200
    i = c.post(DOCS, {"title": "Shared", "content": text()}).data["id"]
    assert viewer.get(f"{DOCS}/{i}").status == 200
    assert viewer.delete(f"{DOCS}/{i}").status == 403


def test_a_search_word_is_data_not_syntax(c):
    for q in ("'; DROP TABLE chunks; --", "a & | ! ( ) :*", "<b>", "\\", "%", "\u0000".replace("\u0000", "x"), "\U0001f600"):
        assert search(c, q).status == 200
