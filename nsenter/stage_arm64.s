#include "textflag.h"

// The stage for arm64; see stage_amd64.s, which it follows line by line.
//
//	R19       the current op
//	R20, R21  scratch
//	R0-R5,R8  as syscall(2) wants them

#define OPS   $0x11000000
#define ARENA $0x12000000

// LOAD moves argument n at offset into reg, or the word it is the address of.
#define LOAD(n, offset, reg) \
	MOVD offset(R19), reg   \ // the argument as recorded
	TBZ  $n, R21, 2(PC)     \ // it is the value, unless its bit is set
	MOVD (reg), reg           // then the value is in that word

TEXT ·stage(SB), NOSPLIT|NOFRAME, $0
	MOVD  OPS, R19             // the first op

next:
	MOVBU 0(R19), R20          // kind
	CMP   $1, R20              // kindCheck
	BEQ   check
	CMP   $2, R20              // kindStore
	BEQ   store

	MOVBU 1(R19), R21          // which arguments are words
	LOAD(0, 16, R0)
	LOAD(1, 24, R1)
	LOAD(2, 32, R2)
	LOAD(3, 40, R3)
	LOAD(4, 48, R4)
	LOAD(5, 56, R5)
	MOVWU 8(R19), R8           // system call number
	SVC
	MOVD  64(R19), R20         // the word for the result
	MOVD  R0, (R20)
	CMN   $4095, R0            // an errno, as an unsigned comparison
	BHS   failed
	ADD   $72, R19             // on to the op that follows
	B     next

failed:
	NEG   R0, R0               // the errno; is it one of the six listed?
	MOVBU 2(R19), R20
	CMP   R20, R0
	BEQ   skip
	MOVBU 3(R19), R20
	CMP   R20, R0
	BEQ   skip
	MOVBU 4(R19), R20
	CMP   R20, R0
	BEQ   skip
	MOVBU 5(R19), R20
	CMP   R20, R0
	BEQ   skip
	MOVBU 6(R19), R20
	CMP   R20, R0
	BEQ   skip
	MOVBU 7(R19), R20
	CMP   R20, R0
	BEQ   skip
	B     fault

check:
	MOVD  16(R19), R20         // the word
	MOVD  (R20), R20
	MOVD  24(R19), R21
	AND   R21, R20             // masked
	MOVD  32(R19), R21
	CMP   R21, R20             // is the value wanted?
	BNE   differs
	ADD   $72, R19             // yes: on to the op that follows
	B     next

differs:
	MOVD  ZR, R0               // a failed check has no errno
	MOVWU 12(R19), R20         // is there a way round?
	CBZ   R20, fault

skip:
	MOVWU 12(R19), R20         // bytes to the op to continue with
	ADD   R20, R19
	B     next

store:
	MOVD  16(R19), R20         // from
	MOVD  24(R19), R21         // to
	MOVD  (R20), R20
	MOVD  R20, (R21)
	ADD   $72, R19
	B     next

fault:
	MOVD  ARENA, R21           // word 0 holds the status socket
	MOVD  R0, R20
	MOVD  (R21), R0
	SUB   $16, RSP
	MOVD  R19, 0(RSP)          // the message: {address of the op, errno}
	MOVD  R20, 8(RSP)
	MOVD  RSP, R1
	MOVD  $16, R2
	MOVD  $64, R8              // write(2)
	SVC
	CMP   $0, R0               // a filter may forbid to say it, or
	BLE   exit                 // nobody listens
	MOVD  (R21), R0            // stay for the parent to look at, until it
	MOVD  RSP, R1              // hangs up or kills us
	MOVD  $16, R2
	MOVD  $63, R8              // read(2)
	SVC
exit:
	MOVD  $127, R0
	MOVD  $94, R8              // exit_group(2)
	SVC
	BRK                        // not reached

	// The end mark that the copier looks for.
	DWORD $0x646e652d65676174
	DWORD $0x0a2e2e2e2e2e2e2e

// func stageText() unsafe.Pointer
TEXT ·stageText(SB), NOSPLIT, $0-8
	MOVD $·stage(SB), R0
	MOVD R0, ret+0(FP)
	RET
