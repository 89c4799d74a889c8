"""The message exchange (PS3.7): command sets, messages in fragments, statuses."""
