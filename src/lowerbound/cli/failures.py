"""From an exception to the one line on stderr and the exit code."""

import errno

from lowerbound.errors import LowerboundError, SettingError

FAILED, MISUSED, INTERRUPTED = 1, 2, 130


def describe_failure(error: BaseException) -> tuple[str, int]:
    """Give the line that a user reads, empty if none, and the exit code."""
    if isinstance(error, SystemExit):
        return "", error.code if isinstance(error.code, int) else int(error.code is not None)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", INTERRUPTED
    if isinstance(error, LowerboundError):
        return str(error), MISUSED if isinstance(error, SettingError) else FAILED
    usage = _usage(error)
    if usage:
        return usage, MISUSED
    if _out_of_memory(error):
        return (
            "out of memory; choose a smaller --set batch_size or model, smaller images with "
            "--image-size, or a machine with more",
            FAILED,
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" for {error.filename}" if error.filename else ""
        return f"no space left on the disk{where}; free some and try again", FAILED
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror.lower()}", FAILED
    first = (str(error).strip().splitlines() or [""])[0][:200]
    what = f"unexpected {type(error).__name__}" + (f": {first}" if first else "")
    return f"{what}; run again with --debug for the traceback", FAILED


def _usage(error: BaseException) -> str:
    """Put typer's own complaint into one line; empty when it is none of typer's."""
    import typer

    # typer brings its own copy of click or imports it, by version: the parent is right in both
    if not isinstance(error, typer.BadParameter.__mro__[1]):
        return ""
    name = getattr(error, "option_name", None)
    near = getattr(error, "possibilities", None)
    if name and type(error).__name__ == "NoSuchOption":
        message = f"no option {name}" + (f"; did you mean {near[0]}?" if near else "")
    else:
        message = error.format_message().strip()  # type: ignore[attr-defined]
        message = " ".join(message.split()).rstrip(".")
        message = message[:1].lower() + message[1:]
    path = getattr(getattr(error, "ctx", None), "command_path", "lowerbound")
    message = message.replace(". Did you mean", "; did you mean")
    return message if message.endswith("?") else f"{message}; see {path} --help"


def _out_of_memory(error: BaseException) -> bool:
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"  # torch's, which is not imported here
        or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
    )
