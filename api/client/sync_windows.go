package client

// syncDir does nothing: Windows writes names when it writes files.
func syncDir(string) error { return nil }
