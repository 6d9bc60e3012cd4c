"""The world outside: processes, files, network, clock."""
