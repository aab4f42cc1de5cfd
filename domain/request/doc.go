// Package request is what persons ask of an app, by type: which right of a policy it uses,
// by which rules an answer is owed, and what the law says where a policy promises nothing.
package request
