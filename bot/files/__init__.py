"""Files of leads: any XLSX, XLS or CSV in, checked values per row out."""

from bot.files.rows import Row, lead_rows, lead_sheets
from bot.files.sheet import BYTES_LIMIT, Cell, Sheet, neutralise, read_tables

__all__ = [
    "BYTES_LIMIT",
    "Cell",
    "Row",
    "Sheet",
    "lead_rows",
    "lead_sheets",
    "neutralise",
    "read_tables",
]
