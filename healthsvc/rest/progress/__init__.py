"""长任务 long work as whoever waits for it sees it: how far it has come, what came of it, and how to call it off."""
