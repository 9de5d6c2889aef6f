"""Makes charts/ceoagent/README.md and values.schema.json from values.yaml and the table of settings.

    python3 tests/deploy/chart_docs.py [--check]      --check: fails when a file would change
"""
import json
import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "charts/ceoagent"
ENUMS = {
    "image.pullPolicy": ["Always", "IfNotPresent", "Never"],
    "settings.ENVIRONMENT": ["development", "staging", "production", "test"],
    "settings.LOG_LEVEL": ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    "blueGreen.live": ["blue", "green"],
    "ingress.className": None,
    "migration.mode": ["", "hook", "init", "none"],
    "postgres.mode": ["external", "statefulset", "cloudnativepg"],
    "redis.mode": ["external", "standalone", "sentinel", "cluster"],
    "pod.topologySpread.whenUnsatisfiable": ["ScheduleAnyway", "DoNotSchedule"],
}
# Maps whose keys are the user's.
OPEN = re.compile(r"(^|\.)(extra|podAnnotations|podLabels|nodeSelector|affinity|annotations|labels|resources|values|startup|"
                  r"liveness|readiness)$|^(api|agent|worker)\.settings$")


def schema(path, value):
    if path in ENUMS and ENUMS[path]:
        return {"enum": ENUMS[path]}
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int):
        return {"type": "integer", "minimum": 0}
    if isinstance(value, str):
        if path.startswith("settings."):
            return {"type": ["string", "number", "boolean"]}
        if path.endswith("minAvailable"):
            return {"type": ["integer", "string"]}
        return {"type": "string"}
    if isinstance(value, list):
        return {"type": "array"}
    out = {"type": "object"}
    out["properties"] = {k: schema(f"{path}.{k}" if path else k, v) for k, v in value.items()}
    if not OPEN.search(path):
        out["additionalProperties"] = False
    return out


def comments(text):
    """The comment above or beside each key, by dotted path."""
    found, stack, pending = {}, [], []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            pending.append(stripped[1:].strip())
            continue
        m = re.match(r"^( *)([A-Za-z0-9_.-]+):", line)
        if not m:
            pending = []
            continue
        depth = len(m.group(1)) // 2
        stack = stack[:depth] + [m.group(2)]
        if pending:
            found[".".join(stack)] = " ".join(pending)
        pending = []
    return found


def rows(path, value, notes, out):
    here = notes.get(path, "")
    if isinstance(value, dict) and value and not OPEN.search(path) and path.count(".") < 3:
        if here:
            out.append((path, "", here))
        for k, v in value.items():
            rows(f"{path}.{k}" if path else k, v, notes, out)
        return
    out.append((path, "`" + json.dumps(value) + "`", here))


def readme(values, text):
    notes, table = comments(text), []
    rows("", values, notes, table)
    lines = ["# Chart ceoagent", "",
             "Made from values.yaml by `make k8s-render`; do not edit. How to install: docs/operations/install.md.", "",
             "```sh",
             "helm upgrade --install ceoagent charts/ceoagent -n ceoagent --create-namespace -f charts/ceoagent/values-test.yaml",
             "helm test ceoagent -n ceoagent", "```", "",
             "| Value | Default | Meaning |", "| --- | --- | --- |"]
    for path, default, note in table:
        if path.startswith("settings.") and not note:
            continue
        default, note = default.replace("|", "\\|"), note.replace("|", "\\|")
        lines.append(f"| `{path}` | {default} | {note} |")
    lines += ["", "`settings` takes every name of docs/configuration.md that is no secret:", "",
              ", ".join(f"`{k}`" + (f" ({v})" if v != "" else "") for k, v in values["settings"].items()) + ".", ""]
    return "\n".join(lines)


def main():
    text = (CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    result = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of the chart ceoagent",
              **schema("", values)}
    result["properties"]["global"] = {"type": "object"}
    result["properties"]["nameOverride"] = {"type": "string"}
    result["properties"]["ingress"]["properties"]["limitRpm"] = {"type": "integer", "minimum": 1}
    for name in ("api", "agent", "worker"):
        scale = result["properties"][name]["properties"]["autoscaling"]["properties"]
        scale["minReplicas"] = scale["maxReplicas"] = {"type": "integer", "minimum": 1}
        scale["cpu"] = scale["memory"] = {"type": "integer", "minimum": 1, "maximum": 100}
        result["properties"][name]["properties"]["pdb"]["properties"]["minAvailable"] = {"type": ["integer", "string"]}
    made = {CHART / "values.schema.json": json.dumps(result, indent=2) + "\n", CHART / "README.md": readme(values, text)}
    stale = [p for p, t in made.items() if not p.exists() or p.read_text() != t]
    if "--check" in sys.argv:
        for p in stale:
            print(f"{p.relative_to(ROOT)} is stale: make k8s-render")
        sys.exit(1 if stale else 0)
    for p in stale:
        p.write_text(made[p])


if __name__ == "__main__":
    main()
