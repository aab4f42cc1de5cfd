package auth

import (
	"context"

	"consentledger/domain/ident"
)

// Reads reports whether who does what ctx is of may read persons of an app, of no app: of
// every one. Where nobody is authenticated, everybody may.
func Reads(ctx context.Context, app string) bool {
	p, authenticated := From(ctx)
	row, _ := rowOf(ReadPerson)
	p = p.doing(row)
	return !authenticated || p.everywhere() || app != "" && p.in(app)
}

// Sender returns the pseudonym of who sent a message that has the values of a header
// Authorization, if they may do an operation in an app. It is for messages of back ends:
// a subject token is no back end's.
func (w Ways) Sender(ctx context.Context, op Operation, app ident.AppName, values []string) (string, error) {
	p, err := w.ofHeader(ctx, values)
	if err != nil {
		return "", err
	}
	row, has := rowOf(op)
	if !has || p.Only != nil || !p.doing(row).In(app) {
		return "", NotTheirs
	}
	return p.Pseudonym, nil
}
