"""一键通 Emergency: an alarm comes in, the contact chain is called until somebody takes it, every second is logged."""
