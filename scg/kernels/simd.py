"""Branch-free elementary functions that LLVM vectorises inside any loop that calls them."""
