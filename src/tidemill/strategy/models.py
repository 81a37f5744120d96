"""Models of releases as bytes: only those that a fit of this project made."""

from __future__ import annotations

from tidemill.core.errors import Damaged
from tidemill.core.machines import RELEASE
from tidemill.core.ports import World


def model_of(world: World, release: str, digest: str) -> bytes:
    """Return the model of a release, its digest checked; it may be loaded.

    Parameters
    ----------
    release
        The version.
    digest
        The model it names.

    Raises
    ------
    Damaged
        If the journal does not say that the release was trained to this model, or the file was
        changed: to load a pickle is to run what it holds.
    NotFound
        If the file is gone.
    """
    steps = world.state.journal(kind=RELEASE, machine=release)
    made = (r.payload.get("model") for r in steps if r.target == "trained")
    if not any(m is not None and m["digest"] == digest for m in made):
        raise Damaged(
            f"release {release} names the model {digest[:12]}, which no fit of it made: somebody "
            "changed the state by hand, and it is not loaded.",
            fix="restore the state from a backup; 'tidemill check' says what else differs.",
        )
    return world.blobs.get("models", digest)
