"""Uploaded files: HTML, JSON and Word documents are read; hostile ones end as a clear failure, the worker lives, and
nothing half-indexed stays."""
import io
import json
import os
import uuid
import zipfile

import api
import pytest

DOCS = "/api/v1/knowledge/documents"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
NS = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


@pytest.fixture(scope="module")
def c():
    return api.client(api.role_key("analyst"))


def upload(c, name, content, kind="application/octet-stream"):
    boundary = "b" + uuid.uuid4().hex
    body = (f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            f"Content-Type: {kind}\r\n\r\n").encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return c.post(DOCS, body, headers={"Content-Type": f"multipart/form-data; boundary={boundary}"})


def read(c, ident):
    return c.get(f"{DOCS}/{ident}?wait=60").data


def passages(stack, ident):
    return [r[0] for r in stack.sql(f"SELECT replace(text, E'\\n', ' / ') FROM chunks WHERE document_id = '{ident}' "
                                    "ORDER BY ordinal")]


def archive(xml, name="word/document.xml", method=zipfile.ZIP_DEFLATED, more=()):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        z.writestr("[Content_Types].xml", "<Types/>")
        z.writestr(name, xml)
        for n, data in more:
            z.writestr(n, data)
    return out.getvalue()


def docx(body, **kw):
    return archive(f'<?xml version="1.0"?><w:document {NS}><w:body>{body}</w:body></w:document>', **kw)


def p(text, style=None):
    props = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f'<w:p>{props}<w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def test_a_word_document_is_read_with_its_headings_and_tables(c, stack):
    word = "w" + uuid.uuid4().hex[:12]
    row = "<w:tr><w:tc>" + p("Region") + "</w:tc><w:tc>" + p("Sum &amp; share") + "</w:tc></w:tr>"
    content = docx(p("Report", "Heading1") + p(f"Revenue {word} grew by 12 %.") + f"<w:tbl>{row}</w:tbl>" +
                   '<w:p><w:del><w:r><w:delText>never said</w:delText></w:r></w:del></w:p>' +
                   p("营收增长") + p("Outlook", "Heading2") + p("Slower."))
    a = upload(c, "report.docx", content)
    assert a.status == 201, a.body
    d = read(c, a.data["id"])
    assert (d["status"], d["content_type"], d["title"]) == ("ready", DOCX, "report.docx"), d
    assert passages(stack, d["id"]) == [
        f"# Report /  / Revenue {word} grew by 12 %. /  / Region | Sum & share /  / 营收增长", "## Outlook /  / Slower."]
    assert stack.sql(f"SELECT heading FROM chunks WHERE document_id = '{d['id']}' ORDER BY ordinal") == [
        ["Report"], ["Report > Outlook"]]
    found = c.get(f"/api/v1/knowledge/search?q={word}").data["results"]
    assert [r["id"] for r in found] == [d["id"]]


def test_an_html_page_is_read_without_its_scripts(c, stack):
    word = "w" + uuid.uuid4().hex[:12]
    page = f"<html><script>alert('no')</script><h1>Plan</h1><p>Costs of {word}: 3&nbsp;&euro;.</p></html>".encode()
    d = read(c, upload(c, "plan.html", page).data["id"])
    assert d["status"] == "ready" and passages(stack, d["id"]) == [f"# Plan /  / Costs of {word}: 3 €."]
    d = c.post(DOCS, {"title": "t", "content": f"<p>{word} again", "content_type": "text/html"})
    assert read(c, d.data["id"])["status"] == "ready"


def test_json_is_read_as_it_is(c, stack):
    content = json.dumps({"id": uuid.uuid4().hex, "note": "margin fell"}).encode()
    d = read(c, upload(c, "data.json", content).data["id"])
    assert d["status"] == "ready" and passages(stack, d["id"]) == [content.decode()]


def test_a_word_document_is_no_json_string(c):
    a = c.post(DOCS, {"title": "t", "content": "x", "content_type": DOCX})
    assert (a.status, a.code) == (422, "DATA_INVALID_FORMAT")


