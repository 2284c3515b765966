"""Where events may be sent again."""

from typing import Annotated, Final
from urllib.parse import urlsplit

from webhookctl.config import units
from webhookctl.config.tables import Table, by
from webhookctl.core.errors import SettingsError
from webhookctl.core.targets import Origin

_FORM: Final = 'must be a list of origins, such as ["https://staging.shop.example", "http://10.0.0.7:8700"]'


def _origins(written: object) -> tuple[Origin, ...]:
    if not isinstance(written, list):
        raise SettingsError(_FORM)
    return tuple(map(_origin, written))


def _origin(written: object) -> Origin:
    try:
        url = units.web_address(written)
        if urlsplit(url).path not in {"", "/"} or "?" in url:
            raise SettingsError(f"{_FORM}: without a path, for it stands for all that is there")
        return Origin.of(url)
    except ValueError:
        raise SettingsError(_FORM) from None


class ReplaySettings(Table):
    """What `replay --to` may send to, beside this machine itself."""

    targets: Annotated[tuple[Origin, ...], by(_origins)] = ()
