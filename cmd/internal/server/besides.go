package server

import (
	"net/http"

	"consentledger/api/auth"
	"consentledger/api/auth/session"
	"consentledger/api/auth/token"
	"consentledger/api/rest"
	"consentledger/api/siem"
	"consentledger/cmd/internal/buildinfo"
)

// A beside is a route below /v1 that package rest does not answer. Its row says what is
// served and how it is described, so that nothing is served there undescribed.
type beside struct {
	rest.Described
	handler http.Handler
}

// The shapes of tokens, under names that say of what they are.
type (
	TokenRequest token.Request
	TokenAnswer  token.Answer
)

// besides makes the routes of keys, sessions, tokens and a SIEM, and those by which the
// ledger is backed up and its vault gets new keys. They are made once: what is served is
// what is described.
func (h *Server) besides() []beside {
	keys := auth.Handler(h.keys, h.Log)
	sessions := session.Handler(h.sessions, h.Log)

	return []beside{
		{rest.Described{Pattern: "GET /v1/access/keys", ID: "list-keys",
			Summary: "Every key, without the keys themselves",
			Answer:  auth.KeyList{}}, keys},
		{rest.Described{Pattern: "POST /v1/access/keys", ID: "issue-key",
			Summary: "Issue a key, which is shown this once",
			Body:    auth.NewKeyRequest{}, Answer: auth.KeyAnswer{}, DryRun: true}, keys},
		{rest.Described{Pattern: "POST /v1/access/keys/{id}/rotate", ID: "rotate-key",
			Summary: "Make another key for the same principal, which is shown this once",
			Body:    auth.RotateRequest{}, Answer: auth.KeyAnswer{}, DryRun: true}, keys},
		{rest.Described{Pattern: "POST /v1/access/keys/{id}/revoke", ID: "revoke-key",
			Summary: "Let nobody in by a key any more",
			Answer:  auth.KeyAnswer{}, DryRun: true}, keys},
		{rest.Described{Pattern: "GET /v1/access/principals/{id}", ID: "name-principal",
			Summary: "Whose a pseudonym of records is; that somebody asked is recorded",
			Answer:  auth.PrincipalAnswer{}}, keys},
		{rest.Described{Pattern: "POST /v1/access/principals/{id}/erase", ID: "erase-principal",
			Summary: "Erase the name of a principal whose keys have all ended",
			Answer:  auth.PrincipalAnswer{}, DryRun: true}, keys},

		{rest.Described{Pattern: "GET /v1/access/me", ID: "who-am-i", Summary: "Who one is here, and what one may do",
			Answer: session.Me{}}, sessions},
		{rest.Described{Pattern: "GET /v1/access/sessions", ID: "list-sessions",
			Summary: "Who is signed in by a browser",
			Answer:  session.SessionList{}}, sessions},
		{rest.Described{Pattern: "POST /v1/access/sessions/end", ID: "end-sessions",
			Summary: "End every session of a principal",
			Body:    session.EndRequest{}, Answer: session.EndAnswer{}, NoDryRun: session.NoDryRun}, sessions},

		{rest.Described{Pattern: token.Pattern, ID: "mint-token",
			Summary: "A token by which one person's own browser or phone speaks; it is shown this once",
			Body:    TokenRequest{}, Answer: TokenAnswer{}, NoDryRun: token.NoDryRun}, token.Handler(h.tokens, h.Log)},
		{rest.Described{Pattern: siem.Pattern, ID: "siem", Summary: "Who did what and what was refused, as events " +
			"of OCSF, one a line",
			Query: map[string]string{
				"app":   "only events of this app; absent: of all",
				"after": "the cursor of an event, or of an answer; absent: from the beginning",
				"limit": "how many events at most, 1 to 10000; absent: 1000",
			},
			Kind: "application/x-ndjson", Headers: map[string]string{
				siem.CursorHeader: "up to where the answer goes: give it back as after",
				"Link":            `RFC 8288: rel="next" goes on from there, also when there is nothing new yet`,
			}},
			h.siem()},

		{rest.Described{Pattern: "POST /v1/backup", ID: "make-backup",
			Summary: "Make a backup of the log and of the vault, encrypted: parts called log, vault and report",
			Body:    BackupRequest{}, Kind: "multipart/mixed", NoDryRun: onlyReads}, http.HandlerFunc(h.makeBackup)},
		{rest.Described{Pattern: "GET /v1/vault/keys", ID: "list-vault-keys",
			Summary: "Which epochs the vault's keys have; never the keys", Answer: KeysReport{}},
			http.HandlerFunc(h.vaultKeys)},
		{rest.Described{Pattern: "POST /v1/vault/keys/rotate", ID: "rotate-vault-keys",
			Summary: "Begin an epoch of the vault's keys; of several processes, let the newest one wrap that all have",
			Answer:  KeysReport{}, NoDryRun: rotatesAtOnce}, http.HandlerFunc(h.rotateKeys)},
		{rest.Described{Pattern: "POST /v1/vault/keys/retire", ID: "retire-vault-keys",
			Summary: "Destroy older epochs of the vault's keys, by the sum of a copy of the newer file",
			Body:    RetireRequest{}, Answer: KeysReport{}, NoDryRun: retiresAtOnce}, http.HandlerFunc(h.retireKeys)},
		{rest.Described{Pattern: "GET /v1/apps/{app}/log/keys", ID: "list-log-keys",
			Summary: "What the app's log is verified with, and was before", Answer: LogKeysReport{}},
			http.HandlerFunc(h.logKeys)},
		{rest.Described{Pattern: "POST /v1/apps/{app}/log/keys/begin", ID: "begin-log-key",
			Summary: "Have another key sign the app's log beside the one that does",
			Answer:  LogKeysReport{}, NoDryRun: logKeysAtOnce}, http.HandlerFunc(h.beginLogKey)},
		{rest.Described{Pattern: "POST /v1/apps/{app}/log/keys/finish", ID: "finish-log-key",
			Summary: "Destroy the older one of the two keys that sign the app's log",
			Answer:  LogKeysReport{}, NoDryRun: logKeysAtOnce}, http.HandlerFunc(h.finishLogKey)},
	}
}

// described is what the API says of the routes besides its own.
func described(besides []beside) (all []rest.Described) {
	for _, r := range besides {
		all = append(all, r.Described)
	}
	return all
}

func (h *Server) siem() http.Handler {
	events := siem.Source{
		Log: h.Dir.Ledger, Trail: h.trail, Barrier: h.Dir.Store.Barrier, Version: buildinfo.Version,
	}
	return siem.Handler(events, h.Logs.Logged, h.Log)
}
