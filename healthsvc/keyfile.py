"""How a key comes into its folder: readable by the service alone, whole or not at all."""

import os
import secrets
from pathlib import Path
from typing import Final

_PRIVATE: Final = 0o600


def keep(path: Path, text: str) -> bool:
    """Write a key where none is yet; of two processes that start at once, the first one's key is everybody's.

    Returns:
        Whether it was ours that stayed.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.parent / f".{secrets.token_hex(8)}"
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)
    except FileExistsError:
        return False
    finally:
        fresh.unlink()
    return True
