#!/usr/bin/env python3
"""bench/rag/run.py: how well and how fast the knowledge base finds what is asked for. Needs a running stack with
WEAVIATE_URL and EMBEDDINGS_URL (`make rag-bench` starts one): fills it with the corpus through the API, waits until every
passage has its vector, asks the questions of each half and of both, prints recall@5, MRR@10 and latency."""
import concurrent.futures
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "blackbox"), str(pathlib.Path(__file__).parent)]
import corpus  # noqa: E402
from ceo import Client  # noqa: E402

BIN = os.environ.get("BIN_DIR", "build/dev")


def psql(query):
    out = subprocess.run(["psql", "-qAtX", os.environ["ADMIN_URL"], "-c", query], text=True, check=True,
                         capture_output=True).stdout
    return out.strip()


def fill(passages):
    client = Client(os.environ["CEOAGENT_URL"], os.environ["CEOAGENT_API_KEY"])
    start = time.monotonic()

    def add(item):
        n, (key, text) = item
        answer = client.post("/api/v1/knowledge/documents", {"title": f"Note {n}", "content": text})
        assert answer.status in (200, 201), answer.body
        return key, answer.data["id"]

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        ids = dict(pool.map(add, enumerate(passages)))
    posted = time.monotonic() - start
    while psql("SELECT count(*) FROM documents WHERE status <> 'ready'") != "0":
        time.sleep(0.5)
    read = time.monotonic() - start
    while psql("SELECT count(*) FROM documents WHERE vectors_model IS NULL") != "0" or psql(
            "SELECT count(*) FROM outbox WHERE target = 'weaviate' AND published_at IS NULL") != "0":
        time.sleep(0.5)
    print(f"{len(passages)} passages: posted in {posted:.1f} s, read in {read:.1f} s, in the vector store after "
          f"{time.monotonic() - start:.1f} s", flush=True)
    return ids


def ask(mode, questions):
    done = subprocess.run([f"{BIN}/tests/integration/rag_search", mode], cwd=ROOT, text=True, check=True,
                          input="".join(q + "\n" for q, _, _ in questions), capture_output=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def score(answers, questions, ids):
    ranks = []
    for answer, (_, key, _) in zip(answers, questions):
        assert answer["code"] == 0 and not answer["degraded"], answer
        top = answer["ids"][:10]
        ranks.append(top.index(ids[key]) + 1 if ids[key] in top else 0)
    return sum(0 < r <= 5 for r in ranks) / len(ranks), sum(1 / r for r in ranks if r) / len(ranks)


def main():
    passages, questions = corpus.make()
    ids = fill(passages)
    print("| search | recall@5 | en | zh | MRR@10 | p50 ms | p95 ms |\n|---|---|---|---|---|---|---|")
    results = {}
    for mode in ("text", "vectors", "hybrid"):
        ask(mode, questions[:20])  # warm
        answers = ask(mode, questions)
        recall, mrr = score(answers, questions, ids)
        part = {}
        for language in ("en", "zh"):
            chosen = [i for i, q in enumerate(questions) if q[2] == language]
            part[language], _ = score([answers[i] for i in chosen], [questions[i] for i in chosen], ids)
        times = sorted(a["ms"] for a in answers)
        results[mode] = recall, mrr
        print(f"| {mode} | {recall:.3f} | {part['en']:.3f} | {part['zh']:.3f} | {mrr:.3f} | "
              f"{statistics.median(times):.1f} | {times[int(len(times) * .95)]:.1f} |", flush=True)
    better = all(results["hybrid"][i] >= max(results["text"][i], results["vectors"][i]) for i in (0, 1))
    print("hybrid beats both alone" if better else "hybrid does not beat both alone")
    return 0 if better else 1


if __name__ == "__main__":
    sys.exit(main())
