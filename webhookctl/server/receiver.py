"""POST /webhooks/{supplier}: takes a delivery, proves it, has it stored, and only then says 200."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from uuid_utils import uuid7

from webhookctl.core.deliveries import Delivery, Verified
from webhookctl.core.errors import SettingsError, SignatureError, StoreFullError, told
from webhookctl.core.outcomes import Duplicate, NotStored, Received, Rejected, Stored, TooLarge
from webhookctl.core.signatures import Key, Scheme, verify
from webhookctl.server import answers
from webhookctl.server.answers import Answer
from webhookctl.server.patience import Patience

Message: TypeAlias = Any
"""An ASGI scope or message: a mapping whose keys depend on its type. uvicorn's own types are private."""
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Reply: TypeAlias = Callable[[Answer], object]
Storing: TypeAlias = asyncio.Future[Stored | Duplicate]

MAX_BODY: Final = 1 << 20
COMMIT_TIMEOUT_S: Final = 2.5
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
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


class Receiver:
    """The ASGI application. What `submit` returns is done when the delivery is durable; `now` gives milliseconds.

    While `is_full` says so, nothing is submitted: a disk that is full to the brim would be worse.
    """

    def __init__(  # noqa: PLR0913 - what a receiver needs of the world
        self,
        suppliers: Mapping[str, SupplierDoor],
        submit: Callable[[Verified], Storing],
        now: Callable[[], int],
        *,
        record: Callable[[Received], None],
        max_body: int = MAX_BODY,
        commit_timeout: float = COMMIT_TIMEOUT_S,
        is_full: Callable[[], bool] = lambda: False,
    ) -> None:
        self.open_doors(suppliers)
        self._submit = submit
        self._now = now
        self._record = record
        self._max_body = max_body
        self._patience = Patience(commit_timeout)
        self._is_full = is_full

    def open_doors(self, suppliers: Mapping[str, SupplierDoor]) -> None:
        """Receive for `suppliers` from now on; a request whose door was found goes through that one."""
        # Looked up by the bytes of the request line: what is spelt in any other way is not there.
        self._doors = {_path(name): door for name, door in suppliers.items()}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answered(scope, receive)
        except asyncio.CancelledError:  # the server's grace is over: this is what is left to say
            answer = answers.STOPPING
        if answer:
            await send(answer.start)
            await send(answer.body)

    def take(self, scope: Message, body: bytes, reply: Reply) -> Answer | Storing:
        """Return the answer to a request that is here whole, or a future: then it comes through `reply`.

        The future may be cancelled: the answer is then that we are stopping.
        """
        found = self._entered(scope, len(body))
        if isinstance(found, Answer):
            return found
        try:
            return self._submitted(found, scope, body, reply)
        except SignatureError as error:
            self._record(Rejected(found.name, error.reason, str(error)))
            return answers.REJECTED
        except Exception as error:  # noqa: BLE001 - whatever it is, the supplier must try again and the server go on
            return self._unstored(found.name, error)

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
                return taken if isinstance(taken, Answer) else await answer
            found = self._entered(scope, size)
        return found

    def _entered(self, scope: Message, size: int) -> SupplierDoor | Answer:
        """Return the door that a request goes through, or the answer whatever its body, of which `size` bytes came."""
        door = self._doors.get(scope["raw_path"])
        if door is None:
            return answers.NOT_FOUND
        method = scope["method"]
        if method != "POST":
            return answers.PROBED if door.head_ok and method == "HEAD" else answers.NOT_ALLOWED
        for name, value in scope["headers"]:
            if name == b"content-length":
                size = max(size, int(value))
            elif name == b"content-encoding" and value.strip().lower() not in _PLAIN:
                return answers.ENCODED  # nothing is unpacked before it is proven, and it is proven as it was sent
        if size > self._max_body:
            self._record(TooLarge(door.name, self._max_body))
            return answers.TOO_LARGE
        return door

    def _submitted(self, door: SupplierDoor, scope: Message, body: bytes, reply: Reply) -> Storing:
        """Prove the delivery and have it stored; raises `SignatureError`."""
        now = self._now()
        delivery = Delivery(door.name, body, tuple(scope["headers"]), now, uuid7().bytes, url=door.url)
        verified = verify(delivery, door.scheme, door.keys, now=now)
        if self._is_full():
            raise StoreFullError(_DISK_IS_FULL)
        storing = self._submit(verified)
        self._patience.watch(storing)
        storing.add_done_callback(partial(self._stored, door.name, reply))
        return storing

    def _stored(self, supplier: str, reply: Reply, storing: Storing) -> None:
        if storing.cancelled():
            reply(answers.STOPPING)
        elif error := storing.exception():
            reply(self._unstored(supplier, error))
        else:
            self._record(storing.result())
            reply(answers.STORED)

    def _unstored(self, supplier: str, error: BaseException) -> Answer:
        late = f"the store did not commit within {self._patience.seconds:g} s"
        self._record(NotStored(supplier, late if isinstance(error, TimeoutError) else told(error)))
        return answers.UNAVAILABLE


def _settle(future: "asyncio.Future[Answer]", answer: Answer) -> None:
    if not future.done():  # cancelled meanwhile
        future.set_result(answer)


def _path(name: str) -> bytes:
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"A supplier can't be called {name!r}: use up to 32 of a-z, 0-9, - and _, and begin with a letter or digit."
        )
    return f"/webhooks/{name}".encode()
