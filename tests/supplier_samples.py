"""What each supplier sends, signed here by hand: not by the program's own signing, which would agree with itself."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

FOLDER: Final = Path(__file__).parent / "data" / "suppliers"
TEXT: Final = b"a-secret-of-the-supplier"
PARAM: Final = "CHANGE-ME"
"""What stands for an account's id in the settings as they are printed."""
_BASE64: Final = base64.b64encode(TEXT).decode()
_SVIX: Final = ("runa", "bamboo", "goody")
_SECRETS: Final = {"tango": _BASE64, "printful": TEXT.hex(), **dict.fromkeys(_SVIX, f"whsec_{_BASE64}")}


@dataclass(frozen=True, slots=True)
class Sample:
    """A payload pair, the orders that must be known before, and how the first of them ends."""

    name: str
    headers: Mapping[str, str]
    body: bytes
    orders: list[dict[str, str]]
    ends: str
    """`fulfilled`, `asked` (due for asking) or `held` (a person is told)."""
    codes: list[str]

    @property
    def secret(self) -> str:
        """The secret as it is written into the settings."""
        return _SECRETS.get(self.name, TEXT.decode())


def samples() -> dict[str, Sample]:
    """Return the samples, by preset."""
    return {path.stem: _sample(path) for path in sorted(FOLDER.glob("*.json"))}


def _sample(path: Path) -> Sample:
    read = json.loads(path.read_text("utf-8"))
    body = read["body"] if isinstance(read["body"], str) else json.dumps(read["body"], ensure_ascii=False)
    return Sample(path.stem, read["headers"], body.encode(), read["orders"], read["ends"], read["codes"])


def signed(sample: Sample) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body that the supplier sends now."""
    headers, body = _BY_HAND[sample.name](sample)
    return {**sample.headers, **headers}, body


_Sent: TypeAlias = tuple[dict[str, str], bytes]


def _mac(header: str, algorithm: str = "sha256", prefix: str = "") -> Callable[[Sample], _Sent]:
    return lambda sample: ({header: prefix + hmac.digest(TEXT, sample.body, algorithm).hex()}, sample.body)


def _token(header: str) -> Callable[[Sample], _Sent]:
    return lambda sample: ({header: TEXT.decode()}, sample.body)


def _nothing(sample: Sample) -> _Sent:
    return {}, sample.body


def _svix(sample: Sample) -> _Sent:
    now = str(int(time.time()))
    mac = hmac.digest(TEXT, b".".join((sample.headers["svix-id"].encode(), now.encode(), sample.body)), "sha256")
    return {"svix-timestamp": now, "svix-signature": f"v1,{base64.b64encode(mac).decode()}"}, sample.body


def _reloadly(sample: Sample) -> _Sent:
    now = str(time.time_ns() // 1_000_000)
    mac = hmac.digest(TEXT, sample.body + b":" + now.encode(), "sha256").hex()
    return {"X-Reloadly-Request-Timestamp": now, "X-Reloadly-Signature": mac}, sample.body


def _vouchersx(sample: Sample) -> _Sent:
    now = str(int(time.time()))
    mac = hmac.digest(TEXT, now.encode() + b"." + sample.body, "sha256").hex()
    return {"x-signature": f"t={now},v1={mac}"}, sample.body


def _tango(sample: Sample) -> _Sent:
    mac = hmac.digest(TEXT, sample.body, "sha256")
    return {"X-Signed-Payload": base64.b64encode(mac).decode()}, sample.body


def _with(sample: Sample, **members: Any) -> bytes:  # noqa: ANN401 - any JSON value
    return json.dumps(json.loads(sample.body) | members).encode()


def _codeswholesale(sample: Sample) -> _Sent:
    return {}, _with(sample, authHash=hashlib.sha256(PARAM.encode() + TEXT).hexdigest())


def _bamboo_notification(sample: Sample) -> _Sent:
    return {}, _with(sample, secretKey=TEXT.decode())


def _md5_of_reference(header: str) -> Callable[[Sample], _Sent]:
    def sent(sample: Sample) -> _Sent:
        of = f"{PARAM}:{TEXT.decode()}:{json.loads(sample.body)['ref_id']}"
        return {header: hashlib.md5(of.encode()).hexdigest()}, sample.body  # noqa: S324 - the supplier's choice

    return sent


def _vip_reseller(sample: Sample) -> _Sent:
    digest = hashlib.md5(PARAM.encode() + TEXT).hexdigest()  # noqa: S324 - the supplier's choice
    return {"X-Client-Signature": digest}, sample.body


_BY_HAND: Final[Mapping[str, Callable[[Sample], _Sent]]] = {
    "airalo": _mac("airalo-signature", "sha512"),
    "apigames": _md5_of_reference("X-Apigames-Authorization"),
    "bamboo": _svix,
    "bamboo-notification": _bamboo_notification,
    "bitrefill": _nothing,
    "codeswholesale": _codeswholesale,
    "digiflazz": _mac("X-Hub-Signature", "sha1", "sha1="),
    "dt-one": _nothing,
    "giftbills": _nothing,
    "goody": _svix,
    "isikuota": _mac("X-Signature"),
    "kinguin": _token("X-Event-Secret"),
    "moogold": _mac("X-Signature"),
    "printful": _mac("x-pf-webhook-signature"),
    "printify": _mac("X-Pfy-Signature", prefix="sha256="),
    "reincarcare": _mac("X-Signature"),
    "reloadcard": _mac("X-ReloadCard-Signature"),
    "reloadly": _reloadly,
    "runa": _svix,
    "tango": _tango,
    "tokovoucher": _md5_of_reference("X-TokoVoucher-Authorization"),
    "tremendous": _mac("Tremendous-Webhook-Signature", prefix="sha256="),
    "vip-reseller": _vip_reseller,
    "vouchersx": _vouchersx,
    "vouchery": _nothing,
    "wrapped": _token("RequestVerificationToken"),
    "zendit": _token("Authorization"),
}
