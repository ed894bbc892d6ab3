#include "textflag.h"

// Signal handlers that are no Go code; see catch_amd64.s.

// caught writes the signal's number, one byte, to the pipe of Catch.
TEXT ·caught(SB), NOSPLIT|NOFRAME, $0
	SUB   $16, RSP
	MOVD  R0, 0(RSP)            // the first argument: the signal
	MOVW  ·caughtPipe(SB), R0
	MOVD  RSP, R1               // its lowest byte
	MOVD  $1, R2
	MOVD  $64, R8               // write(2); a full pipe drops the signal
	SVC
	ADD   $16, RSP
	RET                         // to rt_sigreturn(2) in the vDSO

// func handlers() (handler, restorer uintptr)
TEXT ·handlers(SB), NOSPLIT, $0-16
	MOVD $·caught(SB), R0
	MOVD R0, handler+0(FP)
	MOVD ZR, restorer+8(FP)
	RET
