"""Command lines; each module has ``main(argv)`` and is imported only when its command is called."""
