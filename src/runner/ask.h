/* runner/ask - a request's fields, read and checked as ai-runner does (ai-http-api 3.3, 10.3).
 *
 * "64" and 64.0 are whole numbers; null is refused; every bad field is named in one 422.  Pure. */
#ifndef LPD_RUNNER_ASK_H
#define LPD_RUNNER_ASK_H

#include <lpd/base/buf.h>
#include <lpd/base/scope.h>

enum lp_ask_field {
	LP_ASK_MODEL, LP_ASK_PROMPT, LP_ASK_NEGATIVE, LP_ASK_LORAS, LP_ASK_WIDTH, LP_ASK_HEIGHT, LP_ASK_GUIDANCE,
	LP_ASK_SAFETY, LP_ASK_SEED, LP_ASK_STEPS, LP_ASK_IMAGES, LP_ASK_STRENGTH, LP_ASK_IMAGE_GUIDANCE, LP_ASK_FPS,
	LP_ASK_MOTION, LP_ASK_NOISE, LP_ASK_TEXT, LP_ASK_DESCRIPTION, LP_ASK_TIMESTAMPS, LP_ASK_METADATA, LP_ASK_POINTS,
	LP_ASK_LABELS, LP_ASK_BOX, LP_ASK_MASK, LP_ASK_MULTIMASK, LP_ASK_LOGITS, LP_ASK_NORMALIZE, LP_ASK_CHAT_MODEL,
	LP_ASK_MESSAGES, LP_ASK_MAX_TOKENS, LP_ASK_STREAM, LP_ASK_TEMPERATURE, LP_ASK_TOP_P, LP_ASK_TOP_K, LP_ASK_FIELDS
};

#define LP_ASK_BIT(field) (UINT64_C(1) << (field))

/* What a pipeline's request looks like. */
struct lp_ask_shape {
	bool form;			/* multipart, else JSON */
	const char *file;		/* the form's file part: "image", "audio" */
	uint64_t takes, needs;		/* LP_ASK_BIT of fields; others are skipped as ai-runner does */
};

struct lp_ask_value {
	bool given;
	struct lp_span text;
	int64_t i;
	double f;
	bool b;
	const struct json_t *list;	/* messages; in the scope */
};

struct lp_ask {
	struct lp_ask_value at[LP_ASK_FIELDS];
	struct lp_span file;		/* of a form */
	bool has_file;
};

/* What to answer instead: status 0 means that all is well. */
struct lp_denial {
	int status;
	struct lp_buf json;		/* the body; lp_buf_clear is the caller's */
};

/* {"detail":{"msg":...}} */
void lp_deny(struct lp_denial *d, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* A whole body with its content type (at NULL: none was sent), read by the shape. */
void lp_ask_read(struct lp_scope *scope, struct lp_ask *ask, const struct lp_ask_shape *shape,
		 const struct lp_span of[2], struct lp_denial *d);
#define LP_ASK_TYPE 0
#define LP_ASK_BODY 1

#endif
