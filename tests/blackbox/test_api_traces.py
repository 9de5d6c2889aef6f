"""One decision is one trace: the gateway's span, and the agent's under it."""
import http.server
import json
import threading

import api


class Collector(http.server.BaseHTTPRequestHandler):
    spans = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for resource in body["resourceSpans"]:
            service = [a["value"]["stringValue"] for a in resource["resource"]["attributes"] if a["key"] == "service.name"][0]
            for scope in resource["scopeSpans"]:
                self.spans += [{**span, "service": service} for span in scope["spans"]]
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args):
        pass


def test_a_decision_is_one_trace_through_gateway_and_agent(new_stack):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        stack = new_stack({"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "TRACE_SAMPLE": "1"},
                          workers=0)
        c = api.ceo.Client(stack.url, stack.api_key)
        trace = "0af7651916cd43dd8448eb211c80319c"
        a = c.decide({"query": "Should we trace this?"}, headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
        assert a.status == 201

        def both():
            mine = {s["name"]: s for s in Collector.spans if s["traceId"] == trace}
            return mine if {"analyze_decision", "agent_execution"} <= set(mine) else None
        spans = api.eventually(both)
        root, agent = spans["analyze_decision"], spans["agent_execution"]
        assert root["service"] == "ceoagent-api" and root["parentSpanId"] == "b7ad6b7169203331"
        assert agent["service"] == "ceoagent-agent" and agent["parentSpanId"] == root["spanId"]
        attributes = {x["key"]: next(iter(x["value"].values())) for x in root["attributes"]}
        assert attributes["http.route"] == "/api/v1/decision/analyze"
        assert int(attributes["http.response.status_code"]) == 201
        assert not [s for s in Collector.spans if s["name"] == "http_request" and "/ready" in json.dumps(s)]
    finally:
        server.shutdown()
