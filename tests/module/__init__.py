"""Floor 3 against an emulated module: links, pool, bring-up, session, lifecycle."""
