"""What a receiver does with a delivery, written from section 4 of contract 07 alone. Standard library only.

As a program it checks the contract's own vector and what must not pass.
"""

import hashlib
import hmac
import json
import sys

TOLERANCE_SECONDS = 300
PREFIX = "sha256="


class Refused(Exception):
    """The status that a receiver answers, and why."""

    def __init__(self, status, reason):
        super().__init__(f"{status}: {reason}")
        self.status = status


def signature(secret, timestamp, body):
    """`sha256=<hex>` of timestamp, a full stop and the raw body, under the UTF-8 bytes of the secret."""
    signed = timestamp.encode("ascii") + b"." + body
    return PREFIX + hmac.new(secret.encode("utf-8"), signed, hashlib.sha256).hexdigest()


def matches(secret, timestamp, body, given):
    return hmac.compare_digest(signature(secret, timestamp, body), given)


def verified(headers, body, secret, now, names=("X-ScaiVault-Signature", "X-ScaiVault-Signature-Previous")):
    """The event of a delivery. A receiver that was not told of a new secret yet knows the old one, so either header will do.

    `headers` is anything with a case-insensitive `get`; `body` is the raw bytes; `now` is in Unix seconds.
    """
    timestamp = headers.get("X-ScaiVault-Timestamp")
    given = [value for value in map(headers.get, names) if value is not None]
    if timestamp is None or not given:
        raise Refused(400, "a header is missing")
    if not timestamp.isascii() or not timestamp.isdigit():
        raise Refused(400, "the timestamp is no number")
    if not all(value.startswith(PREFIX) for value in given):
        raise Refused(400, "the signature does not begin with sha256=")
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        raise Refused(401, "the timestamp is too far away")
    # Every one is compared, so that the time tells nothing.
    if not any([matches(secret, timestamp, body, value) for value in given]):
        raise Refused(401, "the signature does not fit")
    event = json.loads(body)
    if headers.get("X-ScaiVault-Event-Id") != event["event_id"] or headers.get("X-ScaiVault-Event-Type") != event["event_type"]:
        raise Refused(400, "the headers tell of another event")
    return event


VECTOR = {
    "secret": "0123456789abcdef0123456789abcdef",
    "timestamp": "1777000000",
    "body": b'{"event_id":"evt_1","event_type":"secret.rotated"}',
    "signature": "sha256=6566b514bc9b59b04a984cf4d331cd36f372f1a817e7f8f388d3eded85979c91",
}


def self_test():
    secret, timestamp, body = VECTOR["secret"], VECTOR["timestamp"], VECTOR["body"]
    assert signature(secret, timestamp, body) == VECTOR["signature"], "the vector of the contract"

    def headers(**changed):
        named = {
            "X-ScaiVault-Timestamp": timestamp,
            "X-ScaiVault-Signature": VECTOR["signature"],
            "X-ScaiVault-Event-Id": "evt_1",
            "X-ScaiVault-Event-Type": "secret.rotated",
        } | {f"X-ScaiVault-{name.replace('_', '-')}": value for name, value in changed.items()}
        return {name: value for name, value in named.items() if value is not None}

    now = int(timestamp)
    assert verified(headers(), body, secret, now)["event_id"] == "evt_1"
    assert verified(headers(), body, secret, now + 300) and verified(headers(), body, secret, now - 300)
    other = signature("another secret", timestamp, body)
    assert verified(headers(Signature=other, Signature_Previous=VECTOR["signature"]), body, secret, now)
    refused = [
        (headers(Signature=None), body, now, 400),
        (headers(Timestamp=None), body, now, 400),
        (headers(Signature=VECTOR["signature"].removeprefix(PREFIX)), body, now, 400),
        (headers(), body, now + 301, 401),
        (headers(), body, now - 301, 401),
        (headers(), body + b" ", now, 401),
        (headers(Timestamp=str(now + 1)), body, now, 401),
        (headers(Signature=other), body, now, 401),
        (headers(Event_Id="evt_2"), body, now, 400),
    ]
    for given, raw, moment, status in refused:
        try:
            verified(given, raw, secret, moment)
        except Refused as refusal:
            assert refusal.status == status, f"{refusal}, expected {status}: {given}"
        else:
            raise AssertionError(f"passed: {given}")


if __name__ == "__main__":
    self_test()
    print("the vector and 9 forgeries are told apart")
    sys.exit(0)
