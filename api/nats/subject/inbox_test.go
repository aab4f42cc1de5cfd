package subject_test

import (
	"testing"

	"consentledger/api/nats/subject"
)

func TestAnswersGoToInboxesOfOthersAlone(t *testing.T) {
	for reply, want := range map[string]bool{
		"_INBOX.abc.def":                      true,
		"_INBOX.cert-shop.x":                  true,
		"_R_.abc.def":                         true,
		"_GR_.abc.def._INBOX.x.y":             true,
		"_INBOX.consentledgers.x":             true,
		"":                                    false,
		"_INBOX":                              false,
		"_INBOX.consentledger.x":              false,
		"_GR_.abc.def._INBOX.consentledger.x": false,
		"_GR_.abc.def.consent.v1.bank.record": false,
		"_GR_.abc._INBOX.x":                   false,
		"consent.v1.bank.in.consent.given":    false,
		"$JS.API.STREAM.PURGE.CONSENT_IN":     false,
		"$KV.CONSENT_REJECTED_SEEN.1":         false,
		"orders.new":                          false,
		"_inbox.x":                            false,
	} {
		if got := subject.TakesAnswer(reply); got != want {
			t.Errorf("%q: %v", reply, got)
		}
	}
}

func TestAnInboxHasTheNameOfWhoListensThere(t *testing.T) {
	for reply, want := range map[string]string{
		"_INBOX.abc.def":              "abc",
		"_INBOX.cert-shop.x.1":        "cert-shop",
		"_GR_.abc.def._INBOX.key.y.1": "key",
		"_GR_.abc._INBOX.key":         "",
		"_INBOX.abc":                  "",
		"_INBOX..x":                   "",
		"_R_.abc.def":                 "",
		"consent.v1.shop.record":      "",
		"":                            "",
	} {
		if got := subject.InboxName(reply); got != want {
			t.Errorf("%q: %q, want %q", reply, got, want)
		}
	}
}
