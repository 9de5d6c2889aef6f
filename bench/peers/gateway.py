"""The accept path as it is usually built in Python: FastAPI, an asyncpg pool, one INSERT, Celery's apply_async."""
import hashlib
import json
import os
import uuid

import asyncpg
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel, Field

import jobs

TABLE = """CREATE TABLE IF NOT EXISTS peer_decisions (
    decision_id uuid PRIMARY KEY, user_id uuid NOT NULL, query text NOT NULL, context jsonb, options text[],
    status text NOT NULL DEFAULT 'pending', created_at timestamptz NOT NULL DEFAULT clock_timestamp())"""
INSERT = """INSERT INTO peer_decisions (decision_id, user_id, query, context, options)
    VALUES ($1, $2, $3, $4, $5) RETURNING created_at"""
USER = uuid.UUID(int=1)
KEY = hashlib.sha256(os.environ.get("API_KEY", "").encode()).digest()

app = FastAPI()


class Question(BaseModel):
    query: str = Field(min_length=1, max_length=2000)
    context: dict | None = None
    options: list[str] = []
    mode: str = "sync"


@app.on_event("startup")
async def start():
    app.state.pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=4, max_size=16)


@app.get("/ready")
async def ready():
    await app.state.pool.fetchval("SELECT 1")
    return {"status": "ok"}


@app.post("/api/v1/decision/analyze", status_code=202)
async def analyze(question: Question, x_api_key: str = Header()):
    if hashlib.sha256(x_api_key.encode()).digest() != KEY:
        raise HTTPException(401)
    decision = uuid.uuid4()
    created = await app.state.pool.fetchval(INSERT, decision, USER, question.query,
                                            json.dumps(question.context), question.options)
    jobs.run_decision.apply_async((str(decision),))
    return {"success": True, "data": {"decision_id": str(decision), "status": "pending", "created_at": created}}
