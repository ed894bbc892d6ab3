package libcontainer

import "errors"

// What callers and engines decide on; the words are runc's, which containerd,
// CRI-O and dockerd look for in messages. Test with errors.Is.
var (
	ErrExist        = errors.New("container with given ID already exists")
	ErrNotExist     = errors.New("container does not exist")
	ErrInvalidID    = errors.New("invalid container ID format")
	ErrEmptyID      = errors.New("container id cannot be empty")
	ErrNotRunning   = errors.New("container not running")
	ErrNotPaused    = errors.New("container not paused")
	ErrExecStopped  = errors.New("cannot exec in a stopped container")
	ErrExecPaused   = errors.New("cannot exec in a paused container (use --ignore-paused to override)")
	ErrStartRunning = errors.New("cannot start an already running container")
	ErrStartStopped = errors.New("cannot start a container that has stopped")
	ErrStartPaused  = errors.New("cannot start a container that is paused")
	ErrNoProcess    = errors.New("cannot start a container whose config has no process")
)
