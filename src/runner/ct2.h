/* runner/ct2 - the tensors in a CTranslate2 model file (version 6). */
#ifndef LPD_RUNNER_CT2_H
#define LPD_RUNNER_CT2_H

#include <stdint.h>

#include <lpd/base/err.h>
#include <lpd/base/scope.h>
#include <lpd/base/str.h>

#define LP_CT2_TENSORS 1024
#define LP_CT2_DIMS 4

struct lp_ct2_tensor {
	struct lp_span name, bytes;	/* borrowed from the file */
	uint32_t dims[LP_CT2_DIMS];
	int n_dims;
	int type;			/* 0: floats, 4: half precision; others are not read */
};

struct lp_ct2 {
	struct lp_ct2_tensor at[LP_CT2_TENSORS];
	int n;
};

/* LP_BAD_REQUEST in words. */
enum lp_code lp_ct2_read(struct lp_ct2 *out, struct lp_span file, struct lp_err *e) LP_MUST_USE;
const struct lp_ct2_tensor *lp_ct2_find(const struct lp_ct2 *ct2, const char *name);	/* NULL: there is none */
/* n floats of that name, copied; NULL: it is not there, has another count or kind. */
float *lp_ct2_floats(struct lp_scope *scope, const struct lp_ct2 *ct2, const char *name, size_t n);

#endif
