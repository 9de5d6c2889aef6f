"""Writes the Grafana dashboards of charts/ceoagent/files/dashboards from the tables below.

    python3 deploy/monitoring/dashboards.py [--check]
"""
import json
import pathlib
import sys

OUT = pathlib.Path(__file__).resolve().parents[2] / "charts/ceoagent/files/dashboards"
SHORT = 'endpoint!~".*(analyze|investment|risk|strategy|stream|execute|chat).*"'


def quantile(q, metric, by="", where=""):
    labels = "le" + (f", {by}" if by else "")
    return f"histogram_quantile({q}, sum by ({labels}) (rate({metric}_bucket{where}[5m])))"


# Dashboard: title and panels (title, unit, [(query, legend)]).
BOARDS = {
    "api": ("CEOAgent API", [
        ("Requests", "reqps", [("sum by (status) (rate(http_requests_total[5m]))", "{{status}}")]),
        ("By endpoint", "reqps", [("sum by (endpoint) (rate(http_requests_total[5m]))", "{{endpoint}}")]),
        ("Time of an answer, analyses left out", "s",
         [(quantile(q, "http_request_duration_seconds", where="{" + SHORT + "}"), f"p{int(q * 100)}") for q in (0.5, 0.95, 0.99)]),
        ("Time by endpoint (p95)", "s", [(quantile(0.95, "http_request_duration_seconds", "endpoint"), "{{endpoint}}")]),
        ("Connections", "short", [("sum(active_connections)", "connections"), ("sum(active_requests)", "requests in hand")]),
        ("PostgreSQL: time of a transaction", "s",
         [(quantile(q, "pg_batch_duration_seconds"), f"p{int(q * 100)}") for q in (0.5, 0.95)]),
        ("PostgreSQL: connections", "short", [("sum by (state) (pg_connections)", "{{state}}")]),
        ("Lost connections", "short", [("sum(pg_reconnects_total)", "PostgreSQL"), ("sum(rate_limit_degraded_total)", "limits without Redis")]),
    ]),
    "agent": ("CEOAgent agents", [
        ("Decisions running", "short", [("sum(agent_runs_active)", "running"), ("ceoagent_agent_work", "running and waiting")]),
        ("Decisions that ended", "ops", [("sum by (decision_type, status) (rate(decisions_total[5m]))", "{{decision_type}} {{status}}")]),
        ("Runs by strategy", "ops", [("sum by (agent_type, status) (rate(agent_executions_total[5m]))", "{{agent_type}} {{status}}")]),
        ("Mean time of a run", "s",
         [("sum by (agent_type) (rate(agent_execution_duration_seconds_sum[5m])) / sum by (agent_type) (rate(agent_execution_duration_seconds_count[5m]))",
           "{{agent_type}}")]),
        ("Confidence (median)", "percentunit", [(quantile(0.5, "decision_confidence"), "median")]),
        ("Taken over, lost", "short", [("sum(agent_runs_resumed_total)", "taken over"), ("sum(agent_lease_lost_total)", "leases lost")]),
    ]),
    "worker": ("CEOAgent workers", [
        ("Jobs that ended", "ops", [("sum by (task, status) (rate(worker_jobs_total[5m]))", "{{task}} {{status}}")]),
        ("Time of a job (p95)", "s", [(quantile(0.95, "worker_job_duration_seconds", "task"), "{{task}}")]),
        ("Running, running and waiting", "short", [("sum(worker_jobs_active)", "running"), ("ceoagent_worker_work", "running and waiting")]),
        ("Waiting by queue", "short", [("max by (queue) (queue_depth)", "{{queue}}")]),
        ("Events and webhooks sent", "ops", [("sum by (topic, status) (rate(outbox_published_total[5m]))", "{{topic}} {{status}}")]),
    ]),
    "models": ("CEOAgent models and cost", [
        ("Calls", "ops", [("sum by (model, status) (rate(llm_requests_total[5m]))", "{{model}} {{status}}")]),
        ("Tokens an hour", "short", [("sum by (model, type) (increase(llm_tokens_total[1h]))", "{{model}} {{type}}")]),
        ("Time of a call (p95)", "s", [(quantile(0.95, "llm_request_duration_seconds", "model"), "{{model}}")]),
        ("Tokens of a decision", "short", [("sum(increase(llm_tokens_total[1h])) / sum(increase(decisions_total[1h]))", "mean of the hour")]),
        ("Tool calls", "ops", [("sum by (skill_name, status) (rate(skill_executions_total[5m]))", "{{skill_name}} {{status}}")]),
    ]),
    "slo": ("CEOAgent SLO", [
        ("Answers that are no error (30 days: 99.9 %)", "percentunit",
         [("1 - ceoagent:http_errors:ratio_rate5m", "5 m"), ("1 - ceoagent:http_errors:ratio_rate1h", "1 h"),
          ("1 - ceoagent:http_errors:ratio_rate6h", "6 h")]),
        ("Burn rate (1: the budget lasts the month)", "short",
         [("ceoagent:http_errors:ratio_rate1h / 0.001", "1 h"), ("ceoagent:http_errors:ratio_rate6h / 0.001", "6 h")]),
        ("Mean time of an answer (under 500 ms)", "s",
         [(f"sum(rate(http_request_duration_seconds_sum{{{SHORT}}}[5m])) / sum(rate(http_request_duration_seconds_count{{{SHORT}}}[5m]))", "mean")]),
        ("p95 of an answer", "s", [("ceoagent:http_request_duration:p95", "p95")]),
    ]),
}


def panel(n, title, unit, queries):
    return {
        "id": n + 1, "type": "timeseries", "title": title,
        "datasource": {"type": "prometheus", "uid": "prometheus"},
        "gridPos": {"x": 12 * (n % 2), "y": 8 * (n // 2), "w": 12, "h": 8},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [{"refId": chr(65 + i), "expr": expr, "legendFormat": legend} for i, (expr, legend) in enumerate(queries)],
    }


def main():
    stale = False
    OUT.mkdir(parents=True, exist_ok=True)
    for name, (title, panels) in BOARDS.items():
        board = {
            "uid": f"ceoagent-{name}", "title": title, "tags": ["ceoagent"], "schemaVersion": 39, "refresh": "30s",
            "time": {"from": "now-6h", "to": "now"}, "panels": [panel(i, *p) for i, p in enumerate(panels)],
        }
        path, text = OUT / f"{name}.json", json.dumps(board, indent=1) + "\n"
        if not path.exists() or path.read_text() != text:
            stale = True
            if "--check" in sys.argv:
                print(f"{path.name} is stale: python3 deploy/monitoring/dashboards.py")
            else:
                path.write_text(text)
    sys.exit(1 if stale and "--check" in sys.argv else 0)


if __name__ == "__main__":
    main()
