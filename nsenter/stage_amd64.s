#include "textflag.h"

// The stage for amd64. It is never called: it is copied into the image that
// becomes the container process, and runs there at its ELF entry point with
// nothing but the three segments (see program.go for the layout of an op) and
// an unused stack. It refers to no symbol and to no address but theirs.
//
//	R12  the current op
//	R10, R8, R9, DI, SI, DX, AX   as syscall(2) wants them

#define OPS   $0x11000000
#define ARENA $0x12000000

// LOAD moves argument n at offset into reg, or the word it is the address of.
#define LOAD(n, offset, reg) \
	MOVQ offset(R12), reg  \ // the argument as recorded
	BTL  $n, BX            \ // is it the address of a word?
	JCC  2(PC)             \ // no: it is the value
	MOVQ (reg), reg          // yes: the value is there

TEXT ·stage(SB), NOSPLIT|NOFRAME, $0
	MOVQ OPS, R12              // the first op

next:
	MOVBLZX 0(R12), AX         // kind
	CMPL    AX, $1             // kindCheck
	JEQ     check
	CMPL    AX, $2             // kindStore
	JEQ     store

	MOVBLZX 1(R12), BX         // which arguments are words
	LOAD(0, 16, DI)
	LOAD(1, 24, SI)
	LOAD(2, 32, DX)
	LOAD(3, 40, R10)
	LOAD(4, 48, R8)
	LOAD(5, 56, R9)
	MOVL    8(R12), AX         // system call number
	SYSCALL                    // clobbers RCX and R11
	MOVQ    64(R12), BX        // the word for the result
	MOVQ    AX, (BX)
	CMPQ    AX, $-4095         // an errno, as an unsigned comparison
	JCC     failed
	ADDQ    $72, R12           // on to the op that follows
	JMP     next

failed:
	NEGL    AX                 // the errno; is it one of the six listed?
	CMPL    AX, $255           // they have eight bits, and a seccomp filter
	JHI     fault              // may return any of twelve
	CMPB    2(R12), AL
	JEQ     skip
	CMPB    3(R12), AL
	JEQ     skip
	CMPB    4(R12), AL
	JEQ     skip
	CMPB    5(R12), AL
	JEQ     skip
	CMPB    6(R12), AL
	JEQ     skip
	CMPB    7(R12), AL
	JEQ     skip
	JMP     fault

check:
	MOVQ    16(R12), BX        // the word
	MOVQ    (BX), BX
	ANDQ    24(R12), BX        // masked
	CMPQ    BX, 32(R12)        // is the value wanted?
	JNE     differs
	ADDQ    $72, R12           // yes: on to the op that follows
	JMP     next

differs:
	XORL    AX, AX             // a failed check has no errno
	CMPL    12(R12), $0        // is there a way round?
	JEQ     fault

skip:
	MOVL    12(R12), BX        // bytes to the op to continue with
	ADDQ    BX, R12
	JMP     next

store:
	MOVQ    16(R12), BX        // from
	MOVQ    24(R12), DI        // to
	MOVQ    (BX), BX
	MOVQ    BX, (DI)
	ADDQ    $72, R12
	JMP     next

fault:
	MOVQ    ARENA, BX          // word 0 holds the status socket
	MOVQ    (BX), DI
	PUSHQ   AX                 // the message: {address of the op, errno}
	PUSHQ   R12
	MOVQ    SP, SI
	MOVL    $16, DX
	MOVL    $1, AX             // write(2)
	SYSCALL
	TESTQ   AX, AX             // a filter may forbid to say it, or
	JLE     exit               // nobody listens
	MOVQ    (BX), DI           // stay for the parent to look at, until it
	MOVQ    SP, SI             // hangs up or kills us
	MOVL    $16, DX
	XORL    AX, AX             // read(2)
	SYSCALL
exit:
	MOVL    $127, DI
	MOVL    $231, AX           // exit_group(2)
	SYSCALL
	INT     $3                 // not reached

	// The end mark that the copier looks for.
	QUAD    $0x646e652d65676174
	QUAD    $0x0a2e2e2e2e2e2e2e

// func stageText() unsafe.Pointer
TEXT ·stageText(SB), NOSPLIT, $0-8
	LEAQ ·stage(SB), AX
	MOVQ AX, ret+0(FP)
	RET
