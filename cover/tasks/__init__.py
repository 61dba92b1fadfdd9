"""The commands as composition roots: config -> objects -> call -> say what came out."""
