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

from collections.abc import Collection, Mapping
from string import Formatter
from typing import Any, Final
from urllib.parse import urlsplit

from webhookctl.core import spelling
from webhookctl.core.errors import SettingsError
from webhookctl.core.mapping import Mapping as BodyMapping

API: Final = ("base_url", "order", "auth", "headers", "rate", "map", "then", "list")
THEN: Final = ("path", "first_page", "page_size", "headers", "map")
LIST: Final = ("path", "ids", "first_page", "page_size", "headers", "map")

KINDS: Final[Mapping[str, tuple[frozenset[str], frozenset[str]]]] = {
    "none": (frozenset(), frozenset()),
    "bearer": (frozenset(), frozenset({"token"})),
    "header": (frozenset({"header"}), frozenset({"token"})),
    "query": (frozenset({"parameter"}), frozenset({"token"})),
    "basic": (frozenset(), frozenset({"username", "password"})),
    "oauth2": (frozenset({"token_url", "audience", "scope"}), frozenset({"client_id", "client_secret"})),
}
"""Of each kind of `auth`: what the preset says, and the references to secrets that the settings add."""

_OF_ONE: Final = ("order_id", "reference")
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "order": _OF_ONE,
    "then.path": (*_OF_ONE, "page"),
    "list.path": ("since", "until", "page"),
    "list.ids": ("order_ids", "references", "page"),
}
"""What may stand in the braces of each path."""


def check(table: Mapping[str, Any]) -> None:
    """Check a preset's `api` table; raises `SettingsError` naming the key and the nearest right one."""
    _check_keys("api", table, API)
    _check_base(table.get("base_url", "https://left.out"))
    _check_auth(table.get("auth", {"kind": "none"}))
    for path in _alternatives(table.get("order")):
        _check_path("order", path)
    _check_part("then", table, THEN, ("path",))
    _check_part("list", table, LIST, ("path", "ids"))
    _check_map("api.map", table.get("map", {}))


def _check_keys(where: str, table: object, known: Collection[str]) -> None:
    if not isinstance(table, Mapping):
        raise SettingsError(f"{where} must be a table")
    for key in table:
        if key not in known:
            raise SettingsError(f"{where}.{key} is not known" + spelling.behind(key, known, f"{where}.{{}}"))


def _check_base(url: object) -> None:
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        raise SettingsError("api.base_url must be an https:// address, without a query")


def _check_auth(auth: object) -> None:
    kind = auth.get("kind") if isinstance(auth, Mapping) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise SettingsError(f"api.auth.kind must be one of {', '.join(KINDS)}")
    # A token may be asked for in JSON, where a form won't do.
    _check_keys("api.auth", auth, {"kind", *KINDS[kind][0], *(["json"] if kind == "oauth2" else [])})


def _alternatives(order: object) -> list[object]:
    if order is None or order == []:
        raise SettingsError("api.order is missing: say at which path an order is asked for")
    return order if isinstance(order, list) else [order]


def _check_path(key: str, path: object) -> None:
    if not isinstance(path, str) or not path.startswith("/"):
        raise SettingsError(f"api.{key} must be a path that begins with a slash")
    try:
        names = [name for _, name, _, _ in Formatter().parse(path) if name is not None]
    except ValueError:
        raise SettingsError(f"api.{key} is no template: a brace is without its other half") from None
    for name in names:
        if name not in _NAMES[key]:
            hint = spelling.nearest(name, _NAMES[key], "{{}}") or f"there are {', '.join(_NAMES[key])}"
            raise SettingsError(f"api.{key} names {{{name}}}, which is not known; {hint}")


def _check_part(name: str, table: Mapping[str, Any], known: Collection[str], paths: Collection[str]) -> None:
    part = table.get(name)
    if part is None:
        return
    _check_keys(f"api.{name}", part, known)
    if not set(paths) & set(part):
        raise SettingsError(f"api.{name}.{min(paths, key=len)} is missing")
    for key in paths:
        if key in part:
            _check_path(f"{name}.{key}", part[key])
    _check_map(f"api.{name}.map", part.get("map", {}))


def _check_map(where: str, table: object) -> None:
    if not isinstance(table, dict):
        raise SettingsError(f"{where} must be a table")
    try:
        BodyMapping.parse_answer(table)
    except SettingsError as error:
        raise SettingsError(str(error).replace("map.", f"{where}.").replace("map ", f"{where} ", 1)) from None
