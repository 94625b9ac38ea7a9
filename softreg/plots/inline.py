"""Pictures as SVG elements that can stand side by side in one page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from softreg.plots.display import rendered

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_REFERENCE = re.compile(r"url\(#([^)]+)\)")


def inline_svg(figure: Figure, prefix: str, label: str) -> tuple[str, float]:
    """``figure`` as an ``<svg>`` element for HTML, and its natural width in CSS pixels.

    Every identifier inside begins with ``prefix``, so that pictures of one page never share one.  The element has a
    viewBox and no size: its page decides how wide it is.  ``label`` is what a screen reader says.
    """
    root = ElementTree.fromstring(rendered(figure, "svg", 150.0))
    for parent in list(root.iter()):
        for child in list(parent):
            # The page has one style for all pictures; metadata would say when and by what they were drawn.
            if child.tag == f"{_SVG}style" or not child.tag.startswith(_SVG) or child.tag == f"{_SVG}metadata":
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        for name, value in list(element.attrib.items()):
            if name == "id":
                element.set(name, prefix + value)
            elif name == _LINK:
                del element.attrib[name]
                element.set("href", f"#{prefix}{value[1:]}" if value.startswith("#") else value)
            elif "url(#" in value:
                element.set(name, _REFERENCE.sub(rf"url(#{prefix}\1)", value))
    width = float(root.get("viewBox", "0 0 640 0").split()[2]) * 96 / 72
    view = root.get("viewBox", "")
    root.attrib.clear()
    root.attrib.update({"viewBox": view, "role": "img", "aria-label": label})
    return ElementTree.tostring(root, encoding="unicode").replace(" />", "/>"), width
