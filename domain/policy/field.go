package policy

// A Field is one member of a fact, by which a duty may be restricted.
type Field struct{ Name, Value string }

// FieldOf returns the value of the field of that name; empty if there is none.
func FieldOf(fields []Field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}
