"""Real PostgreSQL servers for tests, and what can befall them. Linux, Python 3.11, standard library only.

A test in another directory puts `tests` on its path and says `from cluster import Cluster, Proxy`.
"""

from .bouncer import PgBouncer
from .disk import NotPermitted, SmallDisk
from .pg import Cluster, Refused, failover, url_of
from .programs import Missing
from .proxy import CommitCut, Cut, Proxy
from .sql import SqlError, eventually, psql
from .tls import Pair, TlsFiles

__all__ = [
    "Cluster", "CommitCut", "Cut", "Missing", "NotPermitted", "Pair", "PgBouncer", "Proxy", "Refused", "SmallDisk", "SqlError",
    "TlsFiles", "eventually", "failover", "psql", "url_of",
]
