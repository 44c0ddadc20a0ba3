"""The carrier's API with the key and the address of the settings."""

from volley.carrier.api import TelnyxApi
from volley.errors import UnusableInput
from volley.settings import Account


def carrier(account: Account) -> TelnyxApi:
    """To be closed; build it inside a running loop.

    Raises:
        UnusableInput: no API key, or one that can be none.
    """
    if account.api_key is None:
        raise UnusableInput("no API key: set TELNYX_API_KEY")
    return TelnyxApi(account.api_key.get_secret_value(), account.base_url)
