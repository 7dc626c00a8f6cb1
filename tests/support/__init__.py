"""What more than one folder of tests uses. `tests/pytest.ini` puts it on the path."""
