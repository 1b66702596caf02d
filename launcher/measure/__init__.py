"""What is there: files, interpreter, models, administrators' code, read and hashed; and how it comes into RTMR 3."""
