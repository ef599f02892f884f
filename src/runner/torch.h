/* runner/torch - the tensors in a file as PyTorch kept them before 1.6: pickles, then the bare numbers.
 *
 * The pickles are only read for names; nothing in them is ever run. */
#ifndef LPD_RUNNER_TORCH_H
#define LPD_RUNNER_TORCH_H

#include <lpd/base/err.h>
#include <lpd/base/scope.h>
#include <lpd/base/str.h>

struct lp_torch_tensor {
	struct lp_span name, key;	/* borrowed from the file */
	bool wide;			/* whole numbers of 8 bytes, not floats */
	struct lp_span bytes;
};

#define LP_TORCH_TENSORS 512

struct lp_torch {
	struct lp_torch_tensor at[LP_TORCH_TENSORS];
	int n;
};

/* LP_BAD_REQUEST in words. */
enum lp_code lp_torch_read(struct lp_torch *out, struct lp_span file, struct lp_err *e) LP_MUST_USE;
/* n floats of that name, copied; NULL: it is not there, or has another count. */
float *lp_torch_floats(struct lp_scope *scope, const struct lp_torch *torch, const char *name, size_t n);

#endif
