"""What a preset's `api` table may say: how the supplier is asked about an order.

    [api]
    base_url = "https://api.acme.example/v1"   # left out where each customer has an own one: the settings give it
    order = "/orders/{order_id}"               # {order_id}, {reference}: percent-encoded; a list: the first of which
                                               # everything is known. GET, below base_url
    auth = { kind = "header", header = "X-Api-Key" }
    headers = { Accept = "application/json" }  # fixed ones
    rate = "5/s"                               # at most; left out where nothing is known

    [api.map]                                  # the answer, read like a webhook's body by the keys of [map]; the
    status = "/status"                         # `reference` may be missing, and `statuses`, and these alone, come from
                                               # [map] where it has none
    [api.then]                                 # a second call, once the first said fulfilled, where codes come apart
    path = "/orders/{order_id}/keys?page={page}&limit=100"
    first_page = 1                             # only with {page}: asked on until a page has fewer items
    page_size = 100
    headers = {}                               # laid over those above
    map = { items = "/*", code = "/serial", media_type = "/type" }

    [api.list]                                 # many orders in one call
    path = "/orders?from={since}&page={page}&limit=100"   # {since}, {until}: RFC 3339, percent-encoded
    ids = "/orders?ids={order_ids}"            # joined by commas; at most page_size of them
    page_size = 100
    map = { each = "/results/*", reference = "/external_id", order_id = "/id", status = "/status" }

`auth` says how the call is authorised; a preset has no secrets, so the settings add the references that its kind needs,
as in `[suppliers.acme.api] auth = { token = "env:ACME_TOKEN" }`: `KINDS` below. Without them nobody asks.
Every key can be overridden in `[suppliers.NAME.api]`; tables are laid over one another key by key.
"""

from collections.abc import Mapping
from typing import Final

API: Final = frozenset({"base_url", "order", "auth", "headers", "rate", "map", "then", "list"})
THEN: Final = frozenset({"path", "first_page", "page_size", "headers", "map"})
LIST: Final = frozenset({"path", "ids", "first_page", "page_size", "headers", "map"})

KINDS: Final[Mapping[str, tuple[frozenset[str], frozenset[str]]]] = {
    "none": (frozenset(), frozenset()),
    "bearer": (frozenset(), frozenset({"token"})),
    "header": (frozenset({"header"}), frozenset({"token"})),
    "query": (frozenset({"parameter"}), frozenset({"token"})),
    "basic": (frozenset(), frozenset({"username", "password"})),
    "oauth2": (frozenset({"token_url", "audience", "scope"}), frozenset({"client_id", "client_secret"})),
}
"""Of each kind of `auth`: what the preset says, and the references to secrets that the settings add."""
