"""The page's scripts: ours, inside the page, and the only ones that its policy lets run."""

import hashlib
import json
import re
from base64 import b64decode, b64encode
from pathlib import Path
from urllib.parse import quote

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("contents", "code", "scroll", "ledger", "lottery")
PLACE = "script-src OURS"  # in report.html


def script() -> str:
    """All scripts in one; each has a scope of its own."""
    texts = ((TEMPLATES / f"{name}.js").read_text("utf-8") for name in SCRIPTS)
    return "\n".join(["", '"use strict";', *texts])


def policy(text: str) -> str:
    """What lets this script run in a page, and no other."""
    digest = b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"script-src 'sha256-{digest}'"


def lighter(page: str) -> str:
    """The page with its drawings as text, which takes fewer bytes than base 64."""
    plain = "".join(map(chr, range(0x20, 0x7F))).translate(dict.fromkeys(map(ord, '"#%&<')))

    def as_text(found: re.Match) -> str:
        return found[1] + "," + quote(b64decode(found[2]), safe=plain)

    return re.sub(r'( src="data:image/svg\+xml);base64,([\w+/=]+)(?=")', as_text, page)


def with_scripts(page: str, lottery: dict | None) -> str:
    """The page with its scripts, and with the lottery's data if it has one."""
    own = script()
    head, _, body = page.replace(PLACE, policy(own), 1).rpartition("</body>")
    data = f'<script type="application/json" id="lottery-data">{as_script(lottery)}</script>\n'
    return f"{head}{data if lottery else ''}<script>{own}</script>\n</body>{body}"


def as_script(data: object) -> str:
    """JSON that may stand in a page: nothing in it can end its element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", r"\u003c")
