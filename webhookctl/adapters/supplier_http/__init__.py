"""A supplier's API over HTTP: one question per order, or a hundred at once where it has a list."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from webhookctl.adapters.supplier_http.authorisation import Authorisation, Client, Fixed, OAuth2
from webhookctl.adapters.supplier_http.caller import Caller, StoppedError, UnansweredError
from webhookctl.adapters.supplier_http.pace import TimeUpError
from webhookctl.adapters.supplier_http.paths import fill, of_order
from webhookctl.core.answers import lacks_codes
from webhookctl.core.errors import SettingsError, UpstreamError
from webhookctl.core.events import Event, EventState, EventType, Item, Unmapped
from webhookctl.core.mapping import read_answer, read_items
from webhookctl.core.moments import to_the_second
from webhookctl.core.orders import Order
from webhookctl.core.ports.supplier import Condition, ListCall, NotAsked, NotKnown, Reply, Said, SecondCall, Unanswered

__all__ = ["Authorisation", "Caller", "Client", "Fixed", "HttpSupplier", "OAuth2"]

_FIRST_BATCH: Final = 32
_MOST_IN_BATCH: Final = 256
"""A run that is killed holds two batches until their lease ends."""
_MOST_LISTED: Final = 16
"""Lists per batch: with a hundred orders in each."""
_SECONDS: Final = 4.0
"""How long a batch may last: so that the store is written seldom, and yet what is learned is soon there."""
_MOST_PAGES: Final = 1_000
_WORTH_A_LIST: Final = 20
"""Orders from which on the supplier's list of recent ones is read, where it has one."""
_SAVED_BY_A_PAGE: Final = 10
"""Orders for each of which a page may be read: a list that is longer is left."""
_SLACK_MS: Final = 3_600_000
"""Clocks differ: the list is read from so long before we first heard of the oldest order."""
_NO_ID: Final = "nothing is known of it that the supplier could be asked by"
_SAME_PAGE: Final = "the supplier answers the same page again and again"

_Units: TypeAlias = Iterator[list[int]]
"""Places in the list of orders that one call asks about."""


