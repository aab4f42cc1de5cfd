package policy

import (
	"maps"
	"slices"
)

// Fields returns the fields of a note in the order of their names.
func Fields(m map[string]string) []Field {
	var fields []Field
	for _, name := range slices.Sorted(maps.Keys(m)) {
		fields = append(fields, Field{Name: name, Value: m[name]})
	}
	return fields
}

// WithField returns fields with one more.
func WithField(fields []Field, name, value string) []Field {
	all := map[string]string{name: value}
	for _, f := range fields {
		all[f.Name] = f.Value
	}
	return Fields(all)
}
