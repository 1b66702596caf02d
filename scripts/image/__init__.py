"""Which bytes is the machine image made of, how are they put together, and what will the hardware measure of them?"""
