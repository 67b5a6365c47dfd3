"""The workloads that come with the library, by the names that `sgdr workloads` lists."""
