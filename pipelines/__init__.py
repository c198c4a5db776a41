"""The only code that knows DVC and paths: one stage a file."""
