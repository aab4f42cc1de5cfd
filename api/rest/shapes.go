package rest

import (
	"github.com/danielgtaylor/huma/v2"
)

// openAnswers lets every answer gain members: a client that was made of this
// description takes what a later program answers. Requests stay closed: what is
// not known there is refused. No shape is both.
func openAnswers(doc *huma.OpenAPI) {
	seen := map[*huma.Schema]bool{}
	for _, item := range doc.Paths {
		for _, op := range operations(item) {
			walkAnswers(doc, op, seen, func(s *huma.Schema) {
				if s.AdditionalProperties == false {
					s.AdditionalProperties = nil
				}
			})
		}
	}
}

// nothingBesideRefs puts what is said beside a $ref around it: before OpenAPI 3.1
// nothing that stands beside one is seen.
func nothingBesideRefs(doc *huma.OpenAPI) {
	seen := map[*huma.Schema]bool{}
	apart := func(s *huma.Schema) {
		if s.Ref != "" && s.Description != "" {
			s.AllOf, s.Ref = []*huma.Schema{{Ref: s.Ref}}, ""
		}
	}

	for _, item := range doc.Paths {
		for _, op := range operations(item) {
			walkAnswers(doc, op, seen, apart)
			if op.RequestBody == nil {
				continue
			}
			for _, media := range op.RequestBody.Content {
				walkSchema(doc, media.Schema, seen, apart)
			}
		}
	}
}

func walkAnswers(doc *huma.OpenAPI, op *huma.Operation, seen map[*huma.Schema]bool, visit func(*huma.Schema)) {
	for _, r := range op.Responses {
		for _, media := range r.Content {
			walkSchema(doc, media.Schema, seen, visit)
		}
	}
}

// walkSchema visits a schema and what it is made of, once.
func walkSchema(doc *huma.OpenAPI, s *huma.Schema, seen map[*huma.Schema]bool, visit func(*huma.Schema)) {
	if s == nil || seen[s] {
		return
	}
	seen[s] = true
	if s.Ref != "" {
		walkSchema(doc, doc.Components.Schemas.SchemaFromRef(s.Ref), seen, visit)
	}
	visit(s)

	walkSchema(doc, s.Items, seen, visit)
	for _, of := range s.Properties {
		walkSchema(doc, of, seen, visit)
	}
	for _, several := range [][]*huma.Schema{s.OneOf, s.AnyOf, s.AllOf} {
		for _, of := range several {
			walkSchema(doc, of, seen, visit)
		}
	}
	if of, is := s.AdditionalProperties.(*huma.Schema); is {
		walkSchema(doc, of, seen, visit)
	}
}
