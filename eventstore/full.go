package eventstore

import "errors"

// ErrFull says that a write was refused because the disk has too little room
// left. Nothing of it was written; it may be made again once there is room.
// A write that was under way when the disk filled up has another error: nobody
// knows what became of it.
var ErrFull = errors.New("the disk is full")
