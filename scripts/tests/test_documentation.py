"""Links between the pages of the documentation lead somewhere."""

import re
import unittest

from setup_steps.staging import ROOT

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


class Links(unittest.TestCase):
    def test_every_relative_link_leads_to_a_file(self) -> None:
        dead = [
            f"{page.relative_to(ROOT)}: {target}"
            for page in PAGES
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", without_code(page.read_text()))
            if "://" not in target and not (page.parent / target).exists()
        ]
        self.assertEqual(dead, [])

    def test_every_page_is_in_the_index(self) -> None:
        index = (ROOT / "docs" / "index.md").read_text()
        for page in (ROOT / "docs").rglob("*.md"):
            name = str(page.relative_to(ROOT / "docs"))
            if name != "index.md":
                self.assertIn(f"({name})", index, f"docs/index.md does not mention {name}")


def without_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


if __name__ == "__main__":
    unittest.main()
