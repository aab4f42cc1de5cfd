package parse

// IsOperators reports whether a type of event is one that operators send, and apps do not,
// or that both may.
func IsOperators(name string) bool {
	k, known := kindOfType(name)
	return known && (k.operator() || k.name == "access.approved")
}
