#include "textflag.h"

// Signal handlers that are no Go code: they run on whatever thread the kernel
// picks, on its alternate stack, and touch nothing but the pipe. The kernel
// saves and restores all registers, see sigreturn(2).

// caught writes the signal's number, one byte, to the pipe of Catch.
TEXT ·caught(SB), NOSPLIT|NOFRAME, $0
	PUSHQ DI                    // the first argument: the signal
	MOVL  ·caughtPipe(SB), DI
	MOVQ  SP, SI                // its lowest byte
	MOVL  $1, DX
	MOVL  $1, AX                // write(2); a full pipe drops the signal
	SYSCALL
	POPQ  DI
	RET                         // to restore

// restore is where handlers return to on amd64.
TEXT ·restore(SB), NOSPLIT|NOFRAME, $0
	MOVL $15, AX                // rt_sigreturn(2)
	SYSCALL
	INT  $3                     // not reached

// func handlers() (handler, restorer uintptr)
TEXT ·handlers(SB), NOSPLIT, $0-16
	LEAQ ·caught(SB), AX
	MOVQ AX, handler+0(FP)
	LEAQ ·restore(SB), AX
	MOVQ AX, restorer+8(FP)
	RET
