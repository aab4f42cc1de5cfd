package main

// plainFlags are none here: a pipe has no name among files.
const plainFlags = 0
