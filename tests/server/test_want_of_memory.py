"""Where memory is short nothing is called the client's fault: the supplier must try again."""

from collections.abc import Sequence

import pytest

from webhookctl.core.deliveries import Verified
from webhookctl.core.outcomes import Duplicate, Stored
from webhookctl.server.protocol import Protocol
from webhookctl.server.receiver import Receiver

from .serving import ask, request, served


def _stored(batch: Sequence[Verified]) -> list[Stored | Duplicate]:
    return [Stored(one.delivery.supplier) for one in batch]


def _short(*_: object, **__: object) -> None:
    raise MemoryError


@pytest.mark.parametrize(("of", "name"), [(Protocol, "on_body"), (Receiver, "_entered"), (Receiver, "_submitted")])
def test_want_of_memory_is_503(monkeypatch: pytest.MonkeyPatch, of: type, name: str) -> None:
    """While the body is read, the supplier looked up or the delivery proven; afterwards all goes on."""
    with served(_stored) as server:
        with monkeypatch.context() as patch:
            patch.setattr(of, name, _short)
            assert ask(server.port, request(b"{}")).status == 503
        assert ask(server.port, request(b"{}")).status == 200
