# SPDX-License-Identifier: Apache-2.0
"""The documents say what the programs do."""

import re
import subprocess

from harness.stack import BIN, ROOT


def test_the_configuration_page_lists_what_the_programs_know():
    done = subprocess.run([ROOT / "tools" / "configuration-page", BIN, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_links_between_documents_lead_somewhere():
    broken = []
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)|src=\"([^\"]+)\"", page.read_text(encoding="utf-8")):
            path = target[0] or target[1]
            if not path.startswith("http") and not (page.parent / path).exists():
                broken.append(f"{page.relative_to(ROOT)}: {path}")
    assert not broken
