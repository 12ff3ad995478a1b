"""The module as a thing that is up or down: links, bring-up, session, lifecycle."""
