"""What can be an alphanumeric sender ID (Telnyx's page on sending with one; profile field alpha_sender)."""

import re

RULES = "1 to 11 Latin letters, digits and spaces, at least one letter"
_KEPT = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")


def is_alphanumeric(sender: str) -> bool:
    """Whether it is meant as one: there is a letter in it. Whether it keeps the rules is another question."""
    return any(letter.isalpha() for letter in sender)


def keeps_rules(sender: str) -> bool:
    """1 to 11 Latin letters, digits and spaces, at least one letter."""
    return _KEPT.fullmatch(sender) is not None
