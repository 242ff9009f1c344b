"""A real JupyterLab in Debian's chromium: opened untrusted, run, and looked at."""

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

OUT = Path(__file__).parent / "out"
WIDTH, HEIGHT = 1440, 1000
TALLEST = 16000  # pixels of a screenshot: chromium takes no more
SETTINGS = {  # every cell is on the page, and nothing pops up
    "notebook-extension/tracker": '{"windowingMode": "none"}',
    "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
}


@contextmanager
def chromium():
    """Debian's chromium, driven by playwright."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def jupyter_lab(folder, home):
    """JupyterLab on a folder, with settings and signatures of its own in `home`; yields its address."""
    for name, text in SETTINGS.items():
        path = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"JUPYTERLAB_SETTINGS_DIR": home / "settings", "JUPYTER_CONFIG_DIR": home / "config"}
    own |= {"JUPYTER_DATA_DIR": home / "data", "JUPYTER_RUNTIME_DIR": home / "runtime", "IPYTHONDIR": home / "ipython"}
    own |= {"JUPYTERLAB_WORKSPACES_DIR": home / "workspaces"}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
    command += [
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token=",
        "--ServerApp.ip=127.0.0.1",
    ]
    command += [f"--ServerApp.root_dir={folder}"]
    with (home / "lab.log").open("w") as log:
        lab = subprocess.Popen(
            command, stdout=log, stderr=log, env=os.environ | {k: str(v) for k, v in own.items()}, cwd=folder
        )
    try:
        _wait_for(port, lab, home / "lab.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        lab.terminate()
        lab.wait(20)


def _wait_for(port, lab, log):
    for _ in range(600):
        if lab.poll() is not None:
            break
        with socket.socket() as door:
            if door.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


def open_notebook(page, address, name):
    """Open a notebook as it is first opened: its outputs are there, and nobody trusts them."""
    page.goto(f"{address}/lab/tree/{name}?reset")
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=60_000)
    page.wait_for_function(f"{_PANEL} && {_PANEL}.sessionContext.isReady", timeout=60_000)
    page.evaluate("() => { window.jupyterapp.shell.collapseLeft(); }")
    page.wait_for_timeout(800)


_PANEL = "window.jupyterapp.shell.currentWidget"
_DONE = f"""() => {{
  const cells = {_PANEL}.content.widgets.filter(cell => cell.model.type === 'code');
  const status = {_PANEL}.sessionContext.session.kernel.status;
  return status === 'idle' && cells.every(cell => !cell.model.sharedModel.source.trim() || cell.model.executionCount);
}}"""


def run_all(page, seconds):
    """Run all cells; ends when the kernel rests and every cell has its number."""
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    page.wait_for_function(_DONE, timeout=1000 * seconds)
    page.wait_for_timeout(800)


def picture(page, name):
    """Keep a screenshot of the whole notebook, up to the tallest that chromium takes."""
    OUT.mkdir(exist_ok=True)
    bottoms = "[...document.querySelectorAll('.jp-Cell')].map(cell => cell.getBoundingClientRect().bottom)"
    tall = page.evaluate(f"Math.max(...{bottoms})")
    page.set_viewport_size({"width": WIDTH, "height": min(int(tall) + 120, TALLEST)})
    page.wait_for_timeout(400)
    page.screenshot(path=OUT / f"{name}.png")


LOOK = """() => {
  const told = [], runsFirst = /^\\d\\d_\\w+\\.ipynb runs /; // which notebook is run for this one is meant to be said
  const say = (what, element) => told.push(what + ': ' + (element.innerText || '').trim().slice(0, 80));
  for (const error of document.querySelectorAll('.jp-OutputArea [data-mime-type="application/vnd.jupyter.error"]'))
    say('an error', error);
  for (const error of document.querySelectorAll('.jp-OutputArea [data-mime-type="application/vnd.jupyter.stderr"]'))
    if (!error.innerText.trim().split('\\n').every(told => runsFirst.test(told))) say('on stderr', error);
  const printed = '.jp-OutputArea [data-mime-type="application/vnd.jupyter.stdout"] pre';
  for (const lines of document.querySelectorAll(printed))
    for (const line of lines.innerText.split('\\n'))
      if (line.length > 120) told.push('a long line is printed: ' + line.slice(0, 80));
  const shown = '.jp-OutputArea .jp-RenderedHTMLCommon, .jp-OutputArea .jp-RenderedMarkdown';
  for (const output of document.querySelectorAll(shown)) {
    if (getComputedStyle(output).wordBreak === 'break-all') say('words are broken', output);
    if (output.querySelector('dt')) say('a definition list, which JupyterLab tears apart', output);
    if (output.querySelector('mjx-container')) say('a formula was made of a text', output);
    for (const part of output.querySelectorAll('th, td, p, h3, h4, li'))
      if (part.clientWidth && part.scrollWidth > part.clientWidth + 1) say('a text is wider than its place', part);
    for (const row of output.querySelectorAll('tbody tr')) {
      const boxes = [...row.children].map(cell => cell.getBoundingClientRect());
      const cells = boxes.filter(box => box.width && box.height);
      for (let place = 1; place < cells.length; place++)
        if (cells[place].left < cells[place - 1].right - 2 || Math.abs(cells[place].top - cells[place - 1].top) > 2)
          say('label and figure are not side by side', row);
      if (row.getBoundingClientRect().height > 120) say('a row is higher than a few lines', row);
    }
  }
  for (const block of document.querySelectorAll('.jp-OutputArea .sk, .jp-OutputArea .sk-figure'))
    if (block.scrollWidth > block.clientWidth + 1) say('a block is wider than the screen', block);
  for (const output of document.querySelectorAll('.jp-OutputArea-output'))
    if (output.scrollWidth > output.clientWidth + 1) say('an output is wider than the screen', output);
  return told;
}"""


def complaints(page):
    """What is wrong with what is on the screen, in words; an empty list where all is well."""
    return page.evaluate(LOOK)
