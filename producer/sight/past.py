"""What `why` says of what Redis does not hold any more: the ledger remembers it."""

from volley.errors import UnusableInput
from volley.ledger.reader import Reader


async def past_state(reader: Reader, what: str) -> str | None:
    """How a campaign stood, or a message (its id has dashes), when it left Redis; None where the ledger has none of that id."""
    try:
        if "-" in what:
            return str((await reader.message_story(what))["status"])
        await reader.campaign(what)
        return "finished"
    except UnusableInput:
        return None
