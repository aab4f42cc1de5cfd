package schema

import (
	"reflect"

	"consentledger/api/wire"
)

// Told returns the JSON Schema of what is told, by its name: told-consent or
// told-obligation.
func Told(name string) (map[string]any, bool) {
	switch name {
	case "told-consent":
		return schemaOf(reflect.TypeFor[wire.ConsentChange](), anAnswer), true
	case "told-obligation":
		return schemaOf(reflect.TypeFor[wire.Outgoing](), anAnswer), true
	}
	return nil, false
}
