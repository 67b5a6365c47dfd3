"""Complete learning curves of many schedules on workloads that differ in kind, to replay searches on."""
