package form

// An Error is a constant error that says what a text should have looked like. It
// never holds the text itself, which may be personal.
type Error string

func (e Error) Error() string { return string(e) }
