"""What an adapter says where its framework is not installed."""


def missing(package: str, extra: str) -> ImportError:
    """The error for an adapter without its framework, naming the extra that installs it."""
    return ImportError(
        f"sgdr.adapters.{extra} needs {package}, which is not installed; pip install 'sgdr[{extra}]'"
    )
