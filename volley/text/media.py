"""An MMS told as a text, where no MMS may go: the links stand at the end of the text. Pure."""

from collections.abc import Sequence


def with_links(text: str, media: Sequence[str]) -> str:
    """The text, then each link on a line of its own, as Telnyx's own fallback does."""
    return "\n".join((text, *media)) if text else "\n".join(media)
