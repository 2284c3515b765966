"""uvicorn's httptools protocol, strict with what it reads, and not to be kept waiting."""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from webhookctl.core.outcomes import Refused
from webhookctl.server.answers import REFUSALS, STOPPING, Answer
from webhookctl.server.limits import Crowd

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

Take: TypeAlias = Callable[[Any, bytes, Callable[[Answer], object]], Answer | None]
"""What an application may offer beside ASGI: from the scope and body of a request that is here whole to its answer, or
to None; then the answer goes to the function. Of ASGI's scope there is what `_Whole` says."""

_ONCE: Final = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect"})
"""Headers that would mean two things if they came twice."""
_NO_LINES: Final[tuple[list[tuple[bytes, bytes]], bytes]] = ([], b"")
_VERSIONS: Final = frozenset({"1.1", "1.0"})
_CONTINUE: Final = b"100-continue"
_AT_ONCE: Final = struct.pack("ii", 1, 0)
_PER_HEADER: Final = 4
"""Bytes of a header's line beside its name and value."""


class _Whole:
    """A request that was here whole when it was begun: what it needs of uvicorn's cycle, for a fifth of the cost.

    Its scope is the path as it came, the method (POST), the headers and the client.
    """

    __slots__ = ("disconnected", "keep_alive", "response_complete", "response_started", "scope")
    more_body = False

    def __init__(self, scope: dict[str, Any], *, keep_alive: bool) -> None:
        self.scope = scope
        self.keep_alive = keep_alive
        self.disconnected = self.response_started = self.response_complete = False


class _RefusedError(Exception):
    """Ends the parser's work; it loses what its callbacks raise, so the reason stands in the protocol."""


