"""A generator of digits whose codes can be read off its images, beside an ordinary one."""
