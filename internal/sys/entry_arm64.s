#include "funcdata.h"
#include "textflag.h"

// Where the kernel starts the program; entry_amd64.s says how. The stack pointer
// must be a multiple of 16 here, so the string is put in twice.

DATA  ·oneThread+0(SB)/8, $"GOMAXPRO"
DATA  ·oneThread+8(SB)/8, $"CS=1\x00\x00\x00\x00"
GLOBL ·oneThread(SB), RODATA|NOPTR, $16

TEXT ociruntime_entry(SB), NOSPLIT|NOFRAME, $0
	MOVD $167, R8                // prctl(2)
	MOVD $30, R0                 // PR_GET_TIMERSLACK
	SVC
	CMP  $0, R0                  // none with a real-time policy
	BLE  environment
	MOVD R0, ·callerSlack(SB)
	MOVD $29, R0                 // PR_SET_TIMERSLACK
	MOVD $5000000, R1            // 5 ms
	SVC

environment:
	MOVD 0(RSP), R0              // argc
	ADD  $2, R0                  // and itself, and the 0
	MOVD RSP, R1
	SUB  $16, RSP
	MOVD RSP, R2

word:
	MOVD.P 8(R1), R3
	MOVD.P R3, 8(R2)             // R2 ends where the room for the strings is
	SUB    $1, R0
	CBNZ   R0, word
	MOVD   $·oneThread(SB), R3
	MOVD   R3, 0(R2)
	MOVD   R3, 8(R2)
	JMP    _rt0_arm64_linux(SB)

// func GrowStack()
TEXT ·GrowStack(SB), 0, $24576-0
	NO_LOCAL_POINTERS
	RET                          // what the linker puts before it has done it
