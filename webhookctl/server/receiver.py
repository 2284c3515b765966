"""POST /webhooks/{supplier}: takes a delivery, proves it, has it stored, and only then says 200."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from uuid_utils import uuid7

from webhookctl.core.addresses import Network
from webhookctl.core.admission import admit
from webhookctl.core.challenges import Challenge
from webhookctl.core.challenges import reply as reply_to
from webhookctl.core.deliveries import SUPPLIER_NAME, Delivery, Verified
from webhookctl.core.errors import SettingsError, SignatureError, StoreFullError, told
from webhookctl.core.outcomes import Challenged, Duplicate, NotStored, Received, Rejected, Stored, TooLarge
from webhookctl.core.quarantine import Rejection
from webhookctl.core.signatures import Key, Scheme, Secret
from webhookctl.server import answers
from webhookctl.server.answers import Answer
from webhookctl.server.limits import LOOPBACK
from webhookctl.server.senders import sender_of

Message: TypeAlias = Any
"""An ASGI scope or message: a mapping whose keys depend on its type. uvicorn's own types are private."""
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Reply: TypeAlias = Callable[[Answer], object]
Storing: TypeAlias = Callable[[Stored | Duplicate | BaseException], object]

MAX_BODY: Final = 1 << 20
_PLAIN: Final = frozenset({b"", b"identity"})
_DISK_IS_FULL: Final = (
    "There is hardly any space left where the store lies: free some. Until then deliveries are answered 503, and their "
    "suppliers send them again."
)


@dataclass(frozen=True, slots=True)
class SupplierDoor:
    """What the receiver must know of a supplier."""

    name: str
    scheme: Scheme
    keys: tuple[Key, ...]
    url: str = ""
    """The public URL as the supplier knows it, where the scheme signs that."""
    head_ok: bool = False
    """HEAD is answered 200: some suppliers probe before they send."""
    allowed: tuple[Network, ...] = ()
    """Where it may send from; empty: from anywhere."""
    path_secrets: tuple[Secret, ...] = ()
    """One of these must stand in the path, behind the name; empty: nothing does."""
    stored: Answer = answers.STORED
    """What it hears when its delivery is durable."""
    on_get: Answer | None = None
    """What GET is answered: some suppliers ask so whether the address is ours. None: that it is not allowed."""
    challenge: Challenge | None = None
    """How it asks that within a signed delivery."""

    def presented(self, path: bytes) -> bytes | None:
        """Return what stands in the path where the secret belongs; None where none does."""
        return path[len(_path(self.name)) + 1 :] if self.path_secrets else None


