"""An open project: log to it, ask it, turn it."""

from __future__ import annotations

import shlex
import types
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from tidemill.adapters.spool.inbox import Spool
from tidemill.adapters.trainers.pickling import by_value
from tidemill.core.durations import duration
from tidemill.core.errors import NotAllowed
from tidemill.core.fingerprint import SOURCE
from tidemill.core.model import Answers
from tidemill.core.ports import SpeaksSql, World
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.measures.profile import Profile
from tidemill.monitoring.messages import Commands
from tidemill.project.champion import Champion
from tidemill.project.channels import Addressed
from tidemill.project.config import STRATEGY, default_user, read_config
from tidemill.project.rows import arrow, batch_of, plain, record_of, rows_of, text_of
from tidemill.strategy import importing, importing_profiles, loading, registry
from tidemill.strategy.in_place import refuse
from tidemill.strategy.storing import Counts
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.turn import Plan, plan, settle
from tidemill.strategy.views import views
from tidemill.strategy.watching import edges, telling
from tidemill.strategy.watching.longer import longer
from tidemill.strategy.watching.sending import tell


class Mill:
    """An open project: log to it, ask its champion, turn it.

    Made by :func:`tidemill.open`. Logging and asking are safe from several threads.

    Attributes
    ----------
    world
        The adapters behind it.
    """

    def __init__(self, path: Path, world: World, strategy: Strategy | None) -> None:
        self.path = path
        self.world = world
        self._strategy = strategy
        self._source = ""
        self._champion = Champion(world)

    @property
    def strategy(self) -> Strategy:
        """The strategy of ``strategy.py``, loaded at first use."""
        if self._strategy is None:
            self._strategy = loading.load(self.path / STRATEGY, loaded=self._loaded)
        return self._strategy

    def _loaded(self, module: types.ModuleType) -> None:
        by_value(module)
        self._source = str(getattr(module, SOURCE))

    def log(
        self,
        features: Any,
        *,
        output: Any = None,
        score: Any = None,
        record_id: Any = None,
        unit: Any = None,
        tags: Mapping[str, str] | None = None,
        model: str | None = None,
        time: Any = None,
        latency_ms: float | None = None,
        payload: str | None = None,
    ) -> list[str]:
        """Log predictions that your own service made.

        Parameters
        ----------
        features
            What the model saw: a dict for one record; a list of dicts, an Arrow table or a
            pandas or polars DataFrame for many.
        output, score, record_id, unit, time
            One value, or one for each record. ``time`` must have a zone; now if left out.
            Ids are made where none are given.
        tags
            Texts to tell cohorts apart.
        model
            The version of your model.
        payload
            Where a picture, a sound or a document lies; of one record.

        Returns
        -------
        list of str
            The ids, to give with feedback and labels. When this returns, the records are
            kept: they survive a kill -9 of this process.

        Raises
        ------
        Unreachable
            If one record cannot be kept; :class:`tidemill.Logger` counts it instead.
        NotAllowed
            If the records of the project are in a table that stays where it is.

        Examples
        --------
        >>> mill = getfixture("mill")
        >>> mill.log({"distance": 300}, output=1, score=0.7, record_id="a")
        ['a']
        """
        refuse(self.world.events, "records")
        said = {
            "output": output,
            "score": score,
            "unit": unit,
            "model": model,
            "latency_ms": latency_ms,
        }
        if isinstance(features, Mapping):
            key = self._spool.new_id() if record_id is None else text_of(record_id, "record_id")
            at = self._moment(time)
            row = record_of(features, key, at, tags=tags, payload=payload, **said)
            self._spool.write("records", row)
            return [key]
        table = arrow(features)
        if not table.num_rows:
            return []
        now = self.world.clock.now() if time is None else time
        rows, columns = batch_of(table, record_id, now, tags=tags, **said)
        self._spool.write_batch("records", rows, columns, "log")
        return [str(i) for i in rows["record_id"].to_pylist()]

    def feedback(
        self,
        record_id: str,
        value: float | str | bool = True,  # noqa: FBT001, FBT002 - a value, not a switch
        *,
        kind: str = "feedback",
        time: datetime | None = None,
    ) -> None:
        """Say what a user did with an answer: a thumb, a click, a correction.

        Examples
        --------
        >>> getfixture("mill").feedback("a", 1, kind="thumb")
        """
        row = {"record_id": plain(record_id), "value": plain(value), "kind": kind}
        self._spool.write("feedback", row | {"happened_at": self._moment(time)})

    def label(self, record_id: str, label: float | str, *, time: datetime | None = None) -> None:
        """Say what the truth was for a record.

        Raises
        ------
        NotAllowed
            If the labels of the project are in a table that stays where it is.
        """
        refuse(self.world.events, "labels")
        row = {"record_id": plain(record_id), "label": plain(label)}
        self._spool.write("labels", row | {"happened_at": self._moment(time)})

    def _moment(self, time: Any) -> str:
        """Write a time down as it was given; one that cannot be read goes to the quarantine."""
        at = self.world.clock.now() if time is None else time
        return text_of(at, "time")

    def predict(
        self,
        features: Any,
        *,
        record_id: Any = None,
        unit: Any = None,
        tags: Mapping[str, str] | None = None,
        time: Any = None,
    ) -> Answers:
        """Let the champion answer, and log what it saw and said.

        Raises
        ------
        NotFound
            If no model is in front yet.
        NotAllowed
            If the records of the project are in a table that stays where it is.
        """
        instead = "mill.ask(features) answers without logging; "
        refuse(self.world.events, "records", instead=instead)
        table = rows_of(features)
        version, said = self.ask(table)
        outputs = [plain(v) for v in said.output]
        scores = [None if np.isnan(s) else float(s) for s in said.score]
        if isinstance(features, Mapping):
            how = {"record_id": record_id, "unit": unit, "time": time}
            self.log(features, output=outputs[0], score=scores[0], tags=tags, model=version, **how)
        else:
            self.log(
                table,
                output=outputs,
                score=scores,
                record_id=record_id,
                unit=unit,
                tags=tags,
                model=version,
                time=time,
            )
        return said

    def ask(self, features: Any) -> tuple[str, Answers]:
        """Let the champion answer, without logging; returns its version too.

        Raises
        ------
        NotFound
            If no model is in front yet.
        """
        return self._champion.ask(rows_of(features))

    def model(self, version: str) -> tuple[object, dict[str, str]]:
        """Return the model of a release and the features it takes, its digest checked."""
        return self._champion.model(version)

    def plan(self) -> Plan:
        """Say what a turn would do now, and why; nothing is changed."""
        return plan(self.world, self.strategy)

    def run(self, *, wait: bool = True, told: Callable[[Plan], None] | None = None) -> list[Plan]:
        """Turn until nothing is due; ``wait`` for fits that run meanwhile.

        ``told`` is given the plan of each turn as soon as it is done.
        """
        strategy = self.strategy  # loading it fills in the source
        registry.remember(self.world, strategy, self._source.encode(), author=self._author)
        plans = settle(self.world, strategy, wait=wait, told=told)
        self.tell()
        return plans

    def tell(self) -> list[dict[str, Any]]:
        """Send what is due about incidents; says what became of each message.

        The addresses of the channels stand under ``[channels]`` in project.toml. One that is not
        right or not there fails by itself, and is tried again after the next turn.
        """
        monitoring = self.strategy.monitoring
        if monitoring is None or not monitoring.routes:
            return []
        addresses = read_config(self.path)["channels"]
        channels = {name: Addressed(address, self.path) for name, address in addresses.items()}
        commands = Commands(program=f"tidemill --project {shlex.quote(str(self.path))}")
        return tell(self.world, self.strategy, channels, commands=commands)

    def _author(self) -> str:
        return loading.author_of(self.path) or default_user()

    def signals(
        self,
        metric: str | None = None,
        *,
        kind: str | None = None,
        column: str | None = None,
        cohort: str | None = None,
        model: str | None = None,
        last: str | None = None,
        every: str | None = None,
    ) -> pa.Table:
        """Return what monitoring measured and thought, one row a base window and signal.

        Parameters
        ----------
        metric, kind, column, cohort, model
            Only signals of this name; ``cohort=""`` is everybody, ``model=""`` every version.
        last
            How far back, such as ``"90d"``.
        every
            Longer windows than base windows, such as ``"7d"``: means of rows are merged exactly,
            other metrics are measured again on their records.

        Examples
        --------
        >>> getfixture("mill").signals(kind="drift").num_rows
        0
        """
        names = {"metric": metric, "kind": kind, "column": column, "cohort": cohort, "model": model}
        wanted: Any = {**names, "last": None if last is None else duration(last)}
        if every is not None:
            return longer(self.world, self.strategy, duration(every), **wanted)
        return telling.signals(self.world, **wanted)

    def sql(self, query: str) -> pa.Table:
        """Answer a question in SQL over the views of :mod:`tidemill.strategy.views`.

        It is the SQL of the project's engine, DuckDB or Spark.

        Raises
        ------
        BadInput
            If it is no single SELECT, or cannot be answered.

        Examples
        --------
        >>> getfixture("mill").sql("select count(*) as n from records").to_pylist()
        [{'n': 0}]
        """
        engine = self.world.engine
        if not isinstance(engine, SpeaksSql):
            raise NotAllowed("this engine takes no SQL.", fix="open it with tidemill.open.")
        return engine.sql(query, views(self.world, self.strategy))

    def retrain(self, who: str) -> None:
        """Ask for a retrain; the next turn starts it."""
        with self.world.state.lease("retrain") as lease:
            self.world.state.set_fact(lease, "asked", who)

    def import_records(self, table: Any, columns: Columns, *, source: str) -> Counts:
        """Take in a table of predictions; see :func:`tidemill.strategy.importing.records`.

        A ``pyarrow.RecordBatchReader`` is read batch by batch, so it may be larger than memory.
        """
        return importing.records(self.world, self.strategy, _read(table), columns, source=source)

    def import_labels(
        self,
        table: Any,
        columns: FactColumns,
        *,
        source: str,
        name: str = "labels",
        kind: str = "outcome",
    ) -> Counts:
        """Take in a table of labels or feedback, batch by batch as :meth:`import_records` does."""
        how = {"source": source, "name": name, "kind": kind}
        return importing.facts(self.world, self.strategy, _read(table), columns, **how)

    def profile(self, *, last: str = "30d") -> Profile:
        """Return a profile that :class:`tidemill.EdgeProfile` counts like, in another process.

        Parameters
        ----------
        last
            How far back from the newest base window, such as ``"30d"``.
        """
        return edges.to_count_like(self.world, self.strategy, last=duration(last))

    def import_profiles(self, files: Iterable[str | Path], *, model: str = "") -> Counts:
        """Take in files that an :class:`tidemill.EdgeProfile` saved; each counts once.

        Parameters
        ----------
        files
            Their paths, in any order; those taken in before change nothing.
        model
            The version that answered, where they count outputs.
        """
        found = {str(path): Path(path).read_bytes() for path in files}
        return importing_profiles.profiles(self.world, self.strategy, found, model=model)

    def close(self) -> None:
        """Let go of files and of the warm pool; a fit that runs goes on."""
        self.world.close()

    @property
    def _spool(self) -> Spool:
        if not isinstance(self.world.inbox, Spool):
            raise NotAllowed("this mill has no spool.", fix="open it with tidemill.open.")
        return self.world.inbox

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _read(table: Any) -> pa.Table | pa.RecordBatchReader:
    return table if isinstance(table, pa.RecordBatchReader) else arrow(table)
