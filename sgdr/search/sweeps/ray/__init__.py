"""A sweep by several workers on Ray: `launcher` sees it through, `worker` is what runs on the nodes."""
