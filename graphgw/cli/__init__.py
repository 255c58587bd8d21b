"""The graphgw command; one file per subcommand."""
