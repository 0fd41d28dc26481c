"""订阅 Subscriptions: other systems are told what is written here, by topic (R5's way, backported to R4) or by a search."""
