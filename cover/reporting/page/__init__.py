"""The HTML report, and the page that compares two runs."""
