"""Contender (c) of tests/benchmarks/ingest.py: FastAPI and SQLAlchemy on SQLite, a commit for each request."""

import hmac
import os
import time
import uuid
from typing import Any

from fastapi import FastAPI, Request, Response
from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table, create_engine, event, insert
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

_SECRET = os.environ["ACME_SECRET"].encode()
_METADATA = MetaData()
_EVENTS = Table(
    "events",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("delivery_id", String, nullable=False),
    Column("received_at", Integer, nullable=False),
    Column("headers", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
_ENGINE = create_engine("sqlite:///store.db")


def _durable(raw: Any, _record: object) -> None:  # noqa: ANN401 - whatever driver it is
    raw.execute("PRAGMA journal_mode = WAL")
    raw.execute("PRAGMA synchronous = FULL")


def _store(headers: str, body: bytes) -> None:
    with Session(_ENGINE) as session:
        row = {"delivery_id": str(uuid.uuid4()), "received_at": time.time_ns(), "headers": headers, "body": body}
        session.execute(insert(_EVENTS).values(row))
        session.commit()


async def receive(request: Request) -> Response:
    """Prove a delivery, and answer when its commit is made."""
    body = await request.body()
    given = request.headers.get("x-webhook-signature", "")
    if not hmac.compare_digest(hmac.digest(_SECRET, body, "sha256").hex(), given):
        return Response(status_code=400)
    await run_in_threadpool(_store, str(dict(request.headers)), body)
    return Response(status_code=200)


event.listen(_ENGINE, "connect", _durable)
_METADATA.create_all(_ENGINE)
app = FastAPI()
app.add_api_route("/webhooks/acme", receive, methods=["POST"])
