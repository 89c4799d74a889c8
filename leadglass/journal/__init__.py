"""The audit trail: encrypted hash chains, the root chain over them, reader, verifier, PS3.15 A.5 messages."""
