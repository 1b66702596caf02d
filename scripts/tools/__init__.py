"""Which pinned tools does the build run, and in which locked environments?"""
