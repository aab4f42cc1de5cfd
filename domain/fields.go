package domain

import (
	"maps"
	"slices"

	"consentledger/domain/policy"
)

// Fields returns the fields of a note in the order of their names.
func Fields(m map[string]string) []policy.Field {
	var fields []policy.Field
	for _, name := range slices.Sorted(maps.Keys(m)) {
		fields = append(fields, policy.Field{Name: name, Value: m[name]})
	}
	return fields
}

// withField returns fields with one more.
func withField(fields []policy.Field, name, value string) []policy.Field {
	all := map[string]string{name: value}
	for _, f := range fields {
		all[f.Name] = f.Value
	}
	return Fields(all)
}
