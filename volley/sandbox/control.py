"""/_sandbox/*: what a test or a bench tells a running sandbox, and what it asks of it. No key is needed."""

import orjson

from volley.sandbox.arrivals import ArrivalLog
from volley.sandbox.fault_rule import dump_rules, parse_rules
from volley.sandbox.faults import Faults
from volley.sandbox.receipts import Receipts
from volley.sandbox.replies import Refusal, http_reply, ok
from volley.sandbox.signing import Signer

_LINES = b"content-type: application/x-ndjson\r\n"
_MOST_LINES = 10_000

Query = dict[str, str]


class Control:
    """A room of App (app.py) whose steps are those below /_sandbox/."""

    def __init__(self, log: ArrivalLog, faults: Faults, receipts: Receipts, signer: Signer) -> None:
        self._log = log
        self._faults = faults
        self._receipts = receipts
        self._signer = signer
        self.unreadable = 0

    def answer(self, method: bytes, steps: list[str], query: Query, body: bytes) -> bytes | None:
        match method, "/".join(steps):
            case b"GET", "arrivals":
                return self._arrivals(query)
            case b"GET", "stats":
                return self._stats()
            case b"GET", "public_key":
                return self._keys()
            case b"POST", "rotate_key":
                self._signer.rotate()
                return self._keys()
            case b"GET", "faults":
                return ok(dump_rules(self._faults.rules))
            case (b"PUT", "faults") | (b"DELETE", "faults"):
                return self._replace(body if method == b"PUT" else b"[]")
            case b"POST", "receipts":
                return self._release(body)
        return None

    def _keys(self) -> bytes:
        """The key that signs now, and all that have signed, it first."""
        return ok(orjson.dumps({"public_key": self._signer.public_key, "public_keys": self._signer.public_keys}))

    def _arrivals(self, query: Query) -> bytes:
        """JSON lines, `after` of them passed over, at most `limit`."""
        after, limit = (_whole(query, name, default) for name, default in (("after", 0), ("limit", 1000)))
        rows = self._log.page(after, min(limit, _MOST_LINES))
        lines = b"".join(orjson.dumps(row._asdict()) + b"\n" for row in rows)
        return http_reply(200, lines, kind=_LINES)

    def _stats(self) -> bytes:
        self._log.flush()
        stats = self._log.columns.stats() | {
            "receipts": self._receipts.counts,
            "faults_fired": self._faults.fired,
            "unreadable": self.unreadable,
        }
        return ok(orjson.dumps(stats))

    def _replace(self, body: bytes) -> bytes:
        try:
            rules = parse_rules(body)
        except ValueError as error:
            raise Refusal("10015", str(error)) from None
        self._faults.replace(rules)
        return ok(dump_rules(rules))

    def _release(self, body: bytes) -> bytes:
        """`{"limit": n}` releases the oldest n deferred receipts, an empty body all."""
        try:
            limit = int(orjson.loads(body)["limit"]) if body else 1 << 62
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise Refusal("10015", f"give {{'limit': a number}} or nothing: {error}") from None
        return ok(orjson.dumps({"released": self._receipts.release(limit)}))


def _whole(query: Query, name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isascii() or not text.isdigit():
        raise Refusal("10033", f"{name} must be a whole number.", parameter=name)
    return int(text)
