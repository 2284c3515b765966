"""Whatever is sent to wear us out or to trip us up has its sentence."""

import pytest

from tests.core.supplier import BODY, LISTED, NOW, OLD_SECRET, SECRET, delivery, mac, refusal, scheme_of, secrets_for
from webhookctl import suppliers
from webhookctl.core.errors import Reason, SignatureError
from webhookctl.core.signatures import Kind, Scheme, verify
from webhookctl.suppliers.schema import with_params

MIB = 1024 * 1024
LONGEST_SENTENCE = 1000
VALUES = {
    "empty": "",
    "blank": " \t\r\n",
    "a megabyte": "a" * MIB,
    "a megabyte of blanks": " " * MIB,
    "a megabyte of separators": ",;= " * (MIB // 4),
    "a megabyte of zeros": "0" * MIB,
    "ten thousand signatures": ",".join(["v1=" + "0" * 64] * 10_000),
    "ten thousand words": " ".join(["v1,AAAA"] * 10_000),
    "beyond ASCII": "é" * 64,
    "every byte": bytes(range(256)).decode("latin-1"),
    "odd hex": "0" * 63,
    "hex with a gap": "00 " * 32,
    "truncated base64": "AAAAA",
    "only padding": "=" * 44,
    "padding within": "AAAA=AAAA" * 5,
    "nul": "\0" * 64,
    "no value": "v1=,t=",
    "no key": "=" + "0" * 64,
}
SIGNING = [name for name in suppliers.names() if suppliers.preset(name)["kind"] != Kind.NONE]
TIMES = ["9" * 400, "-1750000000", "+1750000000", " 1750000000", "1750000000 ", "", "0x1", "1e9", "\u0661"]


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("name", SIGNING)
def test_bad_headers(name: str, value: str) -> None:
    """In each header that a preset reads anything may stand: it has a short sentence."""
    scheme = Scheme.parse(with_params(suppliers.scheme_of(name)))
    keys = scheme.keys([secrets_for(scheme)[1]])
    headers = {header.decode(): value for header in scheme.headers}

    with pytest.raises(SignatureError) as raised:
        verify(delivery(headers, url="https://x.example"), scheme, keys, now=NOW)

    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < LONGEST_SENTENCE


@pytest.mark.parametrize("text", TIMES, ids=lambda text: ascii(text)[:12])
def test_bad_times_among_items(text: str) -> None:
    """A timestamp of the header's own items is read as strictly, but for blanks around it."""
    scheme = Scheme.parse(LISTED)
    sent = text.strip().encode("utf-8")
    received = delivery({"X-Sig": f"t={sent.decode('latin-1')},v1={mac(sent + b'.' + BODY)}"})

    if sent.isdigit() and len(sent) < 12:
        assert verify(received, scheme, scheme.keys([SECRET]), now=NOW).matched == "env:ACME_SECRET"
    else:
        assert refusal(scheme, received).reason is Reason.MALFORMED


def test_many_signatures_cost_little() -> None:
    """However many signatures a header has, we work out one of our own for each secret, or none at all."""
    made = list[int]()
    scheme = scheme_of(list_separator=",")

    class Counted(type(scheme.keys([SECRET])[0])):  # type: ignore[misc]  # a class that is only known at run time
        def mac(self, message: bytes, algorithm: str) -> bytes:
            made.append(len(message))
            return bytes(super().mac(message, algorithm))

    keys = [Counted(secret.value, secret.reference) for secret in (SECRET, OLD_SECRET)]
    for count, expected in ((64, 2), (65, 0), (10_000, 0)):
        made.clear()
        with pytest.raises(SignatureError):
            verify(delivery({"X-Sig": ",".join(["0" * 64] * count)}), scheme, keys, now=NOW)
        assert len(made) == expected
