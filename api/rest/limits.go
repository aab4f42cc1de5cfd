package rest

// Limits are how much the server that answered takes at once, and how much is under way.
type Limits struct {
	MemoryCeiling  int64        `json:"memory_ceiling" doc:"bytes; while the process has more, it takes nothing new but questions about one person"`
	Memory         int64        `json:"memory" doc:"bytes that it has"`
	MaxConnections int          `json:"max_connections" doc:"of HTTP; one more is closed at once"`
	Connections    int          `json:"connections"`
	Turned         int64        `json:"turned,omitzero" doc:"connections that were closed because they were too many, since the start"`
	MaxBodies      int64        `json:"max_bodies" doc:"bytes of bodies over HTTP that are read at once"`
	Classes        []ClassLimit `json:"classes"`
}

// A ClassLimit is how much of one kind of work is done at once.
type ClassLimit struct {
	Over    string `json:"over" doc:"http or nats"`
	Class   string `json:"class" doc:"quick: questions about one person; record: one event or order; batch; heavy: lists, reports, exports"`
	AtOnce  int    `json:"at_once" doc:"requests that are worked on at once"`
	Line    int    `json:"line" doc:"how many more wait"`
	Working int    `json:"working"`
	Waiting int    `json:"waiting"`
	Refused int64  `json:"refused" doc:"since the start; nothing of them was done"`
}
