#!/usr/bin/env python3
"""A scripted model for the tests: Anthropic's Messages API and OpenAI's Chat Completions, streaming.

    model_server.py PORT        listens on 127.0.0.1

What it answers follows from the request alone (the number of assistant turns picks the step of the script),
so a call that is repeated after a crash gets the same answer. The script is set by POST /control:
  {"delay": seconds before the answer, "token_delay": seconds between pieces,
   "steps": [step ...]}      the last step repeats; default: two tool calls, then a decision
  step: {"tool": NAME, "input": {...}} | {"tools": [[NAME, INPUT] ...]} | {"submit": {overrides}} | {"text": "..."}
        | {"thinking": "...", ...} | {"status": 429, "retry_after": 1, "times": n} | {"cut": true, "times": n}
        | {"mid_error": "overloaded_error", "times": n} | {"stop": "max_tokens"}
GET /journal: the calls so far [{path, bytes, sha256, turn, prefix_ok, at}]; prefix_ok tells whether the request
began with the bytes of the same conversation's request before.
"""
import hashlib
import http.server
import json
import sys
import threading
import time

DEFAULT = {"delay": 0.0, "token_delay": 0.0, "steps": [
    {"tool": "calculator", "input": {"expression": "1+1"}},
    {"tool": "calculator", "input": {"expression": "2*21"}},
    {"submit": {}}]}


class State:
    lock = threading.Lock()
    script = dict(DEFAULT)
    journal = []
    fails = {}
    last = {}


def options_of(text):
    """The options as the first user message lists them."""
    part = text.partition("Options:\n")[2]
    return [line[2:] for line in part.partition("\n\n")[0].splitlines() if line.startswith("- ")]


def decision(options, overrides):
    """A full record that fits the schema, with no figure that would need a source."""
    first = options[0] if options else "Proceed"
    second = options[1] if len(options) > 1 else "Do not proceed"
    names = options or [first, second]
    answer = {
        "situation_analysis": {"summary": "The question was compared on the material at hand.",
                               "key_findings": ["The calculator confirmed the arithmetic [E1]."]},
        "risk_assessment": {"overall_score": 4, "risk_level": "medium", "risk_factors": [
            {"name": "Execution", "level": "medium", "reason": "New ground for the team.",
             "probability": 3, "impact": 3, "mitigation": "Start small."}]},
        "recommendations": [
            {"title": first, "description": "The best of the options given.", "risk_level": "medium",
             "pros": ["It fits the aim"], "cons": ["It takes effort"], "action_steps": ["Begin"]},
            {"title": second, "description": "The runner-up.", "risk_level": "low",
             "pros": ["It is easy to undo"], "cons": ["It gains less"], "action_steps": ["Wait"]}],
        "final_recommendation": {"choice": first, "reasoning": f"{first} serves the aim best.",
                                 "confidence": 0.6, "confidence_level": "medium",
                                 "key_assumptions": ["The context is complete"]},
        "decision_record": {
            "framing": {"question": "Which option?", "decision_owner": None, "deadline": None,
                        "scope_in": ["the options given"], "scope_out": ["others"],
                        "reversibility": "costly_to_reverse", "constraints": []},
            "objectives": [{"name": "value", "direction": "benefit", "weight": 0.5, "measure": "worth"},
                           {"name": "risk", "direction": "benefit", "weight": 0.3, "measure": "safety"},
                           {"name": "people", "direction": "benefit", "weight": 0.2, "measure": "fit"}],
            "alternatives": [{"name": n, "kind": "given", "feasible": True} for n in names]
            + [{"name": "Do nothing", "kind": "do_nothing", "feasible": True},
               {"name": "Decide later", "kind": "delay", "feasible": True}],
            "information": {"used": ["the request"], "missing": [], "conflicts": [], "base_rates": []},
            "uncertainties": [{"name": "effort", "low": None, "base": None, "high": None,
                               "basis": "not measured"}],
            "trade_offs": [{"gain": "value", "give_up": "ease", "between": [first, second]}],
            "bias_checks": [{"check": "sunk_cost", "found": False, "note": "none"},
                            {"check": "anchoring", "found": False, "note": "none"}],
            "dissent": [],
            "commitment": {"first_step": "Begin", "owner": None, "by": None, "review_date": None,
                           "stop_rules": ["The aim is out of reach"], "triggers": ["A new fact"]}},
        "sensitivity": [],
        "evidence": [{"id": "E1", "kind": "context", "ref": "/"}]}
    answer.update(overrides)
    return answer


