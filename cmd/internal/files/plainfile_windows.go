package files

// There are none here: a pipe has no name among files.
const noWait, noLink = 0, 0
