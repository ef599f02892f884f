/* runner/look - what a picture shows, by name: a network that knows ImageNet's thousand things. */
#ifndef LPD_RUNNER_LOOK_H
#define LPD_RUNNER_LOOK_H

#include "image.h"
#include "onnx.h"

#define LP_LOOK_NAMES 1000
#define LP_LOOK_BEST 3

struct lp_names;

/* A JSON list of LP_LOOK_NAMES texts.  LP_CONFIG in words. */
enum lp_code lp_names_read(struct lp_scope *scope, struct lp_names **out, struct lp_span json,
			   struct lp_err *e) LP_MUST_USE;

struct lp_seen {
	const char *name;	/* of the names */
	float share;		/* 0..1, of all thousand */
};

struct lp_look_want {
	struct lp_onnx_net *net;
	const struct lp_names *names;
	const struct lp_image *picture;
};

/* The likeliest first. */
enum lp_code lp_look(struct lp_seen out[LP_LOOK_BEST], const struct lp_look_want *want, struct lp_err *e) LP_MUST_USE;

#endif
