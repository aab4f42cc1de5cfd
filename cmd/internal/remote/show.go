package remote

import (
	"consentledger/cmd/internal/output"

	"github.com/spf13/cobra"
)

// ShowOne asks for what is at a path, and prints it as one object.
func ShowOne(c *cobra.Command, path string, columns ...string) error {
	answer, err := Get(c, path)
	if err != nil {
		return err
	}
	return output.One(c, answer, columns...)
}

// ShowList asks for what is at a path, and prints the rows that are one of its members.
func ShowList(c *cobra.Command, path, member string, columns ...string) error {
	answer, err := Get(c, path)
	if err != nil {
		return err
	}
	return output.List(c, answer, member, columns...)
}

// PostOne sends in as JSON, or nothing if it is nil, and prints the answer as one object.
func PostOne(c *cobra.Command, path string, in any, columns ...string) error {
	answer, err := Post(c, path, in)
	if err != nil {
		return err
	}
	return output.One(c, answer, columns...)
}

// PostNoted is [PostOne] of an answer that may have notes, which are told beside it.
func PostNoted(c *cobra.Command, path string, in any, columns ...string) error {
	answer, err := Post(c, path, in)
	if err != nil {
		return err
	}
	return output.Noted(c, answer, columns...)
}

// PostList sends in as JSON, and prints the rows that are one of the answer's members.
func PostList(c *cobra.Command, path string, in any, member string, columns ...string) error {
	answer, err := Post(c, path, in)
	if err != nil {
		return err
	}
	return output.List(c, answer, member, columns...)
}
