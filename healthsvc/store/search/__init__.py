"""Search: parameters read into a tree (``parse``, ``ast``), written as SQL over the index tables (``sql``, ``plan``), answered in pages."""

from healthsvc.store.search.find import Page, matches_all, may_see, search, select_all

__all__ = ["Page", "matches_all", "may_see", "search", "select_all"]
