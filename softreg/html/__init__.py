"""Reports as single web pages: every number and picture inside, nothing fetched, no script."""

from softreg.html.page import comparison_html

__all__ = ["comparison_html"]
