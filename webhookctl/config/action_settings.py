"""What is done for each kind of action."""

from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, StrictBool, model_validator

from webhookctl.config import units
from webhookctl.config.tables import Duration, PositiveDuration, Reference, References, Refusals, Table, by
from webhookctl.core import notices
from webhookctl.core.orders import ActionKind
from webhookctl.core.ports.handler import Repeat
from webhookctl.core.retries import MINUTE, SECOND, RetryPolicy


class RetrySettings(Table):
    """When a failed action is tried again, and when given up."""

    first: PositiveDuration = RetryPolicy().first
    longest: PositiveDuration = RetryPolicy().longest
    give_up_after: PositiveDuration = RetryPolicy().give_up_after

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.first > self.longest:
            raise Refusals(("longest", "must not be shorter than `first`"))
        return self


class HandlerSettings(Table):
    """What is done for one kind of action: exactly one of `http`, `command`, `notify` and `log`."""

    http_repeat: ClassVar[Repeat] = Repeat.AT_LEAST_ONCE

    http: Annotated[str, by(units.web_address)] | None = None
    command: Annotated[tuple[str, ...], by(units.words)] | None = None
    notify: References | None = None
    """Addresses of apprise's services; each is a secret, as nearly all of them hold a token or a password."""
    title: Annotated[str, by(notices.template)] = notices.TITLE
    line: Annotated[str, by(notices.template)] = notices.LINE
    every: Duration = MINUTE
    """No message sooner after another; 0: each action is a message of its own."""
    log: StrictBool = False
    secret: Reference | None = None
    """Signs the requests to the shop by the Standard Webhooks rule."""
    timeout: PositiveDuration = 10 * SECOND
    written_repeat: Repeat | None = Field(default=None, alias="repeat")
    retry: RetrySettings = RetrySettings()

    @property
    def repeat(self) -> Repeat:
        """What was set, or the default: what spends money and what runs a program is not repeated by itself."""
        if self.written_repeat is not None:
            return self.written_repeat
        if self.command is not None:
            return Repeat.AT_MOST_ONCE
        return self.http_repeat if self.http is not None else Repeat.AT_LEAST_ONCE

    @property
    def retries(self) -> RetryPolicy:
        return RetryPolicy(self.retry.first, self.retry.longest, self.retry.give_up_after)

    @property
    def shown_url(self) -> str:
        """The URL fit to be shown: what follows a question mark is often a token."""
        address, question, _ = (self.http or "").partition("?")
        return f"{address}?…" if question else address

    @property
    def travels_in_clear(self) -> bool:
        """True where the document leaves this machine without TLS."""
        parts = urlsplit(self.http or "")
        return parts.scheme == "http" and not units.Address(parts.hostname or "", 0).is_loopback

    @model_validator(mode="after")
    def _one_handler(self) -> Self:
        handlers = [self.http is not None, self.command is not None, self.notify is not None, self.log]
        if handlers.count(True) != 1:
            words = "must have exactly one of http = URL, command = [words], notify = [references] and log = true"
            raise Refusals(("", words))
        if self.http is not None and self.secret is None:
            raise Refusals(("secret", "is missing: without it the shop can't tell our requests from anybody's"))
        if self.http is None and self.secret is not None:
            raise Refusals(("secret", "belongs to http only: nothing is signed here, remove it"))
        if self.log and "timeout" in self.model_fields_set:
            raise Refusals(("timeout", "has no meaning beside log = true: remove it"))
        for key in ("title", "line", "every"):
            if self.notify is None and key in self.model_fields_set:
                raise Refusals((key, "has a meaning beside notify only: remove it"))
        return self


class DeliverHandlerSettings(HandlerSettings):
    """A handler that gets codes."""

    @model_validator(mode="after")
    def _takes_codes(self) -> Self:
        if self.notify is not None:
            raise Refusals(("notify", "is refused: a notice never holds a code, so nothing would be delivered"))
        return self


class SpendingHandlerSettings(HandlerSettings):
    """A handler that moves money: a request that may have arrived is not made again by itself."""

    http_repeat: ClassVar[Repeat] = Repeat.AT_MOST_ONCE


class ActionsSettings(Table):
    """What is done for each kind of action; a kind without a handler waits."""

    deliver: DeliverHandlerSettings | None = None
    refund: SpendingHandlerSettings | None = None
    notify: HandlerSettings | None = None
    top_up: SpendingHandlerSettings | None = None
    alert: HandlerSettings = HandlerSettings(log=True)

    def by_kind(self) -> dict[ActionKind, HandlerSettings]:
        """Return the handlers that are set, and the alert's default."""
        handlers = {kind: getattr(self, kind.value) for kind in ActionKind}
        return {kind: handler for kind, handler in handlers.items() if handler is not None}
