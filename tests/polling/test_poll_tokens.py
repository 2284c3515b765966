"""Who asks says so as the supplier wants it: tokens are fetched once and kept."""

import asyncio
import json
from contextlib import aclosing
from pathlib import Path

import pytest

from tests.actions.raw_server import Peer, raw_server
from tests.polling.answering import always, response
from tests.polling.asking import api, arrive, asking, poll_of, run, said
from tests.polling.test_api_settings import loaded
from webhookctl.adapters.outbound import Outbound
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.adapters.supplier_http import Client, Fixed, OAuth2
from webhookctl.core.outcomes import Asked, SupplierNotAsked
from webhookctl.wiring.polling import Askers


def test_a_token_is_fetched_once_and_kept(store: SqliteStore) -> None:
    """However many questions wait for it, an OAuth2 token is fetched once; a refused one is fetched once more."""
    arrive(store, *range(1, 21))
    fetched, seen = list[bytes](), list[str]()

    async def answer(peer: Peer) -> None:
        while True:
            first, headers, body = await peer.request()
            if first.startswith("POST /token"):
                fetched.append(body)
                token = json.dumps({"access_token": f"T{len(fetched)}", "expires_in": 3600}).encode()
                await peer.say(response("200 OK", token))
            elif headers["authorization"] == "Bearer T1" and len(seen) == 5:
                seen.append("ended early")
                await peer.say(response("401 Unauthorized"))
            else:
                seen.append(headers["authorization"])
                number = first.split("/S-")[1].split()[0]
                await peer.say(response("200 OK", json.dumps(said(f"S-{number}", "open")).encode()))

    async def all_of_it() -> list[Asked]:
        async with raw_server(answer) as server, aclosing(Outbound()) as outbound:
            client = Client(f"{server.url}/token", "me", "secret&", audience="https://api.example")
            one = asking(api(server.url, concurrency=1), outbound, authorisation=OAuth2(client, outbound))
            return await run(poll_of(store, one))

    outcomes = asyncio.run(all_of_it())

    form = b"grant_type=client_credentials&client_id=me&client_secret=secret%26&audience=https%3A%2F%2Fapi.example"
    assert fetched == [form, form]
    assert len(outcomes) == 20
    assert seen.count("Bearer T1") == 5
    assert seen.count("Bearer T2") == 15


def test_many_that_wait_for_a_token_fetch_one(store: SqliteStore) -> None:
    """Twenty questions that find the token at its end wait for the one that fetches the next."""
    arrive(store, 1)
    fetched = list[bytes]()

    async def answer(peer: Peer) -> None:
        while True:
            fetched.append((await peer.request())[2])
            await asyncio.sleep(0.05)
            await peer.say(response("200 OK", b'{"access_token": "T", "expires_in": "3600"}'))

    async def all_of_it() -> set[str]:
        async with raw_server(answer) as server, aclosing(Outbound()) as outbound:
            proof = OAuth2(Client(f"{server.url}/token", "me", "secret", as_json=True), outbound)
            return {one["authorization"] for one in await asyncio.gather(*(proof.headers(5) for _ in range(20)))}

    assert asyncio.run(all_of_it()) == {"Bearer T"}
    assert [json.loads(body)["grant_type"] for body in fetched] == ["client_credentials"]


def test_a_token_outlasts_a_run_and_not_its_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever goes on asking keeps the token, and fetches another once the client's secret was exchanged."""
    fetched = list[str]()

    async def answer(peer: Peer) -> None:
        while True:
            fetched.append(json.loads((await peer.request())[2])["client_secret"])
            await peer.say(response("200 OK", json.dumps({"access_token": f"T{len(fetched)}"}).encode()))

    async def all_of_it() -> list[str]:
        async with raw_server(answer) as server, aclosing(Outbound()) as outbound:
            client = 'client_id = "env:ID", client_secret = "env:OURS", json = true'
            auth = f'auth = {{ kind = "oauth2", token_url = "{server.url}/token", {client} }}\n'
            settings = loaded(tmp_path, f'[suppliers.acme.api]\nbase_url = "https://api.example"\n{auth}')
            askers, seen = Askers(outbound), list[str]()
            for secret in ("first", "first", "second"):
                monkeypatch.setenv("OURS", secret)
                headers = await askers.caller(settings, "acme").authorisation.headers(5)
                seen.append(headers["authorization"])
            return seen

    monkeypatch.setenv("ID", "me")

    assert asyncio.run(all_of_it()) == ["Bearer T1", "Bearer T1", "Bearer T2"]
    assert fetched == ["first", "second"]


def test_a_refused_client_stops_the_supplier(store: SqliteStore) -> None:
    """Where no token is given for our client, nothing more is asked, and the sentence names what to mend."""
    arrive(store, 1, 2)

    async def all_of_it() -> list[Asked]:
        async with raw_server(always(response("401 Unauthorized"))) as server, aclosing(Outbound()) as outbound:
            proof = OAuth2(Client(f"{server.url}/token", "me", "wrong"), outbound)
            return await run(poll_of(store, asking(api(server.url), outbound, authorisation=proof)))

    (stopped,) = [one for one in asyncio.run(all_of_it()) if isinstance(one, SupplierNotAsked)]
    assert "mend client_id and client_secret" in stopped.reason
    assert "wrong" not in stopped.reason


@pytest.mark.parametrize(
    ("proof", "expected"),
    [
        (Fixed.bearer("T"), ("/orders/S-1", "authorization", "Bearer T")),
        (Fixed.basic("me", "pass:word"), ("/orders/S-1", "authorization", "Basic bWU6cGFzczp3b3Jk")),
        (Fixed({"x-api-key": "T"}), ("/orders/S-1", "x-api-key", "T")),
        (Fixed.parameter("key", "T&1"), ("/orders/S-1?key=T%261", "x-fixed", "always")),
    ],
)
def test_who_asks_is_shown_as_the_supplier_wants_it(
    store: SqliteStore, proof: Fixed, expected: tuple[str, str, str]
) -> None:
    """Bearer, basic, a header of its own or a parameter; fixed headers and ours come along."""
    arrive(store, 1)
    seen = list[tuple[str, dict[str, str]]]()

    async def answer(peer: Peer) -> None:
        first, headers, _ = await peer.request()
        seen.append((first, headers))
        await peer.say(response("200 OK", json.dumps(said("S-1", "open")).encode()))

    async def all_of_it() -> None:
        async with raw_server(answer) as server, aclosing(Outbound()) as outbound:
            one = asking(api(server.url, headers={"X-Fixed": "always"}), outbound, authorisation=proof)
            await run(poll_of(store, one))

    asyncio.run(all_of_it())

    ((first, headers),) = seen
    path, name, value = expected
    assert first == f"GET {path} HTTP/1.1"
    assert headers[name] == value
    assert headers["x-fixed"] == "always"
    assert headers["accept-encoding"] == "identity"
    assert "T" not in repr(proof).replace("Tr", "")
