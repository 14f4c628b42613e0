"""What speaks HTTP and websockets below Django."""
