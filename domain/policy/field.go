package policy

// A Field is one member of a note.
type Field struct{ Name, Value string }

func FieldOf(fields []Field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}
