"""What a launch is to be: settings, and what was found on the machine, become one value.

Nothing here starts a process, and nothing reads this process's environment.
"""
