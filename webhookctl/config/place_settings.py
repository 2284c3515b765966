"""Where events are kept, where suppliers come in, and where what is not theirs is put."""

from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, PrivateAttr, StrictStr, ValidationInfo, field_validator, model_validator

from webhookctl.config import units
from webhookctl.config.tables import (
    Duration,
    FilePath,
    PositiveDuration,
    Reference,
    Refusals,
    Table,
    by,
)
from webhookctl.core.addresses import Network
from webhookctl.core.errors import SettingsError
from webhookctl.core.quarantine import Bounds
from webhookctl.core.retries import SECOND
from webhookctl.core.signatures import Secret
from webhookctl.secrets import SecretRef

IN_CLEAR: Final = "I accept that codes lie in clear"
_HOW: Final = (
    'say what encrypts the store, such as keys = ["file:webhookctl.key"]; `webhookctl init` makes one. '
    f"To go without, unencrypted = '{IN_CLEAR}'"
)


class StoreSettings(Table):
    """Where events are kept, and the keys that they are encrypted with."""

    url: StrictStr
    unencrypted: Annotated[bool, by(units.sentence(IN_CLEAR))] = False
    """Without keys: everything lies in clear. Beside keys: what was written without them can still be read."""
    keys: Annotated[tuple[Reference, ...], Field(validate_default=True)] = ()
    """The first encrypts, all decrypt; each 32 bytes as hex or base64."""
    backup_every: PositiveDuration | None = None
    """How often `serve` and `work` make a backup by themselves; None: cron does it, or nobody."""
    backup_to: FilePath | None = None
    """The folder that backups go into."""
    keep: Annotated[int, by(units.count)] = 7
    """Backups that stay in that folder, newest first."""
    retention: Annotated[int, by(units.retention)] | None = None
    """How old events and ended orders become before `serve` and `work` prune them; None: they stay."""
    _path: Path = PrivateAttr(default=Path())

    @property
    def path(self) -> Path:
        """The database's file; a relative one lies in the settings' folder."""
        return self._path

    @field_validator("keys", mode="after")
    @classmethod
    def _encrypted(cls, value: tuple[SecretRef, ...], info: ValidationInfo) -> tuple[SecretRef, ...]:
        if not value and info.data.get("unencrypted") is False:
            raise Refusals(("", f"is missing or empty: {_HOW}"))
        return value

    @model_validator(mode="after")
    def _both_for_backups(self) -> Self:
        for here, there in (("backup_every", "backup_to"), ("backup_to", "backup_every")):
            if getattr(self, here) and not getattr(self, there):
                raise Refusals((there, f"is missing: {here} is of no use without it"))
        return self

    @model_validator(mode="after")
    def _locate(self, info: ValidationInfo) -> Self:
        if self.url.startswith(("postgresql:", "postgres:")):
            raise Refusals(("url", "names a PostgreSQL store, which this version does not have: use sqlite:PATH"))
        name = self.url.removeprefix("sqlite:")
        if name == self.url or not name or "\0" in name or name.startswith(":memory:"):
            raise Refusals(("url", "must be sqlite:PATH with the path of a file, such as sqlite:webhookctl.db"))
        if name.startswith("//") and not name.startswith("///"):
            raise Refusals(("url", "must be sqlite:PATH, without the two slashes"))
        self._path = Path(info.context or "") / name
        return self


_SHORTEST_TOKEN: Final = 16


def admin_token(secret: Secret) -> bytes:
    """Return the token that whoever registers orders must say; raises `SettingsError` for one that can be guessed."""
    token = secret.value.strip()
    if len(token) < _SHORTEST_TOKEN or not token.isascii() or b" " in token:
        raise SettingsError(
            f"{secret.reference}: the admin token must be at least {_SHORTEST_TOKEN} ASCII characters without blanks; "
            "`openssl rand -hex 32` makes one."
        )
    return token


class ServeSettings(Table):
    """Where suppliers come in."""

    listen: Annotated[units.Address, by(units.address)] = units.Address("127.0.0.1", 8700)
    admin: Annotated[units.Address, by(units.address)] | None = None
    """Where health, metrics and the registration of orders are, for this machine alone; None: nowhere."""
    admin_token: Reference | None = None
    """Whoever registers orders says it; without it there are only health and metrics."""
    max_body: Annotated[int, by(units.body_size)] = 1024 * 1024
    tls_cert: FilePath | None = None
    tls_key: FilePath | None = None
    grace: Duration = 10 * SECOND
    """How long open requests and actions may take to end when the process is told to stop."""
    poll_every: PositiveDuration | None = None
    """How often to ask suppliers about stale orders; None: cron does it."""
    max_connections: Annotated[int, by(units.count)] = 1000
    """Of all clients together; fewer where the system allows fewer open files."""
    max_per_address: Annotated[int, by(units.count)] = 100
    trusted_proxies: Annotated[tuple[Network, ...], by(units.networks)] = units.networks(["127.0.0.0/8", "::1"])
    """Many clients come from one of their addresses: `max_per_address` is not for them."""

    @property
    def tls(self) -> tuple[Path, Path] | None:
        """Certificate and key, or None behind a TLS proxy."""
        return (self.tls_cert, self.tls_key) if self.tls_cert and self.tls_key else None

    @model_validator(mode="after")
    def _admin_is_ours(self) -> Self:
        if self.admin is not None and not self.admin.is_loopback:
            raise Refusals(("admin", "must be an address of this machine alone, such as 127.0.0.1:8701"))
        if self.admin is None and self.admin_token is not None:
            raise Refusals(("admin", 'is missing: admin_token is of no use without it; such as "127.0.0.1:8701"'))
        return self

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        for here, there in (("tls_cert", "tls_key"), ("tls_key", "tls_cert")):
            if getattr(self, here) and not getattr(self, there):
                raise Refusals((there, f"is missing: {here} is of no use without it"))
        return self


class QuarantineSettings(Table):
    """How much of what was rejected is kept, in case the fault was ours."""

    rows: Annotated[int, by(units.count)] = 10_000
    bytes: Annotated[int, by(units.kept_size)] = 64 * 1024**2
    per_sender: Annotated[int, by(units.count)] | None = None
    """Rows of one supplier from one address, which may have that share of the bytes too; else half of all."""
    keep: PositiveDuration = 7 * 24 * 3600 * SECOND

    @property
    def bounds(self) -> Bounds:
        """The same for the store."""
        return Bounds(self.rows, self.bytes, self.per_sender or -(-self.rows // 2), self.keep)
