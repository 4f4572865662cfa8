"""The page in real browsers: walls, screens, and the page for administrators."""
