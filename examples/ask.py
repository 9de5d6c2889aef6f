#!/usr/bin/env python3
"""Asks CEOAgent one decision and follows it live.

    python3 examples/ask.py FOLDER      FOLDER/request.json is the body of decision/analyze,
                                        FOLDER/documents/ are read into the knowledge base first

CEOAGENT_URL and CEOAGENT_API_KEY come from the environment (`. .run/env`). Standard library only.
"""
import json
import os
import pathlib
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

TYPES = {".md": "text/markdown", ".csv": "text/csv", ".txt": "text/plain"}
URL = os.environ.get("CEOAGENT_URL", "http://127.0.0.1:8000")
COLOR = sys.stdout.isatty()


def paint(code, text):
    return f"\x1b[{code}m{text}\x1b[0m" if COLOR else text


def call(method, path, body=None, headers=None, timeout=330):
    request = urllib.request.Request(
        URL + path,
        method=method,
        data=None if body is None else json.dumps(body, ensure_ascii=False).encode(),
        headers={"X-API-Key": os.environ["CEOAGENT_API_KEY"],
                 "Content-Type": "application/json", **(headers or {})})
    try:
        return urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as e:
        sys.exit(f"{method} {path}: {e.code} {e.read().decode(errors='replace')}")
    except urllib.error.URLError as e:
        sys.exit(f"{URL} does not answer ({e.reason}); is the stack up? try `make up`")


def data(response):
    return json.load(response)["data"]


def ingest(folder):
    """Uploads each document and waits until it is read. Returns the ids."""
    ids = []
    for path in sorted((folder / "documents").glob("*")):
        answer = data(call("POST", "/api/v1/knowledge/documents", {
            "title": path.name, "content": path.read_text(encoding="utf-8"),
            "content_type": TYPES.get(path.suffix, "text/plain"), "source": str(path.name)}))
        answer = data(call("GET", f"/api/v1/knowledge/documents/{answer['id']}?wait=30"))
        print(f"  {path.name}: {answer['status']}, {answer['chunks']} passages")
        ids.append(answer["id"])
    return ids


def events(response):
    """Server-sent events as (type, object)."""
    kind, lines = "message", []
    for raw in response:
        line = raw.decode().rstrip("\n")
        if line.startswith("event:"):
            kind = line[6:].strip()
        elif line.startswith("data:"):
            lines.append(line[5:].strip())
        elif not line and lines:
            yield kind, json.loads("\n".join(lines))
            kind, lines = "message", []


def follow(response, started):
    """Prints the steps as they come; returns the decision's id."""
    decision = None
    for kind, event in events(response):
        at = paint("2", f"{time.monotonic() - started:6.2f}s")
        if kind == "started":
            decision = event.get("decision_id")
            print(f"{at} started   {decision}")
        elif kind == "step":
            step = event["step"]
            name = step.get("name") or ""
            tokens = "".join(f", {step[k]} {label}" for k, label in
                             (("tokens_in", "tokens in"), ("tokens_out", "out")) if step.get(k))
            print(f"{at} {event['state']:9} {step.get('type', ''):8} {name}"
                  f"{paint('2', tokens)}")
        elif kind in ("resumed", "reset", "end"):
            print(f"{at} {kind:9} {event}")
        elif kind == "error":
            print(f"{at} error     {event['code']}: {event['message']}")
        elif kind == "done":
            print(f"{at} {event['status']}")
            decision = event["decision_id"]
            break
    return decision


def bar(share, width=24):
    return "█" * round(share * width) + "·" * (width - round(share * width))


def report(decision):
    result = decision.get("result")
    if not result:
        print(json.dumps(decision.get("error"), ensure_ascii=False, indent=2))
        return
    final = result["final_recommendation"]
    record = result.get("decision_record", {})
    print("\n" + paint("1", "Question  ") + decision["query"])
    print(paint("1", "Choice    ") + paint("1;32", final["choice"]))
    print(f"          confidence {final['confidence']:.2f} ({final['confidence_level']}) "
          f"{bar(final['confidence'])}")
    print("          " + final["reasoning"])
    print(paint("1", "\nOptions"))
    for option in record.get("alternatives", []):
        score = option.get("score")
        note = option.get("why_not") or (option.get("dominated_by") and
                                         f"dominated by {option['dominated_by']}") or ""
        shown = "      " if score is None else f"{score:6.3f}"
        print(f"  {shown} {bar(score or 0)} {option['name']} {paint('2', note)}")
    risk = result["risk_assessment"]
    print(paint("1", f"\nRisks: {risk['overall_score']}/10, {risk['risk_level']}"))
    for factor in risk["risk_factors"]:
        print(f"  {factor['level']:8} {factor['name']}: {factor['reason']}")
    print(paint("1", "\nWhat would change the answer"))
    for flip in result.get("sensitivity", []):
        if flip.get("flip_at") is not None:
            print(f"  {flip['driver']}: now {flip['current']:.4g}, from {flip['flip_at']:.4g} on: "
                  f"{flip['new_choice']}")
    for missing in record.get("information", {}).get("missing", []):
        print(f"  missing: {missing['what']}"
              + (" (could change the choice)" if missing["could_change_choice"] else ""))
    for conflict in record.get("information", {}).get("conflicts", []):
        print(f"  conflict: {conflict['what']}: {' / '.join(conflict['values'])}; {conflict['why']}")
    print(paint("1", "\nSources"))
    for item in result.get("evidence", []):
        quote = (item.get("quote") or "").replace("\n", " ")
        value = "" if item.get("value") is None else f" = {item['value']:.6g} {item.get('unit') or ''}"
        print(f"  [{item['id']}] {item['kind']:8} {quote[:110]}{value}")
    usage = decision.get("usage") or {}
    agent = decision.get("agent") or {}
    print(f"\n{decision['decision_id']}: {agent.get('mode')} by {agent.get('model')}, "
          f"{usage.get('steps')} steps, {usage.get('tokens_in')}+{usage.get('tokens_out')} tokens, "
          f"trail at /api/v1/decisions/{decision['decision_id']}/trail?proof=true")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    body = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    print(paint("1", "Reading the documents"))
    ids = ingest(folder)
    if ids:
        body["documents"] = ids
    body["mode"] = "stream"
    print(paint("1", "\nDeciding"))
    started = time.monotonic()
    response = call("POST", "/api/v1/decision/analyze", body)
    decision = follow(response, started)
    if decision is None:
        sys.exit("the stream ended before the decision did")
    report(data(call("GET", f"/api/v1/decisions/{decision}")))


if __name__ == "__main__":
    main()
