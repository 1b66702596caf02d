"""What runs: accounts, folders and processes, started, watched and stopped."""