class Protocol(HttpToolsProtocol):
    """A connection.

    Its deadlines are kept by `sweep`, to be called every half second or so: a timer for each request would cost more
    than all else that is done here.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        crowd: Crowd,
        record: Callable[[Refused], None],
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # uvicorn lets a second request come behind `Connection: close`; the parser must see that as the fault it is.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=False)
        self._take: Take | None = getattr(self.app, "take", None)
        self._ahead = False  # a head has come, and perhaps its body in this segment: no cycle is made for it yet
        self._chunks: list[bytes] = []  # of the body of that one
        self._taken: RequestResponseCycle | _Whole | None = None  # has gone to `_take`, whose answer is still to come
        self._head_lines = _NO_LINES
        self._crowd = crowd
        self._limits = crowd.limits
        self._record = record
        self._admitted = False
        self._deaf = False  # nothing more is read; what was received whole is still answered
        self._in_head = True
        self._is_new = True  # HTTP/1.1: the connection may be used again
        self._once: dict[bytes, bytes] = {}
        self._refusal: tuple[HTTPStatus, str] | None = None
        self._unanswered = 0
        self._since = 0.0  # when the last thing happened for which there is a deadline
        self._segment = 0  # bytes that are being parsed
        self._mixed = False  # does the segment belong to more than one head or body?
        self._wire = 0  # bytes of earlier segments that belong to this head, or body, alone
        self._payload = 0  # bytes of this body, without what frames its chunks

    @property
    def _host(self) -> str:
        return self.client[0] if self.client else ""

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]  # uvicorn narrows what asyncio promises
        self._since = self.loop.time()
        if (reason := self._crowd.admit(self._host)) is None:
            self._admitted = True
        else:
            self._deaf = True
            self._record(Refused(None, reason, self._host))
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._admitted:
            self._crowd.leave(self._host)
        if isinstance(self.cycle, _Whole):
            self.cycle.disconnected = True
            self.cycle = None
        for cycle, _ in self.pipeline:
            cycle.disconnected = True
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._segment = len(data)
        self._mixed = False
        try:
            self.parser.feed_data(data)
            if self._ahead:
                self._make_cycle()
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._refuse(*(self._refusal or _blamed(error)))
            return
        if self._mixed:
            return
        self._wire += len(data)
        if self._in_head:
            if self._wire > self._limits.head_bytes:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the head is too large")
        elif self._wire > 2 * self._payload + self._limits.head_bytes:
            # Nobody counts what stands between the chunks: neither the parser, nor who limits the body.
            self._refuse(HTTPStatus.BAD_REQUEST, "there is more round the chunks than in them")

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks for it, uvicorn has no use for it
        """Hear that the client has said all: one that sent a whole request still gets its answer, but for TLS."""
        return self._hang_up() and self.scheme == "http"

    def shutdown(self) -> None:
        super().shutdown()
        if self.transport.is_closing() and self.scheme == "https":
            # Nothing is under way; closing TLS politely would wait for the client, who may not look for half a minute.
            self.transport.abort()

    # What the parser calls

    def on_message_begin(self) -> None:
        if self._take:
            self.url, self.headers, self.expect_100_continue = b"", [], False  # the rest is made when it is needed
        else:
            super().on_message_begin()
        self._once = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer: what comes behind the body would not be looked at, but must not look like a header
        name = name.lower()
        if name in _ONCE:
            if name in self._once:
                self._stop(HTTPStatus.BAD_REQUEST, f"the header {name.decode()} stands twice")
            self._once[name] = value.strip().lower()
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._check_size()
        self._check_head()
        if not self._take:
            super().on_headers_complete()
        self._since = self.loop.time()
        self._unanswered += 1
        self._in_head = False
        self._mixed = True
        self._wire = self._payload = 0
        if self._take:
            self._ahead, self._chunks = True, []
            if self.cycle and not self.cycle.response_complete:  # it must wait for the one before it
                self._make_cycle()
        if len(self.pipeline) > self._limits.pipelined:
            self._stop(HTTPStatus.BAD_REQUEST, "too many requests wait behind one another")

    def on_body(self, body: bytes) -> None:
        self._payload += len(body)
        if self._ahead:
            self._chunks.append(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head = True
        self._mixed = True
        self._wire = 0
        if self._ahead:
            is_plain = self.parser.get_method() == b"POST" and not self.expect_100_continue
            if self._take and is_plain and not self.flow.write_paused:
                self._begin_whole(self._take)
                return
            self._make_cycle()
        super().on_message_complete()

    # What the server and its requests call

    def on_response_complete(self) -> None:
        """Go on with the next request; what uvicorn does here, without its timer."""
        self.server_state.total_requests += 1
        self._unanswered -= 1
        self._since = self.loop.time()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self.loop.call_soon(self._begin, self.pipeline.pop()[0])  # or 64 refusals would stack up
        elif self._deaf:
            self.transport.close()

    def sweep(self, now: float) -> None:
        """Part with whoever has been slower than the limits allow, at `now` by the loop's clock."""
        age, limits = now - self._since, self._limits
        if self.transport.is_closing():
            if age >= limits.head_s:
                self._cut()
        elif self._is_open(self.cycle):
            if age >= limits.body_s:
                self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the body did not come in time")
        elif self._unanswered:
            if age >= limits.answer_s:
                self._record(Refused(None, "the answers were not read in time", self._host))
                self._cut()
        elif age >= limits.head_s:
            if self._wire:
                self._record(Refused(None, "the head did not come in time", self._host))
            self.transport.abort()

    # Answering

    def give_up(self) -> None:
        """Say that we are stopping to whoever still waits for the store."""
        if self._taken:
            self._reply(self._taken, STOPPING)

    def _make_cycle(self) -> None:
        """Have uvicorn make its scope and its cycle, for a request that did not come whole or is none for `_take`."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        super().on_headers_complete()
        for chunk in self._chunks:
            super().on_body(chunk)
        self._ahead = False

    def _begin_whole(self, take: Take) -> None:
        """Have a request answered at a third of what uvicorn's way of doing it costs."""
        self._ahead = False
        path = self.url.partition(b"?")[0]
        scope = {"raw_path": path, "method": "POST", "headers": self.headers, "client": self.client}
        cycle = _Whole(scope, keep_alive=self._is_new and self.parser.should_keep_alive())
        self.cycle = cycle  # type: ignore[assignment]  # as much of one as uvicorn looks at here
        self._hand_over(take, cycle, b"".join(self._chunks))

    def _begin(self, cycle: "RequestResponseCycle") -> None:
        """Begin a request that had to wait for others."""
        if self.transport.is_closing():
            return
        is_plain = not cycle.more_body and not cycle.waiting_for_100_continue and cycle.scope["method"] == "POST"
        if self._take and is_plain and not self.flow.write_paused:
            self._hand_over(self._take, cycle, bytes(cycle.body))
        else:
            self._start_asgi_task(cycle, self.app)

    def _hand_over(self, take: Take, cycle: "RequestResponseCycle | _Whole", body: bytes) -> None:
        self._taken = cycle
        answer = take(cycle.scope, body, partial(self._reply, cycle))
        if answer:  # soon: whoever pipelines refusals gets no turn before others
            self.loop.call_soon(self._reply, cycle, answer)

    def _reply(self, cycle: "RequestResponseCycle | _Whole", answer: Answer) -> None:
        """Write the whole answer at once, as `cycle.send` does in two steps."""
        if cycle is self._taken:
            self._taken = None
        if cycle.disconnected or self.transport.is_closing():
            return
        ends = answer.ends or not cycle.keep_alive
        close = b"connection: close\r\n" if ends and not answer.ends else b""
        self.transport.write(b"".join((STATUS_LINE[answer.status], self._default_lines(), close, answer.wire)))
        cycle.response_started = cycle.response_complete = True
        if ends:
            self.transport.close()
        self.on_response_complete()

    def _default_lines(self) -> bytes:
        """Return the lines that every answer has; uvicorn makes another list when the date is another."""
        headers, lines = self._head_lines
        if headers is not self.server_state.default_headers:
            headers = self.server_state.default_headers
            lines = b"".join(b"%b: %b\r\n" % header for header in headers)
            self._head_lines = headers, lines
        return lines

    # What these have in common

    def _check_head(self) -> None:
        """Stop at what the parser lets through though it could be read in two ways, or is nothing for us."""
        once, version = self._once, self.parser.get_http_version()
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                self._stop(HTTPStatus.METHOD_NOT_ALLOWED, "we are no proxy")
            # The parser takes what follows for another protocol, and then for another request.
            self._stop(HTTPStatus.BAD_REQUEST, "another protocol is asked for")
        if version not in _VERSIONS:
            self._stop(HTTPStatus.BAD_REQUEST, f"HTTP {version} is not spoken here")
        if b"host" not in once and version == "1.1":
            self._stop(HTTPStatus.BAD_REQUEST, "there is no header host")
        if b"transfer-encoding" in once and (once[b"transfer-encoding"] != b"chunked" or version == "1.0"):
            self._stop(HTTPStatus.BAD_REQUEST, "the transfer encoding is not plainly chunked")
        if b"expect" in once:
            if once[b"expect"] != _CONTINUE:
                self._stop(HTTPStatus.EXPECTATION_FAILED, "something unknown is expected")
            self.expect_100_continue = version == "1.1"
        self._is_new = version == "1.1"
        if not self.url.startswith(b"/") or b"#" in self.url:
            self._stop(HTTPStatus.NOT_FOUND, "the target is no path")

    def _check_size(self) -> None:
        """Stop at more of a head than we take."""
        if len(self.headers) > self._limits.headers:
            self._stop(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "there are too many headers")
        if self._wire + self._segment > self._limits.head_bytes < self._head_size():
            self._stop(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the head is too large")

    def _cut(self) -> None:
        """Abort, and have the system forget what it still has to send to somebody who doesn't read."""
        sock = self.transport.get_extra_info("socket")
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.transport.abort()

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + _PER_HEADER for name, value in self.headers)

    def _stop(self, status: HTTPStatus, reason: str) -> None:
        self._refusal = status, reason
        raise _RefusedError

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        """End the connection with `status`; what came whole before is answered first, and then there is no other."""
        self._record(Refused(status, reason, self._host))
        if self._hang_up() or self.transport.is_closing():
            return
        self._since = self.loop.time()
        self.transport.write(STATUS_LINE[status] + self._default_lines() + REFUSALS[status].wire)
        self.transport.close()

    def _hang_up(self) -> bool:
        """Read nothing more and forget what did not come whole; True: answers are due, and end the connection."""
        if not self._deaf:
            self._deaf = True
            if self._ahead:
                self._ahead = False
                self._unanswered -= 1
            elif self._is_open(self.cycle) and not self.cycle.response_started:
                self._forget(self.cycle)
        return self._unanswered > 0

    def _forget(self, cycle: "RequestResponseCycle") -> None:
        cycle.disconnected = True
        cycle.message_event.set()
        self._unanswered -= 1
        if self.pipeline and self.pipeline[0][0] is cycle:
            self.pipeline.popleft()

    def _is_open(self, cycle: "RequestResponseCycle | _Whole | None") -> bool:
        """Is more of its body to come?"""
        return cycle is not None and cycle.more_body and not cycle.response_complete and not cycle.disconnected


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _blamed(error: Exception) -> tuple[HTTPStatus, str]:
    """Say whose fault it is that no request came of the bytes: a 400 for want of memory would lose a delivery."""
    if isinstance(error.__context__, MemoryError):
        return HTTPStatus.SERVICE_UNAVAILABLE, "there is no memory left"
    return HTTPStatus.BAD_REQUEST, f"not HTTP as we read it: {_first_line(error)}"
