/* runner/gguf - the values and tensors in a GGUF file (versions 2 and 3). */
#ifndef LPD_RUNNER_GGUF_H
#define LPD_RUNNER_GGUF_H

#include <stdint.h>

#include <lpd/base/err.h>
#include <lpd/base/scope.h>
#include <lpd/base/str.h>

#define LP_GGUF_VALUES 128
#define LP_GGUF_TENSORS 1024
#define LP_GGUF_DIMS 4

enum lp_gguf_type { LP_GGUF_F32 = 0, LP_GGUF_Q4_1 = 3, LP_GGUF_Q8_0 = 8 };	/* those that are read */

struct lp_gguf_value {
	struct lp_span key;
	unsigned type;			/* of itself, or of a list's members */
	bool list;
	uint64_t count;
	struct lp_span bytes;		/* a text's own; a number's; all of a list */
};

struct lp_gguf_tensor {
	struct lp_span name;
	uint64_t dims[LP_GGUF_DIMS];	/* the first is the length of a row */
	int n_dims;
	unsigned type;
	struct lp_span bytes;		/* from its beginning to the file's end, until lp_gguf_tensor has checked it */
};

struct lp_gguf {			/* all of it borrowed from the file */
	struct lp_gguf_value values[LP_GGUF_VALUES];
	struct lp_gguf_tensor tensors[LP_GGUF_TENSORS];
	int n_values, n_tensors;
};

/* LP_BAD_REQUEST in words. */
enum lp_code lp_gguf_read(struct lp_gguf *out, struct lp_span file, struct lp_err *e) LP_MUST_USE;

/* False: no such number, or none that is whole and fits. */
bool lp_gguf_whole(const struct lp_gguf *g, const char *key, uint32_t *out);
bool lp_gguf_float(const struct lp_gguf *g, const char *key, float *out);
/* A list of texts, as many as it has; NULL: there is none of that name. */
struct lp_span *lp_gguf_texts(struct lp_scope *scope, const struct lp_gguf *g, const char *key, int *n);

struct lp_gguf_want {
	const char *name;
	enum lp_gguf_type type;
	uint64_t cols, rows;		/* rows 1: a single dimension will do */
};

/* Its bytes when it is just that; NULL otherwise. */
const uint8_t *lp_gguf_tensor(const struct lp_gguf *g, const struct lp_gguf_want *want);

#endif
