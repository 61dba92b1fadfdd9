"""The options of every command, typed: which values they take and what each means."""
