"""What web pages are known by: viewers, consoles, listings of directories, security.txt. Pure: bytes in, words out."""
