package nsenter

const (
	elfMachine = 62 // EM_X86_64
	imagePage  = 4096
)
