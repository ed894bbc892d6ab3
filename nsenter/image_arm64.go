package nsenter

const (
	elfMachine = 183   // EM_AARCH64
	imagePage  = 65536 // arm64 kernels have pages of 4, 16 or 64 KiB
)
