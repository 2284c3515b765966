"""Is everything right? Asked of real files, stores, clocks and servers."""