class Receiver:
    """The ASGI application. `submit` says what became of a delivery, once it is durable; `now` gives milliseconds.

    While `is_full` says so, nothing is submitted: a disk that is full to the brim would be worse. What is not proven
    goes to `quarantine`; `trusted` are the proxies whose word we take for where a request came from.
    """

    def __init__(  # noqa: PLR0913 - what a receiver needs of the world
        self,
        suppliers: Mapping[str, SupplierDoor],
        submit: Callable[[Verified, Storing], None],
        now: Callable[[], int],
        *,
        record: Callable[[Received], None],
        max_body: int = MAX_BODY,
        is_full: Callable[[], bool] = lambda: False,
        trusted: Sequence[Network] = LOOPBACK,
        quarantine: Callable[[Rejection], None] = lambda _: None,
    ) -> None:
        self.open_doors(suppliers)
        self._submit = submit
        self._now = now
        self._record = record
        self._max_body = max_body
        self._is_full = is_full
        self._trusted = trusted
        self._quarantine = quarantine

    def open_doors(self, suppliers: Mapping[str, SupplierDoor]) -> None:
        """Receive for `suppliers` from now on; a request whose door was found goes through that one."""
        # Looked up by the bytes of the request line: what is spelt in any other way is not there.
        self._doors = {_path(name): door for name, door in suppliers.items()}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answered(scope, receive)
        except asyncio.CancelledError:  # the server's grace is over: this is what is left to say
            answer = answers.STOPPING
        except Exception as error:  # noqa: BLE001 - want of memory above all: the supplier must try again
            door = self._doors.get(scope["raw_path"])
            answer = self._unstored(door.name if door else "", error)
        if answer:
            await send(answer.start)
            await send(answer.body)

    def take(self, scope: Message, body: bytes, reply: Reply) -> Answer | None:
        """Return the answer to a request that is here whole; None: it is being stored, and the answer goes to `reply`.

        Of `scope` only the path as it came, the method, the headers and the client are looked at.
        """
        try:
            door = self._entered(scope, len(body))
        except Exception as error:  # noqa: BLE001 - as below
            return self._unstored("", error)
        if isinstance(door, Answer):
            return door
        try:
            delivery = Delivery(door.name, body, tuple(scope["headers"]), self._now(), uuid7().bytes, url=door.url)
            return self._submitted(door, scope, delivery, reply)
        except SignatureError as error:
            return self._rejected(door, scope, delivery, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the supplier must try again and the server go on
            return self._unstored(door.name, error)

    async def _answered(self, scope: Message, receive: Receive) -> Answer | None:
        """Return the answer, or None where the client is gone: what did not come whole was not received."""
        found, size = self._entered(scope, 0), 0
        chunks = list[bytes]()
        while not isinstance(found, Answer):
            message = await receive()
            if message["type"] != "http.request":
                return None
            chunks.append(message["body"])
            size += len(message["body"])
            if not message["more_body"]:
                answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
                taken = self.take(scope, b"".join(chunks), partial(_settle, answer))
                return taken or await answer
            found = self._entered(scope, size)
        return found

    def _entered(self, scope: Message, size: int) -> SupplierDoor | Answer:
        """Return the door that a request goes through, or the answer whatever its body, of which `size` bytes came."""
        door = self._doors.get(scope["raw_path"]) or self._behind_a_secret(scope["raw_path"])
        if door is None:
            return answers.NOT_FOUND
        if scope["method"] != "POST":
            return _probed(door, scope["method"])
        for name, value in scope["headers"]:
            if name == b"content-length":
                size = max(size, int(value))
            elif name == b"content-encoding" and value.strip().lower() not in _PLAIN:
                return answers.ENCODED  # nothing is unpacked before it is proven, and it is proven as it was sent
        if size > self._max_body:
            self._record(TooLarge(door.name, self._max_body))
            return answers.TOO_LARGE
        return door

    def _behind_a_secret(self, path: bytes) -> SupplierDoor | None:
        """Return the door of a supplier whose path goes on; whether rightly, is judged with the delivery."""
        door = self._doors.get(path.rpartition(b"/")[0])
        return door if door and door.path_secrets else None

    def _submitted(self, door: SupplierDoor, scope: Message, delivery: Delivery, reply: Reply) -> Answer | None:
        """Prove the delivery and have it stored; raises `SignatureError`."""
        sender = sender_of(scope, self._trusted) if door.allowed else ""
        presented = door.presented(scope["raw_path"])
        verified = admit(delivery, door, sender=sender, presented=presented, now=delivery.received_at)
        if door.challenge and (answer := self._challenged(door, door.challenge, verified)):
            return answer
        if self._is_full():
            raise StoreFullError(_DISK_IS_FULL)
        self._submit(verified, partial(self._stored, door, reply))
        return None

    def _challenged(self, door: SupplierDoor, challenge: Challenge, verified: Verified) -> Answer | None:
        """Answer a delivery that only asks whether the address is ours, with the key that it was proven with."""
        key = next((key for key in door.keys if key.reference == verified.matched), None)
        said = reply_to(challenge, verified.delivery.body, key) if key else None
        if said is None:
            return None
        self._record(Challenged(door.name))
        return answers.acknowledging(200, said.body.decode(), said.content_type)

    def _rejected(self, door: SupplierDoor, scope: Message, delivery: Delivery, error: SignatureError) -> Answer:
        self._record(Rejected(door.name, error.reason, str(error)))
        sender, presented = sender_of(scope, self._trusted), door.presented(scope["raw_path"])
        self._quarantine(Rejection(delivery, sender, error.reason, str(error), presented))
        return answers.REJECTED

    def _stored(self, door: SupplierDoor, reply: Reply, outcome: Stored | Duplicate | BaseException) -> None:
        if isinstance(outcome, BaseException):
            reply(self._unstored(door.name, outcome))
        else:
            self._record(outcome)
            reply(door.stored)

    def _unstored(self, supplier: str, error: BaseException) -> Answer:
        late = isinstance(error, TimeoutError)
        self._record(NotStored(supplier, "the store did not commit in time" if late else told(error)))
        return answers.UNAVAILABLE


def _probed(door: SupplierDoor, method: str) -> Answer:
    """Return the answer to anything but POST."""
    if method == "HEAD" and door.head_ok:
        return answers.PROBED
    return door.on_get if method == "GET" and door.on_get else answers.NOT_ALLOWED


def _settle(future: "asyncio.Future[Answer]", answer: Answer) -> None:
    if not future.done():  # cancelled meanwhile
        future.set_result(answer)


def _path(name: str) -> bytes:
    if not SUPPLIER_NAME.fullmatch(name):
        raise SettingsError(
            f"A supplier can't be called {name!r}: use up to 32 of a-z, 0-9, - and _, and begin with a letter or digit."
        )
    return f"/webhooks/{name}".encode()
