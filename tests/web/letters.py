"""What people write to us, as the carrier hands it on: signed."""

import json
import urllib.request

from tests.web.conftest import Shop
from volley.sandbox.config import PROFILE_ID
from volley.sandbox.signing import Signer


def write_in(shop: Shop, text: str) -> None:
    payload = {
        "id": "carrier-in-1",
        "direction": "inbound",
        "type": "SMS",
        "messaging_profile_id": PROFILE_ID,
        "from": {"phone_number": "+14155550001"},
        "to": [{"phone_number": "+12015550100"}],
        "text": text,
        "media": [],
        "received_at": "2030-01-31T18:00:00Z",
    }
    data = {"id": "in-1", "event_type": "message.received", "occurred_at": "2030-01-31T18:00:00Z", "payload": payload}
    body = json.dumps({"data": data}).encode()
    request = urllib.request.Request(f"{shop.url}/webhooks/telnyx/default", body, Signer(1).headers(body))
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200
