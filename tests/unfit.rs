//! Servers that answer and do not serve, and reads that are the death of their server.
