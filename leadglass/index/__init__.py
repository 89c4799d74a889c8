"""What is known: state (decisions, truth) and catalog (derived), each one SQLCipher database."""
