"""What is kept of an erased record: a keyed hash of its id, which tells erased from lost."""

from __future__ import annotations

import hashlib

ERASABLE = (
    *("labels", "waiting_labels", "feedback", "waiting_feedback"),
    *("chosen", "quarantine", "records"),
)
"""Tables with rows of single records, in the order in which they are erased: the records last,
since they say whose the others are."""
KEYS = {"quarantine": "quarantine_id"}
"""The column that names a row where it is not the record's id."""


def hidden(salt: str, name: str) -> str:
    """Hash a name with the project's salt, so that it can be recognised and not read.

    Who has the salt can still try out names that he knows.

    Examples
    --------
    >>> hidden("salt", "record 7")
    '68af7e2e92ae087bdaebb2f29a54892d'
    >>> hidden("salt", "record 7") == hidden("another", "record 7")
    False
    """
    key = hashlib.sha256(salt.encode()).digest()
    return hashlib.blake2b(name.encode("utf-8", "replace"), key=key, digest_size=16).hexdigest()
