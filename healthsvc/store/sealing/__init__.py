"""落盘加密 At rest: personal values are sealed under keys outside the database, and looked up by keyed hashes."""

from healthsvc.store.sealing.keys import Seal
from healthsvc.store.sealing.sealer import Sealer

__all__ = ["Seal", "Sealer"]
