"""Pictures of a page as readers see it: wide, on a tablet, on a phone, and on paper.

    python tests/browser/screens.py report.html [folder]

writes ``<page>-1440.png``, ``-768.png``, ``-390.png``, ``<page>.pdf`` and a picture of each of its pages, and says how
many screens a phone needs. The pictures of paper need ``pdftoppm`` (poppler-utils).
"""

import shutil
import subprocess
import sys
from pathlib import Path

from lab import OUT, TALLEST, chromium

SCREENS = {1440: 900, 768: 1024, 390: 844}


def take_pictures(page_file, folder):
    """Take all pictures of an HTML file; returns the height of the page, in pixels, by width of the screen."""
    folder.mkdir(parents=True, exist_ok=True)
    heights = {}
    with chromium() as browser:
        for width, height in SCREENS.items():
            page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=1)
            page.goto(page_file.resolve().as_uri())
            page.wait_for_timeout(300)
            heights[width] = page.evaluate("document.documentElement.scrollHeight")
            page.set_viewport_size({"width": width, "height": min(heights[width], TALLEST)})
            page.screenshot(path=folder / f"{page_file.stem}-{width}.png")
            wide = page.evaluate("document.documentElement.scrollWidth")
            told = f", and scrolls sideways to {wide} px" if wide > width else ""
            print(f"{width} px: {heights[width]} px high, {heights[width] / height:.1f} screens{told}")
            page.close()
        page = browser.new_page()
        page.goto(page_file.resolve().as_uri())
        paper = folder / f"{page_file.stem}.pdf"
        page.pdf(path=paper, format="A4", prefer_css_page_size=True, print_background=True)
    if shutil.which("pdftoppm"):
        subprocess.run(["pdftoppm", "-r", "60", "-png", paper, folder / f"{page_file.stem}-paper"], check=True)
    return heights


if __name__ == "__main__":
    take_pictures(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else OUT)
