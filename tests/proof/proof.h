/* tests/proof/proof - what the harnesses share.  They are for CBMC: each prove_NAME() is a claim about every
 * value there is, not about some.  Beside what is claimed, the prover checks bounds, pointers, shifts, divisors
 * and signed overflow in all code that is reached, and that no loop runs more often than it was unrolled.
 *
 * Products and quotients of numbers of 256 bits are beyond any solver.  They are proved for small numbers at
 * every place, and step by step; their bounds are proved for all. */
#ifndef LPD_TESTS_PROOF_H
#define LPD_TESTS_PROOF_H

#include "../../src/base/str.c"

#include <lpd/base/assert.h>
#include <lpd/base/err.h>
#include <lpd/eth/u256.h>

#define CLAIM(truth) __CPROVER_assert(truth, #truth)
#define GIVEN(truth) __CPROVER_assume(truth)

/* Any value there is: the prover knows this beginning of a name. */
struct lp_u256 nondet_u256(void);
uint64_t nondet_u64(void);
int64_t nondet_i64(void);
unsigned nondet_unsigned(void);
uint8_t nondet_u8(void);

/* A check of ours that fails is a failed proof. */
_Noreturn void lp_assert_failed(const char *truth, const char *file, int line, const char *func)
{
	(void)truth, (void)file, (void)line, (void)func;
	__CPROVER_assert(0, "lp_assert");
	__CPROVER_assume(0);
}

/* Words are not what is proved. */
enum lp_code lp_fail(struct lp_err *e, enum lp_code code, const char *fmt, ...)
{
	(void)e, (void)fmt;
	return code;
}

static inline _Bool same(struct lp_u256 a, struct lp_u256 b)
{
	return a.limb[0] == b.limb[0] && a.limb[1] == b.limb[1] && a.limb[2] == b.limb[2] && a.limb[3] == b.limb[3];
}

/* Any bytes, as many as at most so many; one byte beyond them may not be read. */
static inline struct lp_span any_bytes(size_t most)
{
	size_t len = nondet_u64();

	GIVEN(len <= most);
	return lp_span_of(__CPROVER_allocate(len, 0), len);
}

#endif
