package rootfs

import "errors"

var (
	errRequired    = errors.New("is required")
	errNotAbsolute = errors.New("is not an absolute path")
	errNoMountNS   = errors.New("needs a mount namespace: this runtime never mounts in the host's")
	errPropagation = errors.New("is none of shared, slave, private, unbindable, or these with an r before them")
	errNotOrdinary = errors.New("must be mounted on ordinary directory")
	errNoDevpts    = errors.New("needs a mount of type devpts on /dev/pts")
	errDevLink     = errors.New("is a symbolic link in the image")
)
