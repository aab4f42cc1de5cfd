package intake

import "consentledger/api/nats/subject"

// InboxPrefix is where answers to the ledger's own requests arrive. It lies
// apart from the inboxes of others.
const InboxPrefix = subject.OwnInbox

// Permissions are the subjects that the ledger's NATS user needs, those of
// package operator among them. Responses
// stands for the server's allow_responses, one answer a request: requests are
// answered on a subject that the caller names.
//
// Where an administrator makes the three streams and the two buckets beforehand, the
// subjects in Make are not needed; those in Retire only as long as there may be
// an incoming stream of the older kind. With those in Mend the ledger changes
// what could lose a message, in a stream, a bucket or its consumer that somebody
// else made or changed; without them it refuses to start, or turns red, and says
// which setting it is. Those in Many are needed where several processes take turns at
// the stream of incoming events: each of their terms has a consumer of its own. Those in
// Changes are needed where consents are told on NATS.
var Permissions = struct {
	Publish, Subscribe, Make, Retire, Mend, Many, Changes []string
	Responses                                             bool
}{
	Publish: []string{
		"$JS.API.INFO",
		"$JS.API.STREAM.INFO.CONSENT_IN",
		"$JS.API.STREAM.INFO.CONSENT_REJECTED",
		"$JS.API.STREAM.INFO.KV_CONSENT_REJECTED_SEEN",
		"$JS.API.STREAM.INFO.KV_CONSENT_REJECTED_UNSEEN",
		"$JS.API.STREAM.MSG.GET.CONSENT_IN",
		"$JS.API.CONSUMER.INFO.CONSENT_IN.ledger",
		"$JS.API.CONSUMER.CREATE.CONSENT_IN.ledger",
		"$JS.API.CONSUMER.MSG.NEXT.CONSENT_IN.ledger",
		"$JS.ACK.CONSENT_IN.ledger.>",
		subject.Any + "rejected",
		"$JS.API.STREAM.MSG.GET.CONSENT_REJECTED",
		"$KV.CONSENT_REJECTED_SEEN.*",
		"$JS.API.DIRECT.GET.KV_CONSENT_REJECTED_SEEN",
		"$KV.CONSENT_REJECTED_UNSEEN.*",
		"$JS.API.DIRECT.GET.KV_CONSENT_REJECTED_UNSEEN",
		"$JS.API.STREAM.INFO.CONSENT_OUT",
		"$JS.API.STREAM.MSG.GET.CONSENT_OUT",
		subject.Any + "out.>",
	},
	Subscribe: []string{
		subject.Any + "record",
		subject.Any + "check",
		subject.Any + "prompt",
		subject.Any + "operate",
		subject.Any + "operate.*",
		subject.Any + "query.*",
		subject.Any + "group",
		"$SRV.>",
		InboxPrefix + ".>",
	},
	Make: []string{
		"$JS.API.STREAM.CREATE.CONSENT_IN",
		"$JS.API.STREAM.CREATE.CONSENT_REJECTED",
		"$JS.API.STREAM.CREATE.KV_CONSENT_REJECTED_SEEN",
		"$JS.API.STREAM.CREATE.KV_CONSENT_REJECTED_UNSEEN",
		"$JS.API.STREAM.CREATE.CONSENT_OUT",
	},
	Retire: []string{
		"$JS.API.STREAM.UPDATE.CONSENT_IN",
		"$JS.API.STREAM.DELETE.CONSENT_IN",
	},
	Mend: []string{
		"$JS.API.STREAM.UPDATE.CONSENT_IN",
		"$JS.API.STREAM.UPDATE.CONSENT_REJECTED",
		"$JS.API.STREAM.UPDATE.KV_CONSENT_REJECTED_SEEN",
		"$JS.API.STREAM.UPDATE.KV_CONSENT_REJECTED_UNSEEN",
		"$JS.API.STREAM.UPDATE.CONSENT_OUT",
		"$JS.API.CONSUMER.DELETE.CONSENT_IN.ledger",
	},
	Many: []string{
		"$JS.API.CONSUMER.NAMES.CONSENT_IN",
		"$JS.API.CONSUMER.INFO.CONSENT_IN.*",
		"$JS.API.CONSUMER.CREATE.CONSENT_IN.*",
		"$JS.API.CONSUMER.DELETE.CONSENT_IN.*",
		"$JS.API.CONSUMER.MSG.NEXT.CONSENT_IN.*",
		"$JS.ACK.CONSENT_IN.*.>",
	},
	Changes: []string{
		"$JS.API.STREAM.CREATE.CONSENT_CHANGES",
		"$JS.API.STREAM.UPDATE.CONSENT_CHANGES",
		"$JS.API.STREAM.UPDATE.CONSENT_OUT",
		"$JS.API.STREAM.INFO.CONSENT_CHANGES",
		"$JS.API.STREAM.MSG.GET.CONSENT_CHANGES",
		"$JS.API.STREAM.MSG.DELETE.CONSENT_CHANGES",
		"$JS.API.CONSUMER.CREATE.CONSENT_CHANGES.>",
		"$JS.API.CONSUMER.INFO.CONSENT_CHANGES.*",
		"$JS.API.CONSUMER.MSG.NEXT.CONSENT_CHANGES.*",
		"$JS.API.CONSUMER.DELETE.CONSENT_CHANGES.*",
	},
	Responses: true,
}
