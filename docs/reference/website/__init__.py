"""The site: which pages it has, how their links are rewritten, and how they are checked."""
