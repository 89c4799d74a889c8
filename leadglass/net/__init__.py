"""The one asyncio driver of wire: listener, dialer, TLS, deadlines."""
