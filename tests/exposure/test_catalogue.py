from pathlib import Path

from leadglass.exposure.reports.catalogue import findings_page


def test_the_page_of_findings_is_up_to_date():
    page = Path(__file__).parents[2] / "docs" / "auditing-findings.md"
    assert page.read_text(encoding="utf-8") == findings_page(), "run tools/findings-page"
