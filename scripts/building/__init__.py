"""When is a stage redone, and how is its result put in place?"""
