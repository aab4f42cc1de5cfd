package exit

import (
	"context"
	"errors"

	"consentledger/api/wire"
	"consentledger/domain/refusal"
)

// Code returns the exit code of an error that the program ends with.
func Code(ctx context.Context, err error) int {
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))) {
		return CodeInterrupted
	}
	if coded, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); ok {
		return coded.ExitCode()
	}
	if r, ok := errors.AsType[refusal.Refusal](err); ok {
		return (&ProblemError{Status: wire.ProblemOf(r).Status}).ExitCode()
	}
	if errors.Is(err, ErrUnreachable) {
		return CodeUnavailable
	}
	return CodeError
}
