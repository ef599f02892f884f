/* runner/onnx - ONNX Runtime, loaded when it is there: nothing is linked and no header of it is needed.
 *
 * Its C interface is one table of functions that only ever grows at the end; the slots used here are those of
 * version 17 of the table, which every release since then (1.17) still hands out. */
#ifndef LPD_RUNNER_ONNX_H
#define LPD_RUNNER_ONNX_H

#include <stdint.h>

#include <lpd/base/err.h>
#include <lpd/base/scope.h>

#include "crew.h"

struct lp_onnx;
struct lp_onnx_net;

/* path: the library's file, or a name that the loader finds.  LP_UNAVAILABLE in words. */
enum lp_code lp_onnx_open(struct lp_scope *scope, struct lp_onnx **out, const char *path, struct lp_err *e) LP_MUST_USE;
const char *lp_onnx_version(const struct lp_onnx *onnx);	/* "1.32.0" */

/* Networks loaded from now on take as many threads as this crew has, not its helpers, while it says that more than one may work;
 * the threads share the rows of each step, which changes no bit of the answer. */
void lp_onnx_share(struct lp_onnx *onnx, struct lp_crew *crew);

enum lp_code lp_onnx_load(struct lp_scope *scope, struct lp_onnx_net **out, struct lp_onnx *onnx, struct lp_span model,
			  struct lp_err *e) LP_MUST_USE;

#define LP_TENSOR_DIMS 4

struct lp_tensor {
	const char *name;
	int64_t dims[LP_TENSOR_DIMS];
	int n_dims;
	float *v;
};

size_t lp_tensor_count(const struct lp_tensor *t);

struct lp_onnx_io {
	const struct lp_tensor *in;
	int n_in;			/* at most 2 */
	struct lp_tensor out;		/* name given; dims and v filled in, in the scope */
};

enum lp_code lp_onnx_run(struct lp_scope *scope, struct lp_onnx_net *net, struct lp_onnx_io *io,
			 struct lp_err *e) LP_MUST_USE;

#endif
