"""Queue, worker, clock, supervisor, logs, metrics and health: everything that runs."""
