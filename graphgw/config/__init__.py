"""From graphgw.yaml to the packages' own settings."""
