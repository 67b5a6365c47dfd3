"""Running a sweep from its options to the last trial, alone or with other workers."""
