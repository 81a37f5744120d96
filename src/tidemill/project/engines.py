"""Which engine answers a project's questions about data: DuckDB, or what project.toml says.

``[engine] kind = "spark"`` asks Spark instead of DuckDB; ``master`` says where it runs, and the
settings of ``[engine.conf]`` are given to a session that is started for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tidemill.core.errors import BadInput, unknown
from tidemill.core.ports import Engine

KINDS = ("duckdb", "spark")
_OF_SPARK = ("master", "conf")


def read_engine(config: dict[str, Any], where: Path) -> dict[str, Any]:
    """Read ``[engine]``.

    Raises
    ------
    BadInput
        If a key is unknown, or a value of the wrong kind.

    Examples
    --------
    >>> read_engine({"engine": {"kind": "spark", "conf": {"spark.ui.port": 1}}}, Path("project.toml"))
    {'engine': {'kind': 'spark', 'master': None, 'conf': {'spark.ui.port': '1'}}}
    >>> read_engine({}, Path("project.toml"))
    {'engine': {'kind': 'duckdb'}}
    """
    said = config.get("engine", {})
    if not isinstance(said, dict) or not isinstance(said.get("kind", ""), str):
        raise BadInput(f"{where}: [engine] cannot be read.", fix='write kind = "spark" below it.')
    kind = str(said.get("kind", "duckdb"))
    if kind not in KINDS:
        raise unknown("engine", kind, KINDS)
    wrong = set(said) - {"kind", *(_OF_SPARK if kind == "spark" else ())}
    if wrong:
        raise BadInput(
            f"{where}: [engine] {', '.join(sorted(wrong))} means nothing to {kind}.",
            fix=f'take it out; master and conf go with kind = "{KINDS[1]}".',
        )
    if kind == KINDS[0]:
        return {"engine": {"kind": kind}}
    master, conf = said.get("master"), said.get("conf", {})
    plain = isinstance(conf, dict) and all(isinstance(v, str | int | float) for v in conf.values())
    if not isinstance(master, str | None) or not plain:
        raise BadInput(
            f"{where}: [engine] master or conf cannot be read.",
            fix='write master = "local[2]" and [engine.conf] "spark.executor.memory" = "4g".',
        )
    return {"engine": {"kind": kind, "master": master, "conf": _told(conf)}}


def _told(conf: dict[str, Any]) -> dict[str, str]:
    """Write settings as Spark reads them.

    Examples
    --------
    >>> _told({"spark.sql.adaptive.enabled": False, "spark.sql.shuffle.partitions": 64})
    {'spark.sql.adaptive.enabled': 'false', 'spark.sql.shuffle.partitions': '64'}
    """
    return {str(k): str(v).lower() if isinstance(v, bool) else str(v) for k, v in conf.items()}


def engine_of(config: dict[str, Any]) -> Engine:
    """Make the engine of a project.

    Raises
    ------
    MissingExtra
        If it needs what is not installed.
    """
    said = config["engine"]
    if said["kind"] == "spark":
        from tidemill.adapters.engines.spark import SparkEngine
        from tidemill.adapters.sources.spark_session import session_of

        return SparkEngine(session_of(said["master"], said["conf"]))
    from tidemill.adapters.engines.duckdb import DuckDBEngine

    return DuckDBEngine()
