"""Each mistake in words: what is wrong, and what to do about it."""

from collections.abc import Mapping
from typing import Final

_RAW: Final = (
    "in Flask request.get_data(), in Express express.raw({type: '*/*'}) on this route and before express.json(), in "
    "Django request.body, in FastAPI await request.body(), in PHP file_get_contents('php://input'), in Rails "
    "request.raw_post, in Laravel $request->getContent(), in Next.js await request.text(), in Spring @RequestBody "
    "byte[], in Go io.ReadAll(r.Body)"
)
_BY_AN_EDITOR: Final = (
    "An editor, `echo` or a here-document does that: save the body byte for byte, and post it with `curl --data-binary "
    "@file`"
)
_IN_TRANSIT: Final = "Something between the supplier and the check changes the body: find it, and verify what came in"
_OTHER_TIME: Final = "`--at TIME` judges by another moment, `--tolerance 0` looks at no time."
_SCHEME: Final = "If this supplier signs so, write it into the settings; else it is the sender's mistake"

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    # The body.
    "body.newline_added": ("the body ends in a newline that was not signed", f"{_BY_AN_EDITOR}."),
    "body.newline_missing": (
        "the body has lost a newline at its end",
        "A shell's $(…), a trim() or an editor takes it off: pass on the bytes as they came.",
    ),
    "body.crlf_added": ("the body ends in a CR LF that was not signed", f"{_BY_AN_EDITOR}."),
    "body.crlf_missing": (
        "the body has lost a CR LF at its end",
        "A trim() or an editor takes it off: pass on the bytes as they came.",
    ),
    "body.lf_became_crlf": (
        "each newline of the body has become CR LF",
        "Windows' text mode or an FTP upload does that: write and read the body as binary.",
    ),
    "body.crlf_became_lf": (
        "each CR LF of the body has become a newline",
        "Text mode, git's autocrlf or a browser's form does that: write and read the body as binary.",
    ),
    "body.bom_added": (
        "the body begins with a byte order mark that was not signed",
        "Save it as UTF-8 without BOM (PowerShell: -Encoding utf8NoBOM), or read the raw request.",
    ),
    "body.bom_missing": (
        "the body has lost the byte order mark at its beginning",
        "Decoding it as utf-8-sig takes the mark off: verify the bytes, not the decoded text.",
    ),
    "body.blanks_around": (
        "blanks around the body were not signed",
        f"{_BY_AN_EDITOR}; nothing may pad or trim the body on its way.",
    ),
    "body.json_rewritten": (
        "the body was parsed and written anew; the signed one is {detail}",
        f"Your framework parsed and re-wrote the body: read the raw bytes, before anything parses them: {_RAW}.",
    ),
    "body.double_utf8": (
        "the body was encoded as UTF-8 twice",
        f"Bytes were taken for Latin-1 and encoded again: verify the bytes, not a decoded text: {_RAW}.",
    ),
    "body.latin1_signed": (
        "the supplier signed the body in {detail}, and here it is UTF-8",
        f"Something converts it on the way: verify the bytes as they came: {_RAW}.",
    ),
    "body.utf8_signed": (
        "the supplier signed the body in UTF-8, and here it is in {detail}",
        f"Encode the text as UTF-8, or better verify the bytes as they came: {_RAW}.",
    ),
    "body.base64": (
        "the body is still in base64",
        "Serverless gateways hand it over so (isBase64Encoded in AWS Lambda): decode it before verifying.",
    ),
    "body.base64_signed": (
        "the supplier signed the base64 of the body",
        "Encode the body in base64 before verifying, or verify it as it was sent, before it was decoded.",
    ),
    "body.percent": ("the body is percent-encoded", "Decode it before verifying, or don't let a form encode it."),
    "body.percent_signed": (
        "the supplier signed the body percent-encoded",
        f"A form decoder has been at it: verify the bytes as they came: {_RAW}.",
    ),
    "body.form_decoded": (
        "the body is the value of a form's field {detail}, and the whole form was signed",
        f"Verify the form as it came, before it is decoded: {_RAW}; or have the supplier send application/json.",
    ),
    "body.form_value_signed": (
        "only the value of the form's field {detail} was signed",
        "Decode the form and verify that field's value.",
    ),
    "body.form_rewritten": (
        "the form was parsed and written anew; the signed one has {detail}",
        f"Read the raw bytes: {_RAW}.",
    ),
    "body.part_signed": (
        "only the member {detail} of the body was signed",
        "Verify the bytes of that member as they stand in the body.",
    ),
    "body.signature_cut": (
        "the signed body did not have the member {detail}",
        'It was put into the body after signing: cut it out first: signed = "{body-without:{detail}}" in the settings.',
    ),
    "body.signature_emptied": (
        "the signed body had an empty {detail}",
        "The supplier fills the signature in after signing: empty that member before verifying.",
    ),
    "body.gzip": (
        "the body is compressed ({detail}), and was signed before that",
        "Have your proxy or framework decompress it (Content-Encoding), or verify after decompressing.",
    ),
    "body.json_string": (
        "the body is wrapped into a JSON string",
        "It was encoded as JSON twice: pass on the bytes, or decode once before verifying.",
    ),
    "body.json_string_signed": (
        "the supplier signed the body as a JSON string",
        "The sender encodes as JSON twice before signing, and we have it decoded once: verify what came.",
    ),
    "body.python_literal": (
        "the body is printed as Python prints bytes, b'…'",
        "str(body) does that: pass on the bytes, or body.decode().",
    ),
    "body.empty_signed": (
        "an empty body was signed",
        "The sender's signing code ran before the body was there (a stream read twice): tell the supplier.",
    ),
    # The secret.
    "secret.blanks_around": (
        "the secret has blanks or a newline around it",
        "Copying or `echo` brought them along: store it with `printf %s`.",
    ),
    "secret.blanks_missing": (
        "the supplier's secret ends in {detail}",
        "It was saved with it at the supplier's: enter it there anew, or keep it so here too.",
    ),
    "secret.quotes_around": (
        "the secret has quotes around it",
        "A .env file or a unit's Environment= brought them along: remove them.",
    ),
    "secret.quotes_missing": (
        "the supplier's secret has {detail} around it",
        "It was pasted there with its quotes: enter it anew without them.",
    ),
    "secret.name_in_front": (
        "the secret has its NAME= in front",
        "The whole line of a .env file was taken: keep only what is behind the equals sign.",
    ),
    "secret.padding_missing": ("the secret has lost the = at its end", "Copy the secret as a whole."),
    "secret.bom": ("the secret begins with a byte order mark", "Save its file as UTF-8 without one."),
    "secret.twice": ("the secret was pasted twice", "Keep one of the two."),
    "secret.other": (
        "it was signed with another secret that we have: {detail}",
        "Name that one for this supplier: in a rotation both, the new one first.",
    ),
    "secret.text": (
        "the secret's text is the key, and here it is decoded",
        'Set secret_encoding = "utf8" and no secret_prefix.',
    ),
    "secret.base64": (
        "the secret is base64 that must be decoded",
        'Set secret_encoding = "base64", and secret_prefix if it has one ("whsec_").',
    ),
    "secret.hex": ("the secret is hex that must be decoded", 'Set secret_encoding = "hex".'),
    "secret.encoded": (
        "the key is the {detail} of the secret that we have",
        "The secret was decoded before it was stored: store it as the supplier shows it.",
    ),
    "secret.prefix_cut": (
        "the key is the secret's text without its prefix {detail}",
        "Store the secret without it.",
    ),
    "secret.prefix_missing": (
        "the supplier's secret has the prefix {detail}, which ours has lost",
        "Copy the secret as a whole, prefix and all.",
    ),
    "secret.url_escaped": ("the secret is percent-encoded", "Decode it: it was copied out of a URL or a form."),
    "secret.url_unescaped": (
        "the supplier signs with the secret percent-encoded",
        "Store it so, or enter one there that has only letters and digits.",
    ),
    "secret.html_escaped": ("the secret has HTML escapes such as &amp;", "Copy it from the page, not from its source."),
    "secret.html_unescaped": (
        "the supplier signs with the secret HTML-escaped",
        "Store it so, or enter one there that has only letters and digits.",
    ),
    "secret.upper_case": ("the supplier signs with the secret in upper case", "Store it in upper case."),
    "secret.lower_case": ("the supplier signs with the secret in lower case", "Store it in lower case."),
    "secret.test_for_live": (
        "the secret of test and live are mixed up: {detail}",
        "Take the secret of the mode in which this webhook was sent.",
    ),
    # What is signed.
    "signed.content": ("what is signed is {detail}", f'{_SCHEME}: signed = "{{detail}}".'),
    "signed.url": (
        "the URL that was signed is {detail}",
        "Give it letter by letter as it was entered at the supplier's: --url, or the public URL in the settings.",
    ),
    "signed.method": ("the method that was signed is {detail}", "Give --method as the supplier used it."),
    # The digest.
    "digest.algorithm": ("the hash is {detail}", f'{_SCHEME}: algorithm = "{{detail}}".'),
    "digest.plain": (
        "it is no HMAC but a plain hash over {detail}",
        f'{_SCHEME}: kind = "digest" with {{secret}} in its place in signed.',
    ),
    "digest.no_secret": (
        "it is the plain hash of the text, without any secret",
        "That proves nothing, as anybody can compute it: the sender must use HMAC with the secret.",
    ),
    "digest.swapped": (
        "key and message were swapped: the secret was hashed under the body",
        "The sender calls HMAC with its arguments in the wrong order: tell the supplier.",
    ),
    "digest.hmac": ("it is an HMAC, no plain hash", f'{_SCHEME}: kind = "hmac".'),
    "digest.encoding": ("the signature is written in {detail}", f'{_SCHEME}: encoding = "{{detail}}".'),
    "digest.hex_in_base64": (
        "the signature is base64 of its hex text",
        "The sender encodes twice (in PHP, hash_hmac without its fourth argument `true`): tell the supplier.",
    ),
    "digest.cut_short": (
        "the signature is cut short to {detail}",
        "Copy the whole of it; if the supplier sends no more, it can't be taken: that much can be guessed.",
    ),
    # The header.
    "header.other": (
        "the signature stands in {detail}",
        f"{_SCHEME}: name it in signature_header (or signature_pointer, if in the body).",
    ),
    "header.prefix_missing": (
        "the signature has lost its prefix {detail}",
        "Copy the header's whole value; if the supplier sends none, set prefix_required = false.",
    ),
    "header.prefix_other": (
        "the signature has {detail} in front of it, which is not what this scheme says",
        f"{_SCHEME}: set prefix, or signature_key with its separators.",
    ),
    "header.joined": (
        "several values stand in one header",
        f"{_SCHEME}: list_separator; or a proxy has joined headers of the same name.",
    ),
    "header.twice": (
        "a header comes twice; with {detail} the signature is good",
        "Find the proxy that adds it: one header could be read in two ways, so that neither is taken.",
    ),
    "header.timestamp_other": (
        "the timestamp that was signed stands in {detail}",
        f"{_SCHEME}: timestamp_header, timestamp_key or timestamp_pointer.",
    ),
    "header.id_other": (
        "the id that was signed stands in {detail}",
        "Name that header in signed; has a proxy renamed it?",
    ),
    # The time.
    "time.format": ("the timestamp is {detail}", f"{_SCHEME}: timestamp_format."),
    "time.signed_as": (
        "the timestamp was signed as {detail}, and is sent in another form",
        "The sender formats it twice: tell the supplier to sign the text of the header.",
    ),
    "time.local": (
        "the sender takes local time for UTC: the timestamp is {detail}",
        "Tell the supplier; until then, set the tolerance accordingly or have its clock's zone mended.",
    ),
    "time.old": (
        "the signature is good, and {detail} old",
        f"It is a repeat or was long on its way; if every delivery is, one of the two clocks is wrong. {_OTHER_TIME}",
    ),
    "time.future": (
        "the signature is good, and its timestamp {detail} in the future",
        "The supplier's clock is fast or ours is slow (timedatectl).",
    ),
    # The whole.
    "scheme.other": ("it is signed by the scheme of the preset {detail}", "Take --preset {detail}."),
    "scheme.but_for_that": (
        "the signature itself is good: what was said is all that is wrong",
        "Mend that alone.",
    ),
    # What only looks like it: nothing of these is proven.
    "body.empty": (
        "the body is empty",
        f"Something has read it before: keep the raw bytes the first time: {_RAW}.",
    ),
    "body.cut": (
        "the body is not whole: {detail}",
        f"{_IN_TRANSIT}; or the file was saved in part.",
    ),
    "body.object_printed": (
        "the body is a JavaScript object that was printed",
        f"The bytes are lost: read them raw: {_RAW}.",
    ),
    "body.replaced": (
        "bytes of the body were replaced by U+FFFD when it was decoded",
        f"They are lost: read it raw: {_RAW}.",
    ),
    "body.dict_printed": (
        "the body is a Python dict that was printed",
        f"str() is no JSON, and the bytes are lost: read them raw: {_RAW}.",
    ),
    "secret.api_key": (
        "the secret looks like an API key",
        "Take the secret that the supplier shows beside the webhook's address.",
    ),
    "secret.placeholder": ("the secret looks like a placeholder", "Put the real one there."),
}
"""By the mistake's name."""
