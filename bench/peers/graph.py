"""LangGraph with its Postgres checkpointer: N runs at once of five model calls with a tool between them.

    graph.py MODEL_URL DATABASE_URL RUNS      prints one line: wall s, CPU s, memory in bytes a run while they wait, at the peak

Its HTTP client is one a 20 runs: httpx's pool searches all connections at each request.
"""
import asyncio
import json
import operator
import os
import pathlib
import statistics
import sys
import time
from typing import Annotated, TypedDict

import httpx
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

CALLS = 5


class State(TypedDict):
    messages: Annotated[list, operator.add]


def read(text):
    """The tool call of an answer in Messages API events."""
    name, pieces = None, []
    for line in text.splitlines():
        if line.startswith("data: "):
            e = json.loads(line[6:])
            if e["type"] == "content_block_start" and e["content_block"]["type"] == "tool_use":
                name = e["content_block"]["name"]
            elif e["type"] == "content_block_delta" and "partial_json" in e["delta"]:
                pieces.append(e["delta"]["partial_json"])
    return {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": name,
                                              "input": json.loads("".join(pieces))}]}


def graph(client, url, saver):
    async def think(state):
        answer = await client.post(f"{url}/v1/messages", json={"model": "m", "stream": True, "max_tokens": 16000,
                                                               "messages": state["messages"]})
        return {"messages": [read(answer.text)]}

    async def act(state):
        return {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t",
                                                          "content": "42"}]}]}

    def more(state):
        return END if state["messages"][-1]["content"][0]["name"] == "submit_decision" else "act"

    g = StateGraph(State)
    g.add_node("think", think)
    g.add_node("act", act)
    g.add_edge(START, "think")
    g.add_conditional_edges("think", more)
    g.add_edge("act", "think")
    return g.compile(checkpointer=saver)


def pss():
    for line in pathlib.Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


async def main(url, database, runs):
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with AsyncConnectionPool(database, max_size=16, kwargs={"autocommit": True, "prepare_threshold": 0,
                                                                  "row_factory": dict_row}) as pool:
        saver = AsyncPostgresSaver(pool)
        await saver.setup()
        clients = [httpx.AsyncClient(timeout=600, limits=limits) for _ in range((runs + 19) // 20)]
        graphs = [graph(c, url, saver) for c in clients]
        base, start, used = pss(), time.monotonic(), time.process_time()
        tasks = [asyncio.create_task(graphs[i // 20].ainvoke(
            {"messages": [{"role": "user", "content": f"Which supplier do we take? ({i})"}]},
            {"configurable": {"thread_id": f"{os.getpid()}-{i}"}})) for i in range(runs)]
        sizes = []
        while not all(t.done() for t in tasks):
            await asyncio.sleep(1)
            sizes.append(pss())
        await asyncio.gather(*tasks)
        print(time.monotonic() - start, time.process_time() - used, (statistics.median(sizes) - base) / runs,
              (max(sizes) - base) / runs)


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
