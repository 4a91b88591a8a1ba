import base64
import hashlib
import hmac
import json
import re
import sys
import time


def sign(key: bytes, message: bytes) -> str:
    return base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()


def same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode())


def is_genuine_standard(secrets, headers, body: bytes, now=None) -> bool:
    """Standard Webhooks. secrets: each whsec_… that is live. headers: with lower-case names. body: as it came, unparsed."""
    id_, timestamp, signatures = (headers.get("webhook-" + name, "") for name in ("id", "timestamp", "signature"))
    if not id_ or not re.fullmatch(r"[0-9]{1,12}", timestamp):
        return False
    if abs((time.time() if now is None else now) - int(timestamp)) > 300:
        return False
    message = f"{id_}.{timestamp}.".encode() + body
    expected = ["v1," + sign(base64.b64decode(secret.removeprefix("whsec_")), message) for secret in secrets]
    return any(same(one, signature) for one in expected for signature in signatures.split(" "))


def is_genuine_kloudless(secrets, headers, body: bytes) -> bool:
    """Kloudless's format. secrets: each bhs_… that is live."""
    signature = headers.get("x-kloudless-signature", "")
    return any(same(sign(secret.encode(), body), signature) for secret in secrets)


if __name__ == "__main__":  # to try it: {"format", "secrets", "headers", "body"}, one a line, on standard input
    for given in map(json.loads, sys.stdin.buffer):
        is_genuine = is_genuine_kloudless if given["format"] == "kloudless" else is_genuine_standard
        print("genuine" if is_genuine(given["secrets"], given["headers"], given["body"].encode()) else "forged")
