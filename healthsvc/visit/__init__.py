"""上门服务 One visit to a person's home, whoever asked for it: its window, its life, its findings."""
