#include "funcdata.h"
#include "textflag.h"

// Where the kernel starts the program; entry_linux.go says why. It finds the
// stack as execve(2) has laid it out, and hands it on with one more string:
//
//	argc, argv[0], ..., 0, GOMAXPROCS=1, envp[0], ..., 0, auxv
//
// so what comes before it moves down by one word.

DATA  ·oneThread+0(SB)/8, $"GOMAXPRO"
DATA  ·oneThread+8(SB)/8, $"CS=1\x00\x00\x00\x00"
GLOBL ·oneThread(SB), RODATA|NOPTR, $16

TEXT ociruntime_entry(SB), NOSPLIT|NOFRAME, $0
	MOVL $157, AX                // prctl(2)
	MOVL $30, DI                 // PR_GET_TIMERSLACK
	SYSCALL
	CMPQ AX, $0                  // none with a real-time policy
	JLE  environment
	MOVQ AX, ·callerSlack(SB)
	MOVL $157, AX
	MOVL $29, DI                 // PR_SET_TIMERSLACK
	MOVL $5000000, SI            // 5 ms
	SYSCALL

environment:
	MOVQ 0(SP), CX               // argc
	ADDQ $2, CX                  // and itself, and the 0
	MOVQ SP, SI
	SUBQ $8, SP
	MOVQ SP, DI
	CLD
	REP; MOVSQ                   // DI ends where envp began
	LEAQ ·oneThread(SB), AX
	MOVQ AX, 0(DI)
	JMP  _rt0_amd64_linux(SB)

// func GrowStack()
TEXT ·GrowStack(SB), 0, $24576-0
	NO_LOCAL_POINTERS
	RET                          // what the linker puts before it has done it
