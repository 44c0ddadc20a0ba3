"""What people write to us, as the carrier hands it on: signed."""

import json
import urllib.request
from datetime import UTC, datetime

from tests.web.conftest import Shop
from volley.sandbox.config import PROFILE_ID
from volley.sandbox.signing import Signer


def write_in(shop: Shop, text: str, person: str = "+14155550001", n: int = 1) -> None:
    now = datetime.now(UTC).isoformat()
    payload = {
        "id": f"carrier-in-{n}",
        "direction": "inbound",
        "type": "SMS",
        "messaging_profile_id": PROFILE_ID,
        "from": {"phone_number": person},
        "to": [{"phone_number": "+12015550100"}],
        "text": text,
        "media": [],
        "received_at": now,
    }
    data = {"id": f"in-{n}", "event_type": "message.received", "occurred_at": now, "payload": payload}
    body = json.dumps({"data": data}).encode()
    request = urllib.request.Request(f"{shop.url}/webhooks/telnyx/default", body, Signer(1).headers(body))
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200
