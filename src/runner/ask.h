/* runner/ask - a request's fields, read and checked as ai-runner does (ai-http-api 3.3, 10.3).
 *
 * "64" and 64.0 are whole numbers; null is refused; every bad field is named in one 422.  Pure. */
#ifndef LPD_RUNNER_ASK_H
#define LPD_RUNNER_ASK_H

#include <lpd/base/buf.h>
#include <lpd/base/scope.h>

enum lp_ask_field {
	LP_ASK_MODEL, LP_ASK_PROMPT, LP_ASK_NEGATIVE, LP_ASK_LORAS, LP_ASK_WIDTH, LP_ASK_HEIGHT, LP_ASK_GUIDANCE,
	LP_ASK_SAFETY, LP_ASK_SEED, LP_ASK_STEPS, LP_ASK_IMAGES, LP_ASK_FIELDS
};

struct lp_ask_value {
	bool given;
	struct lp_span text;
	int64_t i;
	double f;
	bool b;
};

struct lp_ask {
	struct lp_ask_value at[LP_ASK_FIELDS];
	struct lp_span image;		/* the file of a form */
	bool has_image;
};

/* What to answer instead: status 0 means that all is well. */
struct lp_denial {
	int status;
	struct lp_buf json;		/* the body; lp_buf_clear is the caller's */
};

/* {"detail":{"msg":...}} */
void lp_deny(struct lp_denial *d, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* A whole JSON body of text-to-image. */
void lp_ask_read_json(struct lp_scope *scope, struct lp_ask *ask, struct lp_span body, struct lp_denial *d);
/* A whole multipart body of upscale; the image is borrowed from the body. */
void lp_ask_read_form(struct lp_scope *scope, struct lp_ask *ask, struct lp_span content_type, struct lp_span body,
		      struct lp_denial *d);

#endif
