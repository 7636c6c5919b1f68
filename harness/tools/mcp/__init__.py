"""The tools of MCP servers: a connection to each, kept up while it can be."""