def broken_crc():
    data = bytearray(docx(p("x" * 2000), method=zipfile.ZIP_STORED))
    at = data.index(b"xxxx")
    data[at] = ord("y")
    return bytes(data)


def lying_size():
    data = bytearray(docx(p("hello " * 1000)))
    at = data.rindex(b"PK\x01\x02")
    data[at + 24:at + 28] = (60 << 20).to_bytes(4, "little")  # what it says to expand to
    return bytes(data)


def protected():
    data = bytearray(docx(p("hello")))
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def unique(text):
    return text + uuid.uuid4().hex


HOSTILE = {  # name: (file name, bytes)
    "bomb": lambda: ("a.docx", docx(p("0" * (40 << 20)))),
    "bomb over the part's limit": lambda: ("a.docx", docx(p("ab" * (33 << 20)))),
    "many files": lambda: ("a.docx", archive("<x/>", name="x", more=[(f"f{i}", b"") for i in range(5000)])),
    "archive in archive": lambda: ("a.docx", archive(docx(p("inner")), name="inner.docx")),
    "cut in the middle": lambda: ("a.docx", docx(p(os.urandom(3000).hex()))[:1500]),
    "cut before the end": lambda: ("a.docx", docx(p(unique("text ")))[:-10]),
    "no document in it": lambda: ("a.docx", archive("<x/>", name="other.xml")),
    "text as docx": lambda: ("a.docx", unique("just text ").encode()),
    "wrong checksum": lambda: ("a.docx", broken_crc()),
    "lying size": lambda: ("a.docx", lying_size()),
    "password": lambda: ("a.docx", protected()),
    "unknown method": lambda: ("a.docx", docx(p(unique("lzma ") * 50), method=zipfile.ZIP_LZMA)),
    "entities": lambda: ("a.docx", archive(
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
        f"<w:document {NS}><w:body>{p('&b;')}</w:body></w:document>")),
    "outside entity": lambda: ("a.docx", archive(
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + f"<w:document {NS}>{p('&a;')}</w:document>")),
    "xml in utf-16": lambda: ("a.docx", archive(f"<w:document {NS}>{p('x')}</w:document>".encode("utf-16"))),
    "xml cut off": lambda: ("a.docx", archive(f"<w:document {NS}><w:p><w:t>x</w:t")),
    "no text": lambda: ("a.docx", docx("<w:p/>" * 100000)),
    "pdf as docx": lambda: ("a.docx", b"%PDF-1.7\n" + os.urandom(2000)),
    "noise": lambda: ("a.docx", os.urandom(100000)),
    "json that is none": lambda: ("a.json", unique('{"a": [1, 2,}').encode()),
    "json too deep": lambda: ("a.json", b"[" * 100000 + uuid.uuid4().hex.encode()),
    "html of scripts": lambda: ("a.html", unique("<script>" + "x" * 100000 + "</script><style>").encode()),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_fail_clearly(c, stack, name):
    worker = stack.pid("worker-1")
    file_name, content = HOSTILE[name]()
    a = upload(c, file_name, content)
    assert a.status in (200, 201), a.body
    d = read(c, a.data["id"])
    assert d["status"] == "failed" and d["error"] and d["chunks"] == 0, d
    assert stack.sql(f"SELECT count(*) FROM chunks WHERE document_id = '{d['id']}'") == [["0"]]
    assert stack.pid("worker-1") == worker and os.path.exists(f"/proc/{worker}")


def test_a_huge_table_is_read_within_bounds(c, stack):
    rows = "".join(f"<tr><td>{i}</td><td>{'v' * 20}</td></tr>" for i in range(60000))
    d = read(c, upload(c, "t.html", unique(f"<table>{rows}</table>").encode()).data["id"])
    assert d["status"] == "ready" and 100 < d["chunks"] < 50000
    assert stack.sql(f"SELECT max(length(text)) <= 2400 FROM chunks WHERE document_id = '{d['id']}'") == [["t"]]
