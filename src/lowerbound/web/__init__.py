"""A trained run over HTTP, and a page on which a person plays with it (extra `web`)."""
