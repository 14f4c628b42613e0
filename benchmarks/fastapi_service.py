"""The same service written with FastAPI and asyncpg, one transaction for each request.

It has the same two rows, the same tokens, and its own prepared statements and pool. It validates
with pydantic and deduplicates by the same unique key. It has no idempotency keys, no customers
named by others, and no quotas.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from hashlib import sha512
from typing import Annotated, Any
from uuid import UUID, uuid5

import asyncpg
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel, Field

NAMESPACE = UUID("0197f3c0-0000-7000-8000-000000000000")
pool: Any = None


class Purchase(BaseModel):
    item: Annotated[str, Field(max_length=200)] = ""
    quantity: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    price: Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "EUR"
    timestamp: datetime


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    global pool
    pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=10, max_size=10)
    yield
    await pool.close()


app = FastAPI(lifespan=lifespan)


@app.get("/livez")
async def livez() -> str:
    return "ok"


@app.post("/api/v1/purchases/", status_code=201)
async def buy(purchase: Purchase, authorization: Annotated[str, Header()]) -> dict[str, Any]:
    digest = sha512(authorization.removeprefix("Token ").encode()).hexdigest()
    async with pool.acquire() as connection:
        account = await connection.fetchrow(
            "SELECT a.id, a.username, a.userid FROM knox_authtoken AS t"
            " JOIN accounts_user AS a ON a.id = t.user_id"
            " WHERE t.digest = $1 AND a.is_active AND (t.expiry IS NULL OR t.expiry > now())",
            digest,
        )
        if account is None:
            raise HTTPException(401)
        content = f"{account['id']} {purchase.model_dump_json()}"
        async with connection.transaction():
            row = await connection.fetchrow(
                "INSERT INTO purchases_purchase (customer_id, item, quantity, price, currency,"
                ' "timestamp", recorded_by_id, dedupe_key) VALUES ($1, $2, $3, $4, $5, $6, $1, $7)'
                " ON CONFLICT (dedupe_key) DO NOTHING RETURNING id, received_at",
                account["id"],
                purchase.item,
                purchase.quantity,
                purchase.price,
                purchase.currency,
                purchase.timestamp,
                uuid5(NAMESPACE, content),
            )
            if row is None:
                raise HTTPException(409)
            await connection.execute(
                "INSERT INTO events_outbox (id, customer_id) VALUES ($1, $2)",
                row["id"],
                account["id"],
            )
    return {
        "id": row["id"],
        "username": account["username"],
        "userid": account["userid"],
        **purchase.model_dump(mode="json"),
        "total": str(purchase.price * purchase.quantity),
        "received_at": row["received_at"],
    }