def blocks_of(step, turn, options):
    if "tools" in step:
        return [{"type": "tool_use", "id": f"toolu_{turn}_{i}", "name": n, "input": v}
                for i, (n, v) in enumerate(step["tools"])]
    blocks = []
    if "thinking" in step:
        blocks.append({"type": "thinking", "thinking": step["thinking"], "signature": "c2ln"})
    if "text" in step:
        blocks.append({"type": "text", "text": step["text"]})
    if "tool" in step:
        blocks.append({"type": "text", "text": f"I need {step['tool']}."})
        blocks.append({"type": "tool_use", "id": f"toolu_{turn}_0", "name": step["tool"],
                       "input": step["input"]})
    if "submit" in step:
        blocks.append({"type": "tool_use", "id": f"toolu_{turn}_s", "name": "submit_decision",
                       "input": decision(options, step["submit"])})
    return blocks


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def plain(self, status, body, headers=()):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.path == "/journal":
            with State.lock:
                self.plain(200, State.journal)
        else:
            self.plain(404, {"error": {"type": "not_found_error", "message": self.path}})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/control":
            with State.lock:
                State.script = {**DEFAULT, **json.loads(body)}
                State.journal.clear()
                State.fails.clear()
                State.last.clear()
            self.plain(200, {})
            return
        try:
            self.answer(body, anthropic=self.path.endswith("/messages"))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def answer(self, body, anthropic):
        request = json.loads(body)
        messages = request["messages"]
        turn = sum(m["role"] == "assistant" for m in messages)
        first = next(m for m in messages if m["role"] == "user")["content"]
        text = first if isinstance(first, str) else "\n".join(b.get("text", "") for b in first)
        forced = (request.get("tool_choice") or {})
        forced = forced.get("name") or (forced.get("function") or {}).get("name") \
            if isinstance(forced, dict) else None
        stable = body[:body.find(b'"messages":')] + json.dumps(messages).encode()
        key = hashlib.sha256(text.encode()).hexdigest()
        with State.lock:
            script = State.script
            steps = script["steps"]
            step = steps[min(turn, len(steps) - 1)]
            before = State.last.get((key, turn - 1))
            State.last[key, turn] = body
            State.journal.append({
                "path": self.path, "bytes": len(body), "turn": turn, "at": time.time(),
                "sha256": hashlib.sha256(stable).hexdigest(), "forced": forced,
                "headers": {k.lower(): v for k, v in self.headers.items() if k.lower() != "x-api-key"},
                "prefix_ok": before is None or body.startswith(common(before))})
            left = step.get("times", 10 ** 9) - State.fails.get((key, turn), 0)
            failing = left > 0 and ("status" in step or "cut" in step or "mid_error" in step)
            if failing:
                State.fails[key, turn] = State.fails.get((key, turn), 0) + 1
        time.sleep(script["delay"])
        if failing and "status" in step:
            self.plain(step["status"], {"type": "error", "error": {
                "type": step.get("type", "rate_limit_error"), "message": "scripted"}},
                [("Retry-After", str(step["retry_after"]))] if "retry_after" in step else [])
            return
        if not failing and ("status" in step or "cut" in step or "mid_error" in step):
            step = step.get("then", {"submit": {}})
        if forced == "submit_decision":
            step = step if "submit" in step else {"submit": {}}
        blocks = blocks_of(step, turn, options_of(text))
        stop = step.get("stop") or ("tool_use" if any(b["type"] == "tool_use" for b in blocks)
                                    else "end_turn")
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        send = self.anthropic if anthropic else self.openai
        send(request, blocks, stop, step if failing else {}, script["token_delay"])

    def event(self, kind, data):
        head = f"event: {kind}\n" if kind else ""
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        self.wfile.write(f"{head}data: {text}\n\n".encode())
        self.wfile.flush()

    def anthropic(self, request, blocks, stop, fault, pause):
        model = request["model"]
        self.event("message_start", {"type": "message_start", "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": [],
            "stop_reason": None, "usage": {"input_tokens": 100, "output_tokens": 1}}})
        self.event("ping", {"type": "ping"})
        for i, b in enumerate(blocks):
            empty = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""},
                     "tool_use": {"input": {}}}[b["type"]]
            self.event("content_block_start", {"type": "content_block_start", "index": i,
                                               "content_block": {**b, **empty}})
            if b["type"] == "tool_use":
                text, kind, field = json.dumps(b["input"], ensure_ascii=False), "input_json_delta", "partial_json"
            elif b["type"] == "thinking":
                text, kind, field = b["thinking"], "thinking_delta", "thinking"
            else:
                text, kind, field = b["text"], "text_delta", "text"
            for at in range(0, len(text), 23):
                self.event("content_block_delta", {"type": "content_block_delta", "index": i,
                                                   "delta": {"type": kind, field: text[at:at + 23]}})
                if pause:
                    time.sleep(pause)
                if fault.get("cut"):
                    self.connection.close()
                    return
                if "mid_error" in fault:
                    self.event("error", {"type": "error", "error": {
                        "type": fault["mid_error"], "message": "scripted"}})
                    return
            if b["type"] == "thinking":
                self.event("content_block_delta", {"type": "content_block_delta", "index": i,
                                                   "delta": {"type": "signature_delta", "signature": "c2ln"}})
            self.event("content_block_stop", {"type": "content_block_stop", "index": i})
        self.event("unheard_of", {"type": "unheard_of"})
        self.event("message_delta", {"type": "message_delta", "delta": {"stop_reason": stop},
                                     "usage": {"output_tokens": 50}})
        self.event("message_stop", {"type": "message_stop"})

    def openai(self, request, blocks, stop, fault, pause):
        def chunk(delta, finish=None):
            self.event(None, {"id": "c1", "object": "chat.completion.chunk", "model": request["model"],
                              "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

        chunk({"role": "assistant", "content": ""})
        calls = 0
        for b in blocks:
            if b["type"] == "text":
                for at in range(0, len(b["text"]), 23):
                    chunk({"content": b["text"][at:at + 23]})
                    if fault.get("cut"):
                        self.connection.close()
                        return
                    if pause:
                        time.sleep(pause)
            elif b["type"] == "tool_use":
                text = json.dumps(b["input"], ensure_ascii=False)
                chunk({"tool_calls": [{"index": calls, "id": b["id"], "type": "function",
                                       "function": {"name": b["name"], "arguments": ""}}]})
                for at in range(0, len(text), 23):
                    chunk({"tool_calls": [{"index": calls, "function": {"arguments": text[at:at + 23]}}]})
                calls += 1
        finish = {"tool_use": "tool_calls", "end_turn": "stop", "max_tokens": "length"}.get(stop, stop)
        chunk({}, finish)
        if (request.get("stream_options") or {}).get("include_usage"):
            self.event(None, {"id": "c1", "object": "chat.completion.chunk", "model": request["model"],
                              "choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 50}})
        self.event(None, "[DONE]")


def common(body):
    """The bytes of a request up to the end of its last message: what the next one has to begin with."""
    text = body.decode()
    start = text.index('"messages":[') + len('"messages":')
    _, length = json.JSONDecoder().raw_decode(text[start:])
    return text[:start + length - 1].encode()


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    server.daemon_threads = True
    server.request_queue_size = 1024
    server.serve_forever()


if __name__ == "__main__":
    main()