@dataclass(slots=True)
class HttpSupplier:
    """Asks one supplier; use it in one event loop, and anew for each run."""

    name: str
    caller: Caller
    _first: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    """Held until something was answered: a supplier that is down gets one question, not five thousand."""
    _has_list: bool = field(default=True, init=False)

    @property
    def condition(self) -> Condition:
        return self.caller.condition

    @property
    def batch(self) -> int:
        api, took_s = self.caller.api, self.caller.took_s
        lists = self._has_list and api.list is not None and api.list.ids is not None
        most, per_call = (_MOST_LISTED, api.list.page_size) if lists and api.list else (_MOST_IN_BATCH, 1)
        first = 1 if lists else _FIRST_BATCH  # whether there is such a list is not known yet
        calls = first if took_s is None else round(_SECONDS * api.concurrency / max(took_s, 0.001))
        calls = min(max(calls, api.concurrency), most)
        if api.per_second is not None:
            calls = min(calls, max(1, round(api.per_second * _SECONDS)))
        return calls * per_call

    def enough(self) -> None:
        self.caller.over = True

    async def ask(self, orders: Sequence[Order], *, until: float) -> Sequence[Reply]:
        replies: list[Reply] = [NotAsked() for _ in orders]
        async with self._first:
            units = self._units(orders, await self._found_in_list(orders, replies, until))
            while not self._is_known() and (unit := next(units, None)) is not None:
                await self._take(unit, orders, replies, until)
        workers = [self._work(units, orders, replies, until) for _ in range(self.caller.api.concurrency)]
        await asyncio.gather(*workers)
        return replies

    def _is_known(self) -> bool:
        return self.condition.answered or self._is_over()

    def _is_over(self) -> bool:
        return self.caller.over or self.condition.stopped is not None

    async def _found_in_list(self, orders: Sequence[Order], replies: list[Reply], until: float) -> set[int]:
        """Look for many orders in the supplier's list of that time; return the places of those that it answers.

        The others are asked about one by one: so a list that can't be read, or is too long, costs some calls.
        """
        listing, found = self.caller.api.list, set[int]()
        if listing is None or listing.path is None or listing.ids is not None or len(orders) < _WORTH_A_LIST:
            return found
        places = {order.order_id: place for place, order in enumerate(orders) if order.order_id}
        since = min(order.created_at for order in orders) - _SLACK_MS
        try:
            async for page in self._listed(since, self.caller.now(), until, len(orders) // _SAVED_BY_A_PAGE):
                for one in page:
                    place = places.get(one.order_id or "")
                    if place is not None and (reply := _from_list(one)) is not None:
                        replies[place] = reply
                        found.add(place)
                self.caller.well()
        except UpstreamError:
            return found
        return found

    def _units(self, orders: Sequence[Order], answered: set[int]) -> _Units:
        """Yield what goes into one call each."""
        listing = self.caller.api.list
        listed = []
        if listing is not None and listing.ids is not None:
            listed = [place for place, order in enumerate(orders) if order.order_id and "," not in order.order_id]
            yield from (listed[at : at + listing.page_size] for at in range(0, len(listed), listing.page_size))
        alone = set(range(len(orders))) - set(listed) - answered
        yield from ([place] for place in sorted(alone))

    async def _work(self, units: _Units, orders: Sequence[Order], replies: list[Reply], until: float) -> None:
        for unit in units:
            if self._is_over():
                return
            await self._take(unit, orders, replies, until)

    async def _take(self, unit: list[int], orders: Sequence[Order], replies: list[Reply], until: float) -> None:
        listing, asked = self.caller.api.list, [orders[place] for place in unit]
        try:
            if listing is None or listing.ids is None or len(unit) == 1:
                found = [await self._ask_one(asked[0], until)]
            elif self._has_list:
                found = await self._ask_many(listing, asked, until)
            else:
                found = await self._ask_each(asked, until)
        except (TimeUpError, StoppedError):
            return
        except UpstreamError as error:
            found = [Unanswered(str(error)) for _ in unit]
        for place, reply in zip(unit, found, strict=True):
            replies[place] = reply

    async def _ask_one(self, order: Order, until: float) -> Reply:
        api = self.caller.api
        path = of_order(api.order, order)
        if path is None:
            return NotAsked(_NO_ID)
        body = await self.caller.get(path[0], api.headers, until)
        if body is None:
            self.caller.well()
            return NotKnown()
        what = read_answer(self.name, body, api.places)
        mine = self._usable(_mine(what, order))
        if api.then is not None and isinstance(mine, Event) and mine.type is EventType.FULFILLED:
            mine = replace(mine, items=await self._codes(api.then, order, mine, until))
        return Said(mine, by_reference=path[1])

    async def _ask_many(self, listing: ListCall, orders: Sequence[Order], until: float) -> list[Reply]:
        """Ask about all in one call; what it calls fulfilled without giving the codes is asked about alone.

        So is each where there is no such list: not every API that is mapped by a general preset has one.
        """
        ids = ",".join(order.order_id or "" for order in orders)
        path = fill(listing.ids or "", {"order_ids": ids})
        body = await self.caller.get(path, {**self.caller.api.headers, **listing.headers}, until)
        if body is None:
            self._has_list = False
            return await self._ask_each(orders, until)
        said = read_answer(self.name, body, listing.places)
        unreadable = [one for one in said if isinstance(one, Unmapped) and one.state is EventState.DEAD]
        if unreadable and len(unreadable) == len(said):
            raise self.caller.useless(f"{self.name}: {unreadable[0].reason}.")
        self.caller.well()
        by_id = {one.order_id: one for one in said if one.order_id}
        replies = [_from_list(by_id.get(order.order_id or "")) for order in orders]
        return [
            await self._ask_alone(order, until) if reply is None else reply
            for order, reply in zip(orders, replies, strict=True)
        ]

    async def _ask_each(self, orders: Sequence[Order], until: float) -> list[Reply]:
        """Ask about each alone, as many at once as the supplier may be asked."""
        return await asyncio.gather(*(self._ask_alone(order, until) for order in orders))

    async def _ask_alone(self, order: Order, until: float) -> Reply:
        try:
            return await self._ask_one(order, until)
        except (TimeUpError, StoppedError):
            return NotAsked()
        except UpstreamError as error:
            return Unanswered(str(error))

    def _usable(self, what: Event | Unmapped) -> Event | Unmapped:
        """Raise `UnansweredError` where nothing can be read: that is the supplier's doing, or a wrong `api.map`."""
        if isinstance(what, Unmapped) and what.state is EventState.DEAD:
            raise self.caller.useless(f"{self.name} answered what can't be read: {what.reason}.")
        self.caller.well()
        return what

    async def _codes(self, then: SecondCall, order: Order, said: Event, until: float) -> tuple[Item, ...]:
        known = replace(order, order_id=order.order_id or said.order_id)
        items: list[Item] = []
        async for body in self._pages(then.path, then, known, until):
            page = read_items(self.name, body, then.places)
            if isinstance(page, Unmapped):
                raise self.caller.useless(f"{self.name} answered codes that can't be read: {page.reason}.")
            items += page
            if len(page) < then.page_size:
                break
        return tuple(items)

    async def _pages(self, path: str, call: SecondCall, order: Order, until: float) -> AsyncIterator[bytes]:
        """Yield page after page; none where there is no such thing (yet)."""
        filled = of_order((path,), order)
        if filled is None:
            raise UnansweredError(f"{self.name}: `api.then.path` names what is not known of order {order.reference}.")
        before: bytes | None = None
        headers = {**self.caller.api.headers, **call.headers}
        for number in range(call.first_page, call.first_page + _MOST_PAGES):
            body = await self.caller.get(fill(filled[0], {"page": str(number)}), headers, until)
            if body is None:
                return
            if body == before:
                raise self.caller.useless(f"{self.name}: {_SAME_PAGE}.")
            yield body
            if not call.is_paged:
                return
            before = body

    async def recent(self, *, since: int, until: int, deadline: float) -> AsyncIterator[Event | Unmapped]:
        listing = self.caller.api.list
        if listing is None or listing.path is None:
            raise SettingsError(f"suppliers.{self.name}.api.list.path is missing: it has no list of recent orders.")
        async for page in self._listed(since, until, deadline, _MOST_PAGES):
            for one in page:
                yield one

    async def _listed(
        self, since: int, until: int, deadline: float, most_pages: int
    ) -> AsyncIterator[Sequence[Event | Unmapped]]:
        """Yield the list of a time, page by page; raises `UpstreamError` where it can't be read to its end."""
        listing = self.caller.api.list
        if listing is None or listing.path is None:
            return
        times = {"since": to_the_second(since), "until": to_the_second(until)}
        headers = {**self.caller.api.headers, **listing.headers}
        before: bytes | None = None
        for number in range(listing.first_page, listing.first_page + most_pages):
            body = await self._page(fill(listing.path, {**times, "page": str(number)}), headers, deadline)
            if body == before:
                raise UpstreamError(f"{self.name}: {_SAME_PAGE}.")
            said = read_answer(self.name, body, listing.places)
            yield said
            orders = sum(1 for one in said if isinstance(one, Event) or one.state is EventState.DONE)
            if orders < listing.page_size or "{page}" not in listing.path:
                return
            before = body
        raise UpstreamError(f"{self.name}: its list of orders has more than {most_pages} pages.")

    async def _page(self, path: str, headers: dict[str, str], deadline: float) -> bytes:
        try:
            body = await self.caller.get(path, headers, deadline)
        except TimeUpError:
            raise UpstreamError(f"{self.name}: the time was up before its list of orders was read.") from None
        except StoppedError:
            raise UpstreamError(self.condition.stopped or f"{self.name} is not asked any more.") from None
        if body is None:
            raise UpstreamError(f"{self.name} has no list of orders where `api.list.path` says it is.")
        return body


def _from_list(what: Event | Unmapped | None) -> Reply | None:
    """Return what a list says of an order; None where it must be asked about alone, as its codes stand elsewhere."""
    if what is None:
        return NotKnown()
    fulfilled = isinstance(what, Event) and what.type is EventType.FULFILLED and lacks_codes(what.items, 0)
    return None if fulfilled else Said(what)


def _mine(said: Sequence[Event | Unmapped], order: Order) -> Event | Unmapped:
    """Return what is said of `order` where an answer speaks of several; whether it is ours is checked later."""
    ours = [one for one in said if one.order_id == order.order_id or one.reference == order.reference]
    return (ours or said)[0]
