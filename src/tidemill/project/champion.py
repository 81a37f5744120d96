"""The model in front: loaded once, its digest checked, and asked."""

from __future__ import annotations

import threading

import pyarrow as pa

from tidemill.adapters.trainers.pickling import load
from tidemill.core.errors import NotFound
from tidemill.core.machines import RELEASE
from tidemill.core.model import Answers, answer
from tidemill.core.ports import World
from tidemill.core.work import same_features
from tidemill.strategy.models import model_of


class Champion:
    """Whichever model is in front at the moment; safe to ask from several threads."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._held: tuple[str, object, dict[str, str]] | None = None
        self._lock = threading.Lock()

    def ask(self, features: pa.Table) -> tuple[str, Answers]:
        """Return the version in front, and what it answers.

        Raises
        ------
        NotFound
            If no model is in front yet.
        """
        at_front = self._world.state.front()
        if at_front is None or at_front.version is None:
            raise NotFound(
                "no model is in front yet.",
                fix="let the mill train one: tidemill run; or sign one: tidemill releases list.",
            )
        version, model, kinds = self._load(at_front.version)
        return version, answer(model, same_features(features, kinds))

    def model(self, version: str) -> tuple[object, dict[str, str]]:
        """Return the model of a release and the features it takes.

        Raises
        ------
        NotFound
            If the release has none.
        """
        machine = self._world.state.machine(RELEASE, version)
        if machine is None or "model" not in machine.payload:
            raise NotFound(
                f"release {version!r} has no model.", fix="see 'tidemill releases list'."
            )
        kept = machine.payload["model"]
        return load(model_of(self._world, version, kept["digest"])), kept["features"]

    def _load(self, version: str) -> tuple[str, object, dict[str, str]]:
        with self._lock:
            if self._held is None or self._held[0] != version:
                self._held = (version, *self.model(version))
            return self._held
