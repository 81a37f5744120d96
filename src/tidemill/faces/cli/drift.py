"""``tidemill drift``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter
from rich.console import Console

from tidemill.core.errors import BadValue
from tidemill.core.verdict import Verdict
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.pages import can_draw
from tidemill.faces.cli.printing import answer, note

if TYPE_CHECKING:
    from tidemill.core.ports import Json
    from tidemill.faces.comparing import Drift
    from tidemill.faces.counted import Asked

GROUP = Group("How it is compared", sort_key=4)
_NARROWEST = 80

_Column = Annotated[str | None, Parameter(group=GROUP, metavar="COLUMN")]
_Names = Annotated[
    tuple[str, ...], Parameter(group=GROUP, negative=(), show_default=False, metavar="COLUMN")
]
_File = Annotated[Path | None, Parameter(group=GROUP, metavar="FILE")]


def drift(
    reference: Annotated[str, Parameter(name="REFERENCE")],
    current: Annotated[str | None, Parameter(name="CURRENT", show_default=False)] = None,
    /,
    *,
    time: _Column = None,
    zone: Annotated[str, Parameter(group=GROUP, metavar="ZONE")] = "UTC",
    columns: _Names = (),
    ignore: _Names = (),
    alpha: Annotated[float, Parameter(group=GROUP, metavar="P")] = 0.01,
    floor: Annotated[float | None, Parameter(group=GROUP, metavar="SD")] = None,
    category_floor: Annotated[float | None, Parameter(group=GROUP, metavar="SHARE")] = None,
    table: Annotated[str | None, Parameter(group=GROUP, metavar="NAME")] = None,
    scan_cap: Annotated[int | None, Parameter(group=GROUP, metavar="ROWS")] = None,
    show_sql: Annotated[bool, Parameter(group=GROUP, negative=())] = False,
    engine: Annotated[str, Parameter(group=GROUP, metavar="NAME")] = "duckdb",
    html: _File = None,
    map: _File = None,  # noqa: A002 - what the option is called
    profile: _File = None,
    options: Options = USUAL,
) -> Exit:
    """Say which columns changed between two tables, by how much, and whether that is bad.

    No project is needed and nothing is changed. The worst column comes first. ALERT means
    that the change is too large (--floor) and chance does not make it (--alpha, for all
    columns together). Ends with 4 when a column is ALERT, else with 0.

    Parameters
    ----------
    reference
        What is usual: a Parquet, CSV, JSON lines or Delta table, a folder, a pattern, s3://,
        the address of a database, or a .profile file.
    current
        What is compared with it; left out with --profile.
    time
        When each row was; then days are the evidence, as they should be wherever rows of
        a day share something. Without it rows are.
    zone
        Whose midnights part the days; also the zone of times that have none.
    columns
        Which columns are compared, if not all; a,b or once for each.
    ignore
        Columns that are not compared; a,b or once for each.
    alpha
        How likely one false ALERT among all columns may be.
    floor
        From which distance on a number is too far, in robust sd [usually: 0.1].
    category_floor
        From which share of rows on categories and missing values are [usually: 0.05].
    table
        The table, where the address is that of a database and does not end in ?table=NAME.
    scan_cap
        Refuse a table of a database that has more rows.
    show_sql
        Write each query on a database to standard error before it is sent.
    engine
        What counts Parquet files and Delta tables: duckdb, or spark, which reads them, and tables
        of its own at spark://?table=NAME, where they are; the master is what SPARK_REMOTE or
        spark-submit says, else this machine.
    html
        Write a page with both distributions of each column, too: one file, no network.
    map
        Write a picture of 500 rows of each table too, like rows near each other, by t-SNE or,
        where it is installed, UMAP: to look at, it is no evidence.
    profile
        Write the profile of REFERENCE there, to compare with later without its rows.
    """
    from tidemill.faces.cli.understanding import listed
    from tidemill.faces.counted import Asked

    asked = Asked(
        time=time,
        zone=zone,
        columns=tuple(listed(columns)),
        ignore=tuple(listed(ignore)),
        table=table,
        most=scan_cap,
        show=note if show_sql else None,
        engine=engine,
    )
    if profile is not None:
        return _profile(reference, current, profile, asked, options)
    if current is None:
        raise BadValue(
            "there is nothing to compare with: one table was named.",
            fix="name two: tidemill drift REFERENCE CURRENT; or write a --profile of one.",
        )
    can_draw(html)
    can_draw(map, option="--map")
    found = _compare(
        reference, current, asked, alpha=alpha, floor=floor, category_floor=category_floor
    )
    document = found.to_dict()
    if html is not None:
        found.save_html(html)
        note(f"wrote {html}")
    if map is not None:
        from tidemill.faces.mapping import map_of, save_map

        save_map(map_of(reference, current, asked), map)
        note(f"wrote {map}")
    answer(document, options, lambda out: _show(out, document, html))
    return Exit.PROBLEMS if found.report.verdict is Verdict.ALERT else Exit.DONE


def _compare(
    reference: str,
    current: str,
    asked: Asked,
    *,
    alpha: float,
    floor: float | None,
    category_floor: float | None,
) -> Drift:
    if "numpy" not in sys.modules:
        # The matrices here are small: threads wait for each other longer than they compute.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from tidemill.faces.comparing import drift

    floors = None
    if floor is not None or category_floor is not None:
        from tidemill.monitoring.drift import Floors

        usual = Floors()
        floors = Floors(
            number=usual.number if floor is None else floor,
            category=usual.category if category_floor is None else category_floor,
        )
    return drift(
        reference,
        current,
        time=asked.time,
        zone=asked.zone,
        columns=asked.columns,
        ignore=asked.ignore,
        alpha=alpha,
        floors=floors,
        table=asked.table,
        scan_cap=asked.most,
        show_sql=asked.show,
        engine=asked.engine,
    )


def _profile(
    reference: str, current: str | None, file: Path, asked: Asked, options: Options
) -> Exit:
    from tidemill.adapters.sources.addresses import without_login
    from tidemill.faces.counted import PROFILE, profiled

    if current is not None:
        raise BadValue(
            "--profile is written of one table, and two were named.",
            fix="leave CURRENT out; compare later: tidemill drift FILE.profile CURRENT.",
        )
    if asked.time is not None:
        raise BadValue(
            "a profile is of all rows: --time has no meaning for it.", fix="leave --time out."
        )
    if file.suffix != PROFILE:
        raise BadValue(
            f"--profile {file}: its name must end with {PROFILE}.",
            fix=f"call it {file.with_suffix(PROFILE).name}.",
        )
    found = profiled(reference, asked)
    content = found.to_bytes()
    file.write_bytes(content)
    document: Json = {
        "profile": str(file),
        "table": without_login(reference),
        "rows": found.rows,
        "columns": dict(found.kinds),
        "skipped": dict(found.skipped),
        "bytes": len(content),
    }
    answer(document, options, lambda out: _show_profile(out, document))
    return Exit.DONE


def _show_profile(out: Console, found: Json) -> None:
    columns = len(found["columns"])
    out.print(
        f"wrote {found['profile']}: {found['rows']:,} rows, {columns} columns, "
        f"{found['bytes']:,} bytes",
        soft_wrap=True,
    )
    for name, why in found["skipped"].items():
        out.print(f"  without {name}: {why}", soft_wrap=True)
    out.print(f"Next: tidemill drift {found['profile']} CURRENT", soft_wrap=True)


def _show(out: Console, document: Json, html: Path | None) -> None:
    from tidemill.faces.report.drift_terminal import lines

    for line in lines(document, width=max(out.width, _NARROWEST)):
        out.print(line)
    if html is None and any(c["verdict"] in {"ALERT", "WARN"} for c in document["columns"]):
        out.print("Next: --html drift.html draws both distributions of each column.")
