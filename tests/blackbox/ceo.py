"""A small client of the REST API for the tests. Standard library only."""
import http.client
import json
import urllib.parse


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def data(self):
        return self.json["data"]

    @property
    def code(self):
        return self.json["error"]["code"]


class Client:
    def __init__(self, url, key, timeout=120):
        parts = urllib.parse.urlsplit(url)
        self.host, self.port, self.key, self.timeout = parts.hostname, parts.port, key, timeout

    def raw(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        all_headers = {"Content-Type": "application/json", **({"X-API-Key": self.key} if self.key else {}),
                       **(headers or {})}
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body, ensure_ascii=False)
        if isinstance(body, str):
            body = body.encode()
        connection.request(method, path, body, all_headers)
        return connection, connection.getresponse()

    def call(self, method, path, body=None, headers=None):
        connection, response = self.raw(method, path, body, headers)
        try:
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path, **kw):
        return self.call("GET", path, **kw)

    def post(self, path, body=None, **kw):
        return self.call("POST", path, body, **kw)

    def delete(self, path, **kw):
        return self.call("DELETE", path, **kw)

    def decide(self, body, **kw):
        return self.post("/api/v1/decision/analyze", body, **kw)

    def events(self, method, path, body=None, headers=None):
        """Server-sent events as (id, type, object), as they come."""
        connection, response = self.raw(method, path, body, headers)
        assert response.status == 200, (response.status, response.read())
        kind = ident = None
        lines = []
        try:
            while True:
                raw = response.readline()
                if not raw:
                    return
                line = raw.decode().rstrip("\r\n")
                if line.startswith("event:"):
                    kind = line[6:].strip()
                elif line.startswith("id:"):
                    ident = line[3:].strip()
                elif line.startswith("data:"):
                    lines.append(line[5:].lstrip())
                elif not line and lines:
                    yield ident, kind, json.loads("\n".join(lines))
                    kind, lines = None, []
        finally:
            connection.close()
