"""Messages to the owners of what is open: technical, complete in the first message, without patient data."""
