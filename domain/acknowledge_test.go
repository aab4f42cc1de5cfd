package domain_test

import (
	"errors"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/refusal"
)

// Who acknowledges what was never published is refused, as one who consents to it.
func TestAnAcknowledgementOfWhatWasNeverPublishedIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		cmd  AcknowledgePolicy
		ref  Reference
		code refusal.Code
	}{
		"no policy was published": {AcknowledgePolicy{}, Reference{}, refusal.NoPolicy},
		"of an unknown version":   {AcknowledgePolicy{Version: content.Hash{9}}, ref(), refusal.UnknownVersion},
		"of an unknown policy":    {AcknowledgePolicy{Policy: "other"}, ref(), refusal.UnknownPolicy},
	} {
		events, err := Subject{}.Decide(c.cmd, c.ref, noon, noon)
		if r, refused := errors.AsType[refusal.Refusal](err); !refused || r.Code != c.code || len(events) > 0 {
			t.Errorf("%s: %v, %v", name, events, err)
		}
	}
}
