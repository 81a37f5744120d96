"""The Spark session that a project or a command works with."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from tidemill.core.errors import MissingExtra, Unreachable

LOCAL = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}
"""What a session on this machine alone is told, unless it is told something else."""


def local_session(*, cores: int | None = None, **settings: str) -> Any:
    """Return the active Spark session, or start one on this machine.

    Parameters
    ----------
    cores
        How many it uses; None for all.
    settings
        Of Spark, such as ``**{"spark.driver.memory": "1g"}``.

    Returns
    -------
    pyspark.sql.SparkSession

    Raises
    ------
    MissingExtra
        If PySpark is not installed, or there is no Java to run it with.
    """
    return session_of(f"local[{'*' if cores is None else cores}]", settings)


def session_of(master: str | None = None, settings: dict[str, str] | None = None) -> Any:
    """Return the active Spark session, or start one.

    Parameters
    ----------
    master
        Where it runs, such as ``spark://host:7077``, ``yarn`` or ``local[2]``. If left out it is
        where SPARK_REMOTE or ``spark-submit`` says, else this machine.
    settings
        Of Spark, by their full names.

    Returns
    -------
    pyspark.sql.SparkSession

    Raises
    ------
    MissingExtra
        If PySpark is not installed, or there is no Java to run it with.
    Unreachable
        If the session cannot be started.
    """
    try:
        sql = importlib.import_module("pyspark.sql")
        errors = importlib.import_module("pyspark.errors")
    except ImportError:
        raise MissingExtra(
            "Spark needs pyspark.", fix="pip install 'tidemill[spark]', or use DuckDB."
        ) from None
    # Workers must be of this Python, not of whichever is first in the path.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = sql.SparkSession.builder.appName("tidemill")
    if not _runs(sql.SparkSession):
        for name, value in _told(master, settings or {}).items():
            builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    except errors.PySparkRuntimeError as error:
        said = str(error).partition("\n")[0]
        raise MissingExtra(
            f"Spark did not start: {said}",
            fix="install Java 17 or newer (Debian: openjdk-17-jre-headless) and set JAVA_HOME.",
        ) from None
    except Exception as error:
        said = " ".join(str(error).partition("\n\tat ")[0].split())[-300:]
        raise Unreachable(
            f"Spark did not start at {master or 'the usual place'}: {said}.",
            fix="check master and conf under [engine], and that the cluster can be reached.",
        ) from error


def _runs(sessions: Any) -> bool:
    """Tell whether there is a session, which is told nothing: it is the user's."""
    # Active is what this thread began; the first one is anybody's, unless its Spark was stopped.
    first = getattr(getattr(sessions, "_instantiatedSession", None), "_sc", None)
    return sessions.getActiveSession() is not None or getattr(first, "_jsc", None) is not None


def _told(master: str | None, settings: dict[str, str]) -> dict[str, str]:
    """Return what a new session is told.

    Examples
    --------
    >>> _told("yarn", {"spark.executor.memory": "4g"})
    {'spark.executor.memory': '4g', 'spark.master': 'yarn'}
    """
    if master is None and "SPARK_REMOTE" in os.environ:
        return settings
    if master is None and "PYSPARK_GATEWAY_PORT" in os.environ:  # started by spark-submit
        return settings
    master = master or "local[*]"
    usual = LOCAL if master.startswith("local") else {}
    key = "spark.remote" if master.startswith("sc://") else "spark.master"
    return {**usual, **settings, key: master}
