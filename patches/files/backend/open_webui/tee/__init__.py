"""What holds users, administrators and their Python to their own, at the web server's doors."""
