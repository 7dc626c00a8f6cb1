"""Code that several folders of tests use. `tests/pytest.ini` puts it on the path."""
