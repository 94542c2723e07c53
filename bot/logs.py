"""Logs: one JSON line an event on a server, coloured lines on a terminal."""

import logging
import sys

import structlog


def set_up(*, level: int = logging.INFO) -> None:
    """Events are named, values are fields; what libraries log comes out the same way."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    terminal = sys.stderr.isatty()
    last: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer()
        if terminal
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # Library chatter: access lines hold tokens, the scheduler speaks every second.
    for name in ("aiohttp.access", "alembic", "mail.log"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # A beat that takes longer than a second is not news: the next one does the rest.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
